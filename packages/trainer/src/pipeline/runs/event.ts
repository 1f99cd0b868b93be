import type { Shape } from '@cert/core';
import type { Evaluation, ReluStates } from '@cert/verify';
import type { Metrics } from '../../metrics.js';
import type { RunConfig } from '../config/run-config.js';
import type { Best } from './best.js';
import type { MonitoredName } from './metrics-lines.js';

/** Results of a run (`summary.json`). Errors are fractions of the test images, for the network after the last step. */
export interface Summary extends Evaluation {
  /** As in the configuration. */
  readonly preset: string;
  /** As in the configuration. */
  readonly method: string;
  /** The bound method of the verified error. */
  readonly bound: string;
  /** As in the configuration. */
  readonly dataset: string;
  /** As in the configuration. */
  readonly model: string;
  /** Trainable numbers of the model. */
  readonly parameters: number;
  /** Shape of one input; missing in runs of older versions. */
  readonly inputShape?: Shape;
  /** Epochs trained. */
  readonly epochs: number;
  /** Where `patience` stopped training: epochs of the configuration, and epochs without a better one; missing otherwise. */
  readonly stoppedEarly?: { readonly plannedEpochs: number; readonly patience: number };
  /** As in the configuration. */
  readonly seed: number;
  /** Images trained on. */
  readonly trainImages: number;
  /** Images held out of the training images, on which `best` was chosen; missing where it was chosen on the test images. */
  readonly validationImages?: number;
  /** For a regression: the tolerance, in the units of the label. Errors are then shares of predictions that are off by this much or more. */
  readonly delta?: number;
  /** The attack of the final evaluation; null for none. */
  readonly attack: { readonly steps: number; readonly restarts: number } | null;
  /** The epoch of `best.safetensors`; null if no epoch had the full radius. */
  readonly best: Best | null;
  /** The name of the device. */
  readonly device: string;
  /** Actual hardware and runtime of the device. */
  readonly deviceDescription: string;
  /** Seconds in training steps, without evaluation and files. */
  readonly trainSeconds: number;
  /** Seconds of the final evaluation, attack included. */
  readonly evalSeconds: number;
}

/** Numbers after a step or an epoch. */
export interface RunNumbers {
  /** Steps done. */
  readonly step: number;
  /** The epoch, from 1, that the last step belongs to. */
  readonly epoch: number;
  /** The radius of the last step, in the units of the images. */
  readonly epsilon: number;
  /** Of the last step. */
  readonly learningRate: number;
  /** Of the last step, or means over the epoch. */
  readonly metrics: Metrics;
  /** Images in the last step; 0 if an earlier call took it. */
  readonly images: number;
  /** Estimated seconds to the end of the run, including tests after epochs and the final evaluation; NaN before the first step of this call. */
  readonly secondsLeft: number;
}

/**
 * Event of a run, in order. Plain data, distinguished by `type`. `decoding` comes before `start`; `warning` after `start` and, for a
 * network that has learned nothing, before `finished`; `step` after every step and `epoch` after every epoch, `early-stop` where `patience` ends
 * training, `evaluating` during the final evaluation, and one of `stopped`, `failed` and `finished` at the end.
 */
export type RunEvent =
  | {
      readonly type: 'start';
      /** The folder of the run. */
      readonly folder: string;
      /** Configuration of the run. */
      readonly config: RunConfig;
      /** Device of the run and the reason for choosing it; `warning` if a GPU device runs on the CPU. */
      readonly device: {
        readonly name: string;
        readonly description: string;
        readonly reason: string;
        readonly warning?: string;
      };
      /** Trainable numbers of the model. */
      readonly parameters: number;
      /** Shape of one input. */
      readonly inputShape: Shape;
      /** Images trained on. */
      readonly trainImages: number;
      /** Images tested on. */
      readonly testImages: number;
      /** Images held out of the training images, on which epochs are tested; missing where the test images are. */
      readonly validationImages?: number;
      /** Epochs of the whole run. */
      readonly epochs: number;
      /** Steps in an epoch. */
      readonly stepsPerEpoch: number;
      /** Steps of earlier calls; 0 for a new run. */
      readonly step: number;
    }
  | {
      readonly type: 'warning';
      /** Human-readable problem and cure. */
      readonly message: string;
    }
  | ({ readonly type: 'step' } & RunNumbers)
  | ({
      readonly type: 'epoch';
      /** Errors at the radius of the last step, without an attack. */
      readonly test: Evaluation;
      /** The images of these errors. */
      readonly monitored: MonitoredName;
      /** Seconds in training steps since the run began. */
      readonly trainSeconds: number;
      /** Shares of active, unstable and inactive neurons of each layer, as in `metrics.jsonl`. */
      readonly relu?: ReluStates;
    } & RunNumbers)
  | {
      readonly type: 'early-stop';
      /** The last epoch that was trained. */
      readonly epoch: number;
      /** Epochs of the configuration. */
      readonly epochs: number;
      /** Epochs without a better one. */
      readonly patience: number;
      /** The best epoch. */
      readonly best: Best;
    }
  | {
      readonly type: 'decoding';
      /** Decoded images of the dataset, cached for later runs. */
      readonly images: number;
      /** Total number of images. */
      readonly of: number;
    }
  | {
      readonly type: 'evaluating';
      /** Evaluated images. */
      readonly images: number;
      /** Total number of images. */
      readonly of: number;
      /** Images that an earlier run of the command had evaluated; default 0. */
      readonly before?: number;
    }
  | {
      readonly type: 'stopped';
      /** The folder of the run, for resuming. */
      readonly folder: string;
      /** Steps done. */
      readonly step: number;
    }
  | {
      readonly type: 'failed';
      /** Message of the error, which is also thrown. */
      readonly message: string;
    }
  | {
      readonly type: 'finished';
      /** The folder of the run. */
      readonly folder: string;
      /** Summary of the run, as in `summary.json`. */
      readonly summary: Summary;
    };

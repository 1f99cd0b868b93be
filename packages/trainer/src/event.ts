import type { Best } from './best.js';
import type { RunConfig } from './config.js';
import type { Evaluation } from './evaluate.js';
import type { Metrics } from './metrics.js';

/** `summary.json`: what came out of a run. Errors are fractions of the test images, for the weights after the last step. */
export interface Summary extends Evaluation {
  readonly preset: string;
  readonly method: string;
  /** The bound method of the verified error. */
  readonly bound: string;
  readonly dataset: string;
  readonly model: string;
  readonly parameters: number;
  readonly epochs: number;
  readonly seed: number;
  readonly trainImages: number;
  readonly attack: { readonly steps: number; readonly restarts: number } | null;
  /** The epoch of `best.safetensors`: the lowest verified error on the test images at the full radius, then the lowest standard error. */
  readonly best: Best | null;
  readonly device: string;
  readonly deviceDescription: string;
  /** Seconds in training steps, without evaluation and files. */
  readonly trainSeconds: number;
  /** Seconds of the final evaluation, attack included. */
  readonly evalSeconds: number;
}

/** What is known after a step or an epoch. */
interface Numbers {
  /** Steps done. */
  readonly step: number;
  readonly epoch: number;
  readonly epsilon: number;
  readonly learningRate: number;
  readonly metrics: Metrics;
  /** Images in the last step. */
  readonly images: number;
}

/** What happens in a run, in order. Plain data. */
export type RunEvent =
  | {
      readonly type: 'start';
      readonly folder: string;
      readonly config: RunConfig;
      /** `warning`: why the device is not what its name promises. */
      readonly device: {
        readonly name: string;
        readonly description: string;
        readonly reason: string;
        readonly warning?: string;
      };
      readonly parameters: number;
      readonly trainImages: number;
      readonly testImages: number;
      readonly epochs: number;
      readonly stepsPerEpoch: number;
      /** Steps that were done before; 0 for a new run. */
      readonly step: number;
    }
  | ({ readonly type: 'step' } & Numbers)
  | ({ readonly type: 'epoch'; readonly test: Evaluation; readonly trainSeconds: number } & Numbers)
  /** `before`: images that were evaluated in an earlier run of the command. */
  /** Images of a dataset are decoded, once; before `start`. */
  | { readonly type: 'decoding'; readonly images: number; readonly of: number }
  | { readonly type: 'evaluating'; readonly images: number; readonly of: number; readonly before?: number }
  | { readonly type: 'stopped'; readonly folder: string; readonly step: number }
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'finished'; readonly folder: string; readonly summary: Summary };

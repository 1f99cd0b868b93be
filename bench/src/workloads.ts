import { crownIbp, ibp } from '@cert/bounds';
import type { Model, Regularizer } from '@cert/core';
import type { Augmentation } from '@cert/datasets';
import { cnn7, smallConv, wideResnet8 } from '@cert/models';
import {
  crownIbpObjective,
  mtlIbpObjective,
  naturalObjective,
  type Objective,
  pgdObjective,
  robustObjective,
  sabrObjective,
} from '@cert/trainer';
import { attackWith, certifyWith, type Evaluation } from './evaluations.js';

/** One step to be timed, on random images: of training, or an evaluation. */
export interface Workload {
  readonly model: () => Model;
  readonly batch: number;
  /** Target radius; the step is timed at half of it, where objectives are mixed half and half. */
  readonly epsilon: number;
  /** Default: the robust loss. */
  readonly objective?: Objective;
  /** Default: both of the full method. */
  readonly regularizers?: readonly Regularizer[];
  /** An evaluation instead of a training step. */
  readonly evaluation?: Evaluation;
  /** The arguments that make a peer run the same step; without them it is not compared. */
  readonly peer?: readonly string[];
  /** Loads a new minibatch for each step from as many images as CIFAR-10 has, and augments it; without, all steps share one. */
  readonly augment?: Augmentation;
  /** Too large for a processor: run only when it is named. */
  readonly large?: true;
}

/** Eight steps from one start. */
const attack = { steps: 8, stepSize: 0.25, restarts: 1 };

const cnn = (
  inputShape: readonly number[],
  epsilon: number,
  batch: number,
  width: number,
  dense: number,
): Workload => ({
  model: () => cnn7({ inputShape, classes: 10, width, dense }),
  batch,
  epsilon,
  peer: Object.entries({ config: inputShape[2] === 1 ? 'mnist' : 'cifar', batch, width, linear: dense }).flatMap(
    ([name, value]) => [`--${name}`, String(value)],
  ),
});

const small = (batch: number): Workload => cnn([28, 28, 1], 0.4, batch, 16, 128);

/** The small CNN-7 without regularizers, for objectives with attacks. */
const attacked = (objective: Objective): Workload => {
  const { peer: _, ...rest } = small(64);
  return { ...rest, objective, regularizers: [] };
};

/** Another task of the peers than training on the bounds. */
const withTask = (workload: Workload, task: string): Workload => ({
  ...workload,
  peer: [...workload.peer!, '--task', task],
});

/** Images that are bounded at once. */
const CHUNK = 100;

export const workloads: { readonly [name: string]: Workload } = {
  'mnist-w16': small(64),
  'mnist-w64': cnn([28, 28, 1], 0.4, 64, 64, 512),
  'cifar-w64': cnn([32, 32, 3], 8 / 255, 32, 64, 512),
  wrn8: {
    model: () => wideResnet8({ inputShape: [32, 32, 3], classes: 10 }),
    batch: 16,
    epsilon: 8 / 255,
    peer: ['--config', 'cifar', '--batch', '16', '--linear', '512', '--network', 'wide-resnet-8'],
  },
  /** The step of the method crown-ibp on its ramp: linear relaxation with loss fusion beside IBP. */
  'crown-ibp': withTask({ ...small(64), objective: crownIbpObjective(), regularizers: [] }, 'crown-ibp'),
  /** What a step with 8 attack steps may cost: that of `pgd-8` less that of `natural`, plus that of `ibp`. */
  natural: attacked(naturalObjective),
  'pgd-8': attacked(pgdObjective({ steps: 8 })),
  ibp: attacked(robustObjective()),
  sabr: attacked(sabrObjective({ shrinkage: 0.4, attack })),
  'mtl-ibp': attacked(mtlIbpObjective({ alpha: 0.1, attack })),
  /** The step of the preset digits/quick. */
  digits: { model: () => smallConv({ inputShape: [28, 28, 1], classes: 10 }), batch: 64, epsilon: 0.1 },
  /** How long steps wait for data. */
  loader: {
    model: () => cnn7({ inputShape: [32, 32, 3], classes: 10, width: 16, dense: 128 }),
    batch: 128,
    epsilon: 8 / 255,
    augment: { flip: true, crop: 2 },
  },
  /** Evaluations of an untrained network. */
  'pgd-200': withTask({ ...small(64), evaluation: attackWith(200) }, 'pgd'),
  'certify-ibp': withTask({ ...small(1000), evaluation: certifyWith(ibp, CHUNK) }, 'certify-ibp'),
  'certify-crown-ibp': withTask({ ...small(1000), evaluation: certifyWith(crownIbp, CHUNK) }, 'certify-crown-ibp'),
  'cifar-w64-b128': { ...cnn([32, 32, 3], 8 / 255, 128, 64, 512), large: true },
};

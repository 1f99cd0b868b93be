/** What the names of the command stand for. The libraries take values; only here are they looked up by name. */
import { crownIbp, ibp } from '@cert/bounds';
import { CertError, type Regularizer } from '@cert/core';
import { cifar10, type Dataset, digits, fashionMnist, imageFolder, mnist, tinyImagenet } from '@cert/datasets';
import { type Initializer, ibpInit, kaimingInit, orthogonalInit, xavierInit } from '@cert/init';
import { devices } from '@cert/jit';
import { l1, reluBalance, reluStability, tightness, volume } from '@cert/regularizers';
import { hostCrown } from './host-crown.js';
import { compiled, type MarginMethod } from './margin-bounder.js';
import { naturalObjective, robustObjective } from './objective.js';
import { always, certified, crownIbpSchedule, type ObjectiveSchedule } from './objective-schedule.js';
import { adam, type Optimizer, sgd } from './optimizer.js';
import { type PgdOptions, pgdObjective } from './pgd.js';
import { fallingWeight, type Plan, type Ramp, regularizedEpochs } from './plan.js';
import { constant, linearSchedule, type RampOptions, type Schedule, smoothedSchedule } from './schedule.js';

export { BATCH_NORMS, MODELS, type ModelSize } from './architectures.js';

type Table<T> = { readonly [name: string]: T };

/** Initializations. */
export const INITIALIZERS: Table<Initializer> = {
  ibp: ibpInit,
  xavier: xavierInit,
  kaiming: kaimingInit,
  orthogonal: orthogonalInit,
};

/** Regularizers. */
export const REGULARIZERS: Table<(options: { readonly tolerance: number }) => Regularizer> = {
  tightness,
  'relu-balance': reluBalance,
  'relu-stability': reluStability,
  volume,
  l1,
};

/** How regularizers are weighted: over the ramp of the radius, and up to which epoch. */
export interface Weighting {
  /** From the weight at the beginning. */
  readonly weight: (weight: number) => Plan['regWeight'];
  readonly epochs: (ramp: Ramp) => number;
}

/** Weightings of regularizers. */
export const REG_SCHEDULES: Table<Weighting> = {
  warmup: { weight: fallingWeight, epochs: regularizedEpochs },
  constant: { weight: constant, epochs: () => Number.POSITIVE_INFINITY },
};

/** What an objective may depend on. */
export interface ObjectiveOptions {
  readonly naturalWeight: number;
  readonly pgd: PgdOptions;
}

/** Objectives. */
export const OBJECTIVES: Table<(options: ObjectiveOptions) => ObjectiveSchedule> = {
  natural: () => always(naturalObjective),
  pgd: ({ pgd }) => always(pgdObjective(pgd)),
  robust: ({ naturalWeight }) => certified(robustObjective({ naturalWeight })),
  'crown-ibp-fused': ({ naturalWeight }) => crownIbpSchedule({ naturalWeight }),
  'crown-ibp': ({ naturalWeight }) => crownIbpSchedule({ naturalWeight, fusion: false }),
};

/** Optimizers. */
export const OPTIMIZERS: Table<(options: { readonly momentum: number }) => Optimizer> = {
  adam: () => adam(),
  sgd,
};

/** Ramps of the radius. */
export const RAMPS: Table<(options: RampOptions) => Schedule> = { smoothed: smoothedSchedule, linear: linearSchedule };

/** What a dataset is asked for with. */
export interface DatasetOptions {
  /** Where its files are; the cache of downloads when there is none. */
  readonly folder?: string | undefined;
  /** Called for every image that is decoded, with their number. */
  readonly onProgress?: ((images: number, of: number) => void) | undefined;
}

/** Datasets. */
export const DATASETS: Table<(options: DatasetOptions) => Promise<Dataset>> = {
  digits: () => digits(),
  mnist,
  'fashion-mnist': fashionMnist,
  cifar10,
  'tiny-imagenet': tinyImagenet,
  'image-folder': async ({ folder, onProgress }) => imageFolder(folder ?? missingFolder(), { onProgress }),
};

const missingFolder = () => {
  throw new CertError(
    'bad-argument',
    'The dataset image-folder has no folder.',
    'Give the one that holds train/CLASS/ and test/CLASS/: --data FOLDER.',
  );
};

/** A method that proves margins of single images, and how dear it is. */
export interface Certifier {
  readonly method: MarginMethod;
  /** Linear functions that it passes back through the model for one image at a time. */
  readonly rows: (classes: number) => number;
  /** Whether it costs more than an attack on the image. */
  readonly afterAttack: boolean;
}

/** Methods of `cert eval`, cheap ones first. */
export const BOUND_METHODS: Table<Certifier> = {
  ibp: { method: compiled(ibp), rows: () => 1, afterAttack: false },
  'crown-ibp': { method: compiled(crownIbp), rows: (classes) => classes - 1, afterAttack: false },
  // One image at a time.
  crown: { method: hostCrown(), rows: () => Number.POSITIVE_INFINITY, afterAttack: true },
};

/** Devices of the command, each with what it is. */
export const DEVICES: Table<string> = {
  auto: 'the fastest that is there',
  ...Object.fromEntries(devices.map(({ name, about }) => [name, about])),
};

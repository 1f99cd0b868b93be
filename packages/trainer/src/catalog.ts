/** What the names of the command stand for. The libraries take values; only here are they looked up by name. */
import { crown, crownIbp, ibp } from '@cert/bounds';
import { type BoundMethod, CertError, type Model, type Regularizer, type Shape } from '@cert/core';
import { cifar10, type Dataset, digits, fashionMnist, imageFolder, mnist } from '@cert/datasets';
import { type Initializer, ibpInit, kaimingInit, orthogonalInit, xavierInit } from '@cert/init';
import { deviceNames } from '@cert/jit';
import { cnn7, mlp, type Normalization, smallConv } from '@cert/models';
import { reluBalance, tightness } from '@cert/regularizers';
import { adam, type Optimizer, sgd } from './optimizer.js';
import { linearSchedule, type RampOptions, type Schedule, smoothedSchedule } from './schedule.js';

/** What an architecture of the command may depend on; `null` is its own default. */
export interface ModelSize {
  readonly inputShape: Shape;
  readonly classes: number;
  readonly width: number | null;
  readonly dense: number | null;
  readonly batchNorm: BatchNormPlace | null;
  /** The input normalization of the dataset. */
  readonly normalize?: Normalization | undefined;
}

/** Where BatchNorm stands: nowhere, after the convolutions, after the hidden dense layers too. */
export type BatchNormPlace = 'none' | 'conv' | 'full';

/** Places of BatchNorm. */
export const BATCH_NORMS: Table<BatchNormPlace> = { none: 'none', conv: 'conv', full: 'full' };

type Table<T> = { readonly [name: string]: T };

/** Architectures. */
export const MODELS: Table<(size: ModelSize) => Model> = {
  'small-conv': ({ width, dense, batchNorm, ...shape }) =>
    smallConv({
      ...shape,
      dense: dense ?? undefined,
      filters: width === null ? undefined : [width, 2 * width],
      batchNorm: everywhereOrNowhere('small-conv', batchNorm),
    }),
  cnn7: ({ width, dense, batchNorm, ...shape }) =>
    cnn7({ ...shape, width: width ?? undefined, dense: dense ?? undefined, batchNorm: batchNorm ?? undefined }),
  mlp: ({ width, dense, batchNorm, ...shape }) =>
    mlp({ ...shape, hidden: [width ?? 100, dense ?? 100], batchNorm: everywhereOrNowhere('mlp', batchNorm) ?? true }),
};

/** @throws CertError `bad-argument` for a place that the architecture has no choice for */
function everywhereOrNowhere(model: string, place: BatchNormPlace | null): boolean | undefined {
  if (place === 'conv') throw noSuchBatchNorm(model, place, ['none', 'full']);
  return place === null ? undefined : place === 'full';
}

const noSuchBatchNorm = (model: string, place: BatchNormPlace, known: readonly BatchNormPlace[]) =>
  new CertError(
    'bad-argument',
    `${model} has no choice of BatchNorm "${place}".`,
    `Give ${known.map((name) => `--bn ${name}`).join(' or ')}, leave the option out, or take another --model (cnn7 has all).`,
  );

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
};

/** Optimizers. */
export const OPTIMIZERS: Table<(options: { readonly momentum: number }) => Optimizer> = {
  adam: () => adam(),
  sgd,
};

/** Ramps of the radius. */
export const RAMPS: Table<(options: RampOptions) => Schedule> = { smoothed: smoothedSchedule, linear: linearSchedule };

/** Datasets; the folder is where their files are, `null` the cache of downloads. */
export const DATASETS: Table<(folder: string | null) => Promise<Dataset>> = {
  digits: () => digits(),
  mnist: (folder) => mnist(folder === null ? {} : { folder }),
  'fashion-mnist': (folder) => fashionMnist(folder === null ? {} : { folder }),
  cifar10: (folder) => cifar10(folder === null ? {} : { folder }),
  'image-folder': async (folder) => imageFolder(folder ?? missingFolder()),
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
  readonly method: BoundMethod;
  /** Linear functions that it passes back through the model for one image at a time. */
  readonly rows: (classes: number) => number;
  /** Whether it costs more than an attack on the image. */
  readonly afterAttack: boolean;
}

/** Methods of `cert eval`, cheap ones first. */
export const BOUND_METHODS: Table<Certifier> = {
  ibp: { method: ibp, rows: () => 1, afterAttack: false },
  'crown-ibp': { method: crownIbp, rows: (classes) => classes - 1, afterAttack: false },
  // As many rows as there are neurons, in chunks; with less than this many in a chunk there are too many chunks to compile.
  crown: { method: crown(), rows: () => 256, afterAttack: true },
};

/** Devices of the command; `auto` stands for the fastest that is there. */
export const DEVICES: Table<true> = {
  auto: true,
  ...Object.fromEntries(deviceNames.map((name) => [name, true as const])),
};

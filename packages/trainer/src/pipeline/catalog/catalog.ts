/** What the names of the command stand for. The libraries take values; only here are they looked up by name. */
import { type BackwardTable, crownIbpOf, type Rules, standardRules } from '@cert/bounds';
import { type BoundMethod, CertError, type Model, type Regularizer } from '@cert/core';
import type { Dataset } from '@cert/datasets';
import { cifar10, digits, fashionMnist, imageFolder, mnist, tinyImagenet } from '@cert/datasets/node';
import { type Initializer, ibpInit, kaimingInit, orthogonalInit, xavierInit } from '@cert/init';
import { devices } from '@cert/jit/node';
import { l1, reluBalance, reluStability, tightness, volume } from '@cert/regularizers';
import { boundVerifier, crownVerifier, type Verifier } from '@cert/verify';
import { naturalObjective, robustObjective } from '../../objectives/objective.js';
import { type PgdOptions, pgdObjective } from '../../objectives/pgd.js';
import { always, crownIbpSchedule, naturalThen, type ObjectiveSchedule } from '../../objectives/schedule.js';
import { adam, type Optimizer, sgd } from '../../optimizers/optimizer.js';
import { fallingWeight, type Plan, type Ramp, regularizedEpochs } from '../../plan.js';
import {
  constantSchedule,
  linearSchedule,
  type RampOptions,
  type Schedule,
  smoothedSchedule,
} from '../../schedules/schedule.js';
import { METHODS } from '../config/methods.js';
import type { PluginRecord, RunConfig } from '../config/run-config.js';
import { MODELS, type ModelSize } from './architectures.js';

export { BATCH_NORMS } from './architectures.js';

/** Values by the names that options of the command take. */
export type Table<T> = { readonly [name: string]: T };

/** Initializations. */
const INITIALIZERS: Table<Initializer> = {
  ibp: ibpInit,
  xavier: xavierInit,
  kaiming: kaimingInit,
  orthogonal: orthogonalInit,
};

/** Regularizers. */
const REGULARIZERS: Table<(options: { readonly tolerance: number }) => Regularizer> = {
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
  constant: { weight: constantSchedule, epochs: () => Number.POSITIVE_INFINITY },
};

/** What an objective may depend on. */
export interface ObjectiveOptions {
  /** So much of the natural cross-entropy is added, for objectives that bound the loss. */
  readonly naturalWeight: number;
  /** Settings of the attack that `pgd` trains on. */
  readonly pgd: PgdOptions;
  /** Backward rules that know every op of the run. */
  readonly backward: BackwardTable;
}

/** Objectives. */
const OBJECTIVES: Table<(options: ObjectiveOptions) => ObjectiveSchedule> = {
  natural: () => always(naturalObjective),
  pgd: ({ pgd }) => always(pgdObjective(pgd)),
  robust: ({ naturalWeight }) => naturalThen(robustObjective({ naturalWeight })),
  'crown-ibp-fused': ({ naturalWeight, backward }) => crownIbpSchedule({ naturalWeight, backward }),
  'crown-ibp': ({ naturalWeight, backward }) => crownIbpSchedule({ naturalWeight, backward, fusion: false }),
};

/** Optimizers. */
const OPTIMIZERS: Table<(options: { readonly momentum: number }) => Optimizer> = {
  adam: () => adam(),
  sgd,
};

/** Ramps of the radius. */
export const RAMPS: Table<(options: RampOptions) => Schedule> = { smoothed: smoothedSchedule, linear: linearSchedule };

/** What a dataset is asked for with. */
export interface DatasetOptions {
  /** Where its files are; the cache of downloads when there is none. */
  readonly folder?: string | undefined;
  /** Called after each image that is decoded, with the number of images done, and of all. */
  readonly onProgress?: ((images: number, of: number) => void) | undefined;
}

/** Datasets. */
const DATASETS: Table<(options: DatasetOptions) => Promise<Dataset>> = {
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

/** Bound methods that training can take its bounds from. */
export const boundMethodsOf = ({ ibp, linearRelaxation }: Rules): Table<BoundMethod> => ({
  ibp,
  'crown-ibp': crownIbpOf({ forward: ibp, backward: linearRelaxation }),
});

/** Verifiers of `cert eval`, cheap ones first. @param further bound methods of plug-ins */
export const verifiersOf = (rules: Rules, further: Table<BoundMethod> = {}): Table<Verifier> => ({
  ...Object.fromEntries(
    Object.entries({ ...boundMethodsOf(rules), ...further }).map(([name, method]) => [
      name,
      { ...boundVerifier(method), name },
    ]),
  ),
  ibp: boundVerifier(rules.ibp, { rows: () => 0, afterAttack: false }),
  crown: crownVerifier({ forward: rules.ibp, backward: rules.linearRelaxation }),
});

/** Verifiers of `cert eval` for models of the built-in ops, cheap ones first: `ibp`, `crown-ibp`, `crown`. */
export const VERIFIERS = verifiersOf(standardRules);

/** Devices of the command, each with what it is. */
export const DEVICES: Table<string> = {
  auto: 'the fastest that is there',
  ...Object.fromEntries(devices.map(({ name, about }) => [name, about])),
};

/** All that a configuration can name: what is built in, and what plug-ins brought (see `withPlugins`). */
export interface Catalog {
  /** The plug-ins in it. */
  readonly plugins: readonly PluginRecord[];
  /** The rules of every op. */
  readonly rules: Rules;
  /** For `--method`: what each sets, the rest is as the preset says. */
  readonly methods: Table<Partial<RunConfig>>;
  /** For `--bound`: where training takes its bounds from. */
  readonly boundMethods: Table<BoundMethod>;
  /** For `cert eval --methods`, cheap ones first. */
  readonly verifiers: Table<Verifier>;
  /** For `--objective`. */
  readonly objectives: Table<(options: ObjectiveOptions) => ObjectiveSchedule>;
  /** For `--regularizers`. */
  readonly regularizers: Table<(options: { readonly tolerance: number }) => Regularizer>;
  /** For `--model`. */
  readonly models: Table<(size: ModelSize) => Model>;
  /** For `--dataset`. */
  readonly datasets: Table<(options: DatasetOptions) => Promise<Dataset>>;
  /** For `--init`. */
  readonly initializers: Table<Initializer>;
  /** For `--optimizer`. */
  readonly optimizers: Table<(options: { readonly momentum: number }) => Optimizer>;
}

/** What is built in, without plug-ins. */
export const standardCatalog: Catalog = {
  plugins: [],
  rules: standardRules,
  methods: METHODS,
  boundMethods: boundMethodsOf(standardRules),
  verifiers: VERIFIERS,
  objectives: OBJECTIVES,
  regularizers: REGULARIZERS,
  models: MODELS,
  datasets: DATASETS,
  initializers: INITIALIZERS,
  optimizers: OPTIMIZERS,
};

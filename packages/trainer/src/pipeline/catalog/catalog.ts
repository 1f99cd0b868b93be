/** What the names of the command stand for. The libraries take values; only here are they looked up by name. */
import { crownIbpOf, type Rules, standardRules } from '@cert/bounds';
import type { BoundMethod, Model, Regularizer } from '@cert/core';
import type { Dataset } from '@cert/datasets';
import { type Initializer, ibpInit, kaimingInit, orthogonalInit, xavierInit } from '@cert/init';
import {
  alphaCrownVerifier,
  babVerifier,
  boundVerifier,
  crownVerifier,
  type SearchVerifierOptions,
  soundCrownIbpSteps,
  soundCrownSteps,
  soundIbpSteps,
  soundVerifier,
  type Verifier,
} from '@cert/verify';
import type { ObjectiveSchedule } from '../../objectives/schedule.js';
import type { Optimizer } from '../../optimizers/optimizer.js';
import type { Fields } from '../config/field.js';
import { METHODS } from '../config/methods.js';
import type { PluginRecord, RunConfig } from '../config/run-config.js';
import { MODELS, type ModelContext } from './architectures.js';
import { DATASETS, type DatasetContext } from './datasets.js';
import type { Configurable, Entry, Table } from './entry.js';
import { OBJECTIVES, type ObjectiveContext } from './objectives.js';
import { OPTIMIZERS } from './optimizers.js';
import { REGULARIZERS } from './regularizers.js';

/** Initializations. */
const INITIALIZERS = {
  ibp: ibpInit,
  xavier: xavierInit,
  kaiming: kaimingInit,
  orthogonal: orthogonalInit,
};

/** Bound methods that training can take its bounds from. */
export const boundMethodsOf = ({ ibp, linearRelaxation }: Rules): Table<BoundMethod> => ({
  ibp,
  'crown-ibp': crownIbpOf({ forward: ibp, backward: linearRelaxation }),
});

/**
 * Verifiers of `cert eval`, cheap ones first. Those that are built in also prove with rounding accounted for, on models of the built-in
 * ops.
 *
 * @param further bound methods of plug-ins
 */
export const verifiersOf = (rules: Rules, further: Table<BoundMethod> = {}): Table<Verifier> => ({
  ...Object.fromEntries(
    Object.entries({ ...boundMethodsOf(rules), ...further }).map(([name, method]) => [
      name,
      { ...boundVerifier(method), name },
    ]),
  ),
  ibp: soundVerifier(boundVerifier(rules.ibp, { rows: () => 0, afterAttack: false }), soundIbpSteps),
  'crown-ibp': soundVerifier(boundVerifier(boundMethodsOf(rules)['crown-ibp']!), soundCrownIbpSteps),
  crown: soundVerifier(crownVerifier({ forward: rules.ibp, backward: rules.linearRelaxation }), soundCrownSteps),
  ...searchVerifiers({ rules }),
});

/** Returns the verifiers that search, with a time limit per image. */
export const searchVerifiers = (options: SearchVerifierOptions): Table<Verifier> => ({
  'alpha-crown': alphaCrownVerifier(options),
  bab: babVerifier(options),
});

/** Verifiers of `cert eval` for models of built-in ops, fastest first: `ibp`, `crown-ibp`, `crown`, `alpha-crown`, `bab`. */
export const VERIFIERS = verifiersOf(standardRules);

/** Everything that a configuration can name, built in or from plug-ins (see `withPlugins`). */
export interface Catalog {
  /** The plug-ins of the catalog. */
  readonly plugins: readonly PluginRecord[];
  /** The rules of every op. */
  readonly rules: Rules;
  /** For `--method`: the settings of each method; the preset sets all others. */
  readonly methods: Table<Partial<RunConfig>>;
  /** For `--bound`: bound methods for training. */
  readonly boundMethods: Table<BoundMethod>;
  /** For `cert eval --methods`, fastest first. */
  readonly verifiers: Table<Verifier>;
  /** For `--objective`. */
  readonly objectives: Table<Entry<ObjectiveContext, ObjectiveSchedule>>;
  /** For `--regularizers`. */
  readonly regularizers: Table<Entry<void, Regularizer>>;
  /** For `--model`. */
  readonly models: Table<Entry<ModelContext, Model>>;
  /** For `--dataset`. */
  readonly datasets: Table<Entry<DatasetContext, Promise<Dataset>>>;
  /** For `--init`: an initializer, or an entry that creates one from options. */
  readonly initializers: Table<Initializer | Configurable<Fields, void, Initializer>>;
  /** For `--optimizer`. */
  readonly optimizers: Table<Entry<void, Optimizer>>;
}

/** The catalog of everything built in, without plug-ins. */
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

/** What the names of the command stand for. The libraries take values; only here are they looked up by name. */
import { crownIbpOf, type Rules, standardRules } from '@cert/bounds';
import type { BoundMethod, Model, Regularizer } from '@cert/core';
import type { Dataset } from '@cert/datasets';
import { type Initializer, ibpInit, kaimingInit, orthogonalInit, xavierInit } from '@cert/init';
import { type Certifier, hostCrown, marginMethod } from '@cert/verify';
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

/** A bound method as `cert eval` runs it. It may pass as many linear functions through the model as there are margins. */
const certifier = (method: BoundMethod): Certifier => ({
  method: marginMethod(method),
  rows: (classes) => classes - 1,
  afterAttack: false,
});

/** Methods of `cert eval`, cheap ones first. @param further those of plug-ins */
export const certifiersOf = (rules: Rules, further: Table<BoundMethod> = {}): Table<Certifier> => ({
  ibp: { ...certifier(rules.ibp), rows: () => 1 },
  ...Object.fromEntries(
    Object.entries({ ...boundMethodsOf(rules), ...further }).flatMap(([name, method]) =>
      name === 'ibp' ? [] : [[name, certifier(method)]],
    ),
  ),
  // One image at a time.
  crown: {
    method: hostCrown({ forward: rules.ibp, backward: rules.linearRelaxation }),
    rows: () => Number.POSITIVE_INFINITY,
    afterAttack: true,
  },
});

/** Methods of `cert eval` for models of the built-in ops, cheap ones first: `ibp`, `crown-ibp`, `crown`. */
export const CERTIFIERS = certifiersOf(standardRules);

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
  readonly certifiers: Table<Certifier>;
  /** For `--objective`. */
  readonly objectives: Table<Entry<ObjectiveContext, ObjectiveSchedule>>;
  /** For `--regularizers`. */
  readonly regularizers: Table<Entry<void, Regularizer>>;
  /** For `--model`. */
  readonly models: Table<Entry<ModelContext, Model>>;
  /** For `--dataset`. */
  readonly datasets: Table<Entry<DatasetContext, Promise<Dataset>>>;
  /** For `--init`: an initializer, or one that is made of options. */
  readonly initializers: Table<Initializer | Configurable<Fields, void, Initializer>>;
  /** For `--optimizer`. */
  readonly optimizers: Table<Entry<void, Optimizer>>;
}

/** What is built in, without plug-ins. */
export const standardCatalog: Catalog = {
  plugins: [],
  rules: standardRules,
  methods: METHODS,
  boundMethods: boundMethodsOf(standardRules),
  certifiers: CERTIFIERS,
  objectives: OBJECTIVES,
  regularizers: REGULARIZERS,
  models: MODELS,
  datasets: DATASETS,
  initializers: INITIALIZERS,
  optimizers: OPTIMIZERS,
};

import { CertError, describeValue } from '@cert/core';
import {
  BATCH_NORMS,
  type Catalog,
  DEVICES,
  RAMPS,
  REG_SCHEDULES,
  standardCatalog,
  type Table,
} from '../catalog/catalog.js';
import { choose, unknownName } from '../names.js';
import { isAugmentation, NORMALIZATIONS } from './image-options.js';
import type { PluginRecord, RunConfig } from './run-config.js';

/** One field of a {@link RunConfig}: how the command calls it and what values it may have. */
export interface Field<T> {
  /** The option, as commander takes it. */
  readonly flag: string;
  /** The help text, without the default. */
  readonly help: string;
  /** A value from the command line. It need not be valid. */
  parse(text: string): T;
  /** The value of a run that was written before the field existed. */
  readonly before?: T;
  /** @throws CertError `bad-argument` naming the option */
  check(value: unknown, catalog: Catalog): void;
}

type Test = (value: unknown, catalog: Catalog) => boolean;

/** The option of a field, as messages call it. */
export const optionName = ({ flag }: { readonly flag: string }): string => flag.split(/[ ,]/)[0]!;

/** A field whose valid values pass a test. */
const field = <T>(flag: string, help: string, parse: (text: string) => T, wanted: string, test: Test): Field<T> => ({
  flag,
  help,
  parse,
  check(value, catalog) {
    if (test(value, catalog)) return;
    throw new CertError('bad-argument', `${optionName({ flag })} is ${describeValue(value)}.`, `Give ${wanted}.`);
  },
});

/** A value as a name; what is no text as JSON, which is the name of nothing. */
const asName = (value: unknown): string => (typeof value === 'string' ? value : describeValue(value));

/** A field whose value is a name in a table. */
const named = (flag: string, help: string, kind: string, table: Table<unknown>): Field<string> => ({
  flag,
  help: `${help}: ${Object.keys(table).join(', ')}`,
  parse: (text) => text,
  check(value) {
    choose(kind, asName(value), table);
  },
});

/** A field whose value is a name in a part of the catalog, where plug-ins add theirs. */
const listed = (
  flag: string,
  help: string,
  kind: string,
  part: Exclude<keyof Catalog, 'plugins' | 'rules'>,
): Field<string> => ({
  ...named(flag, help, kind, standardCatalog[part]),
  check(value, catalog) {
    const table: Table<unknown> = catalog[part];
    choose(kind, asName(value), table);
  },
});

/** A number that JSON holds; text that is none becomes NaN and fails its check. */
const toNumber = (text: string) => (text.trim() === '' ? Number.NaN : Number(text));
const orNone = (text: string) => (text === 'none' ? null : toNumber(text));
const isNumber = (value: unknown, least: number, most = Number.MAX_VALUE): value is number =>
  typeof value === 'number' && value >= least && value <= most;
const isCount = (value: unknown, least: number): boolean => Number.isSafeInteger(value) && (value as number) >= least;

const count = (flag: string, help: string, least = 1): Field<number> =>
  field(flag, help, toNumber, `a whole number of at least ${least}`, (value) => isCount(value, least));
const optionalCount = (flag: string, help: string): Field<number | null> =>
  field(flag, help, orNone, 'a positive whole number, or none', (value) => value === null || isCount(value, 1));
const amount = (flag: string, help: string, least: number, most?: number): Field<number> =>
  field(
    flag,
    help,
    toNumber,
    most === undefined ? `a finite number >= ${least}` : `a number from ${least} to ${most}`,
    (value) => isNumber(value, least, most),
  );
const list = <T>(flag: string, help: string, item: (text: string) => T, wanted: string, test: Test) =>
  field<readonly T[]>(
    flag,
    help,
    (text) => (text === 'none' ? [] : text.split(',').map((part) => item(part.trim()))),
    wanted,
    (value, catalog) => Array.isArray(value) && value.every((item) => test(item, catalog)),
  );

const REGULARIZER_NAMES = Object.keys(standardCatalog.regularizers).join(', ');

/** Whether a text is the name of a regularizer, or weight*name. */
function isRegularizer(item: string, { regularizers }: Catalog): boolean {
  const [name = '', weight = '1', ...rest] = item.split('*').reverse();
  return rest.length === 0 && Object.hasOwn(regularizers, name) && isNumber(toNumber(weight), 0);
}

/** The fields that options set; `preset` and `method` choose values for these. */
export type FieldName = Exclude<keyof RunConfig, 'preset' | 'method' | 'plugins'>;

/** Every field, in the order in which help shows them. */
export const FIELDS: { readonly [K in FieldName]: Field<RunConfig[K]> } = {
  dataset: listed('--dataset <name>', 'dataset', 'dataset', 'datasets'),
  data: field<string | null>(
    '--data <folder>',
    'folder with the files of the dataset (all but digits)',
    (text) => text,
    'a folder',
    (value) => value === null || typeof value === 'string',
  ),
  limit: optionalCount('--limit <images>', 'use only the first so many images of each split; "none": all'),
  model: listed('--model <name>', 'architecture', 'model', 'models'),
  normalize: {
    ...named(
      '--normalize <by>',
      "input normalization by the dataset's usual constants, the moments of the training images, or none",
      'input normalization',
      NORMALIZATIONS,
    ),
    before: 'usual',
  },
  augment: {
    ...field(
      '--augment <how>',
      'training images mirrored or shifted at random: flip, crop:4, flip,crop:4, none, or what is usual for the dataset',
      (text) => text,
      'flip, crop:PIXELS, both with a comma between them, none or usual',
      (value) => typeof value === 'string' && isAugmentation(value),
    ),
    before: 'usual',
  },
  width: optionalCount('--width <channels>', 'its first width; "none": its own'),
  dense: optionalCount('--dense <units>', 'its hidden dense layer; "none": its own'),
  batchNorm: {
    ...field<string | null>(
      '--bn, --batch-norm <where>',
      `BatchNorm nowhere, after convolutions or after hidden dense layers too: ${Object.keys(BATCH_NORMS).join(', ')}`,
      (text) => text,
      `one of ${Object.keys(BATCH_NORMS).join(', ')}`,
      (value) => value === null || (typeof value === 'string' && Object.hasOwn(BATCH_NORMS, value)),
    ),
    before: null,
  },
  init: listed('--init <name>', 'initialization', 'initialization', 'initializers'),
  epsilon: amount('--epsilon <radius>', 'radius of the l-infinity ball, pixels being 0 to 1', 0, 1),
  epochs: count('--epochs <n>', 'epochs; a preset fits its ramp and milestones to it'),
  batchSize: count('--batch-size <images>', 'images in a minibatch'),
  accumulate: {
    ...count('--accumulate <parts>', 'parts that a minibatch goes through in, to save memory; gradients are averaged'),
    before: 1,
  },
  schedule: named('--schedule <name>', 'ramp of the radius', 'schedule', RAMPS),
  rampStart: count('--ramp-start <epoch>', 'epoch in which the ramp begins, from 1; those before are natural'),
  rampLength: count('--ramp-length <epochs>', 'length of the ramp', 0),
  optimizer: listed('--optimizer <name>', 'optimizer', 'optimizer', 'optimizers'),
  momentum: amount('--momentum <factor>', 'momentum of sgd', 0, 1),
  learningRate: amount('--learning-rate <rate>', 'learning rate', 0),
  milestones: list(
    '--milestones <epochs>',
    'epochs after which the learning rate drops, as 8,10; "none": never',
    toNumber,
    'epochs >= 0 with commas between them, or none',
    (value) => isNumber(value, 0),
  ),
  learningRateFactor: amount('--learning-rate-factor <factor>', 'what it is multiplied by then', 0, 1),
  clipNorm: field<number | null>(
    '--clip-norm <norm>',
    'largest global norm of the gradients; "none": any',
    orNone,
    'a number > 0, or none',
    (value) => value === null || (isNumber(value, 0) && value > 0),
  ),
  objective: { ...listed('--objective <name>', 'what is minimized', 'objective', 'objectives'), before: 'robust' },
  bound: {
    ...listed('--bound <name>', 'how bounds are computed in training and in its tests', 'bound method', 'boundMethods'),
    before: 'ibp',
  },
  pgdSteps: { ...count('--pgd-steps <n>', 'steps of the attack that pgd trains on', 0), before: 7 },
  pgdStepSize: { ...amount('--pgd-step-size <radii>', 'their size, as a multiple of the radius', 0), before: 2.5 / 7 },
  regularizers: list(
    '--regularizers <names>',
    `regularizers, with commas, each alone or as weight*name: ${REGULARIZER_NAMES}; or "none"`,
    (text) => text,
    `names out of ${REGULARIZER_NAMES} and those of plug-ins, each alone or as weight*name, or none`,
    (value, catalog) => typeof value === 'string' && isRegularizer(value, catalog),
  ),
  regWeight: amount('--reg-weight <factor>', 'the weight of them all (lambda)', 0),
  regSchedule: {
    ...named(
      '--reg-schedule <name>',
      'their weight falls to 0 over the ramp (warmup), or stays',
      'weighting of regularizers',
      REG_SCHEDULES,
    ),
    before: 'warmup',
  },
  regTolerance: field(
    '--reg-tolerance <ratio>',
    'their tolerance',
    toNumber,
    'a number > 0',
    (value) => isNumber(value, 0) && value > 0,
  ),
  naturalWeight: amount('--natural-weight <factor>', 'weight of the natural loss beside the robust one', 0),
  seed: count('--seed <n>', 'seed of weights, batches and attack', 0),
  device: {
    ...named('--device <name>', '', 'device', DEVICES),
    help: `where to compute: ${Object.entries(DEVICES)
      .map(([name, about]) => `${name} (${about})`)
      .join(', ')}`,
  },
  attackSteps: count('--attack-steps <n>', 'steps of the PGD attack that the final evaluation runs', 1),
  attackRestarts: count('--attack-restarts <n>', 'random starts of the attack; 0: no attack', 0),
  evalBatchSize: count('--eval-batch-size <images>', 'images in a minibatch of the evaluation'),
};

/** The names of {@link FIELDS}. */
export const FIELD_NAMES = Object.keys(FIELDS) as FieldName[];

/** What fields were, before there was a choice. */
export const BEFORE = Object.fromEntries(
  FIELD_NAMES.flatMap((name) => (FIELDS[name].before === undefined ? [] : [[name, FIELDS[name].before]])),
);

/**
 * Checks a configuration, whole: every field is there and valid, no other is, and the fields fit together.
 *
 * @param config such as the content of a `config.json`; fields that did not exist when it was written get the value of then
 * @param source where it comes from, for messages
 * @param catalog what its names may stand for
 * @returns the same settings, complete
 * @throws CertError `bad-argument` naming the field
 */
export function checkConfig(
  config: unknown,
  source = 'the configuration',
  catalog: Catalog = standardCatalog,
): RunConfig {
  checkForm(config, source);
  const whole: object = { plugins: [], ...BEFORE, ...config };
  const values = whole as RunConfig;
  for (const name of KNOWN) {
    if (Object.hasOwn(values, name)) continue;
    throw new CertError('bad-argument', `${source} has no field "${name}".`, 'Use the whole config.json of a run.');
  }
  checkPlugins(values.plugins, source, catalog);
  for (const name of FIELD_NAMES) FIELDS[name].check(values[name], catalog);
  const end = values.rampStart + values.rampLength - 1;
  if (end > values.epochs) {
    throw new CertError(
      'bad-argument',
      `The ramp ends after epoch ${end} and training after epoch ${values.epochs}, so that the radius ${values.epsilon} is never reached.`,
      'Raise --epochs, or lower --ramp-start or --ramp-length.',
    );
  }
  return values;
}

const KNOWN: readonly string[] = ['preset', 'method', 'plugins', ...FIELD_NAMES];

/**
 * Checks what can be checked of a configuration before the plug-ins that it names are loaded: it is an object without unknown fields,
 * `preset` and `method` are names, `plugins` is a list of records.
 *
 * @throws CertError `bad-argument` naming the field
 */
export function checkForm(config: unknown, source: string): asserts config is { readonly [field: string]: unknown } {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new CertError('bad-argument', `${source} is no JSON object.`, 'Use the config.json of a run.');
  }
  const fields: { readonly [field: string]: unknown } = { ...config };
  for (const name of Object.keys(fields)) {
    if (!KNOWN.includes(name)) throw unknownName(`field in ${source}`, name, KNOWN);
  }
  for (const name of ['preset', 'method']) {
    if (fields[name] === undefined || typeof fields[name] === 'string') continue;
    throw new CertError(
      'bad-argument',
      `${source} has the ${name} ${describeValue(fields[name])}.`,
      `Give the name of a ${name}.`,
    );
  }
  const { plugins = [] } = fields;
  if (Array.isArray(plugins) && plugins.every(isPluginRecord)) return;
  throw new CertError(
    'bad-argument',
    `${source} has plugins ${describeValue(plugins)}.`,
    'Use the plugins of the config.json of a run: a list of { name, module, version }.',
  );
}

function isPluginRecord(item: unknown): item is PluginRecord {
  const { name, module, version } = (item ?? {}) as Partial<PluginRecord>;
  const textOrNull = (value: unknown) => value === null || typeof value === 'string';
  return typeof name === 'string' && textOrNull(module) && textOrNull(version);
}

/** @throws CertError `bad-argument` for a plug-in that is not in the catalog */
function checkPlugins(plugins: readonly PluginRecord[], source: string, catalog: Catalog): void {
  const missing = plugins.find(({ name }) => !catalog.plugins.some((plugin) => plugin.name === name));
  if (missing === undefined) return;
  throw new CertError(
    'bad-argument',
    `${source} needs the plug-in ${describeValue(missing.name)}, which was not passed in.`,
    'Give a catalog with it: withPlugins([plugin]).',
  );
}

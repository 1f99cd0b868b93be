import { CertError, describeValue } from '@cert/core';
import { type Catalog, standardCatalog } from '../catalog/catalog.js';
import { choose, unknownName } from '../names.js';
import { checkField } from './check-field.js';
import { checkConfig, checkFields, FIELD_NAMES } from './config.js';
import type { CommonField } from './field.js';
import { FIELDS } from './fields.js';
import { METHODS } from './methods.js';
import { asChoices, fieldsOf, refuseUnused, usedOptions } from './options.js';
import { PUBLISHED, type PublishedSchedule, TUNED } from './published.js';
import { checkRateSchedule } from './rate-schedule.js';
import type { RunConfig } from './run-config.js';

/** A named set of all settings, for a number of epochs. */
export interface Preset {
  /** Default number of epochs of the schedule. */
  readonly epochs: number;
  /** Default method. */
  readonly method: string;
  /**
   * Returns the settings that differ from the defaults, with ramp and milestones scaled to the number of epochs. Options of a catalog entry
   * apply only if the run uses the entry.
   */
  settings(epochs: number): PresetSettings;
}

/** Settings of a preset: fields without a default, and values that differ from the defaults. */
export type PresetSettings = Pick<
  RunConfig,
  'dataset' | 'model' | 'epsilon' | 'batchSize' | 'rampStart' | 'rampLength' | 'milestones'
> &
  Partial<Omit<RunConfig, 'preset' | 'method' | 'plugins' | 'epochs'>>;

/** A ramp over a fraction of the epochs; natural epochs before it where there is room. */
const shortRamp = (epochs: number, fraction: number, natural: number) => ({
  rampStart: epochs >= 4 ? natural + 1 : 1,
  rampLength: Math.max(1, Math.round(epochs * fraction)),
});

/**
 * The epochs after which the learning rate drops, at shares of all epochs. In a short training, drops that fall on one epoch are one, and
 * one before the first epoch or behind the last is none: training begins at the full rate.
 */
const milestonesAt = (epochs: number, shares: readonly number[]): readonly number[] =>
  // 0.7 of 90 is 62.99999999999999.
  [...new Set(shares.map((share) => Math.floor(epochs * share + 1e-9)))].filter(
    (epoch) => epoch >= 1 && epoch < epochs,
  );

const digitsQuick: Preset = {
  epochs: 12,
  method: 'fast',
  settings: (epochs) => ({
    ...shortRamp(epochs, 5 / 12, 1),
    dataset: 'digits',
    model: 'small-conv',
    epsilon: 0.1,
    batchSize: 64,
    learningRate: 2e-3,
    milestones: milestonesAt(epochs, [0.7, 0.9]),
  }),
};

/** Without a natural epoch, and with a ramp so short that plain IBP ends with one class for every image. */
const digitsDeep: Preset = {
  epochs: 8,
  method: 'fast',
  settings: (epochs) => ({
    ...shortRamp(epochs, 1 / 4, 0),
    dataset: 'digits',
    model: 'cnn7',
    width: 8,
    dense: 64,
    epsilon: 0.2,
    batchSize: 64,
    learningRate: 1e-3,
    milestones: milestonesAt(epochs, [6 / 8, 7 / 8]),
  }),
};

const tabularMlp: Preset = {
  epochs: 60,
  method: 'fast',
  settings: (epochs) => ({
    ...shortRamp(epochs, 1 / 2, 1),
    dataset: 'csv',
    model: 'mlp',
    epsilon: 0.1,
    batchSize: 32,
    learningRate: 1e-3,
    milestones: milestonesAt(epochs, [0.75, 0.9]),
  }),
};

/** How the paper trains on a dataset, in epochs of the whole schedule. */
interface PaperSchedule extends Omit<PublishedSchedule, 'model' | 'methods'> {
  /** What else differs from the defaults. */
  readonly others?: Partial<RunConfig>;
  /** The architectures by their name in the preset. */
  readonly models: { readonly [name: string]: string };
}

const models = { cnn7: 'cnn7', 'wide-resnet-8': 'wide-resnet-8', resnext: 'resnext' };
const tinyModels = {
  cnn7: 'cnn7-tiny-imagenet',
  'wide-resnet-8': 'wide-resnet-8-tiny-imagenet',
  resnext: 'resnext-tiny-imagenet',
};

/** 70 epochs for 28x28 images. */
const grey = { epochs: 70, natural: 0, rampLength: 20, milestones: [50, 60], batchSize: 256, models };

/** The attack that pgd trains on has steps of 2/255 at the radius 8/255. */
const cifar10 = {
  dataset: 'cifar10',
  epsilon: 8 / 255,
  natural: 1,
  batchSize: 128,
  models,
  others: { pgdStepSize: 0.25 },
};

const SCHEDULES: { readonly [name: string]: PaperSchedule } = {
  mnist: { ...grey, dataset: 'mnist', epsilon: 0.4 },
  'fashion-mnist': { ...grey, dataset: 'fashion-mnist', epsilon: 0.1 },
  cifar10: { ...cifar10, epochs: 160, rampLength: 80, milestones: [120, 140] },
  'cifar10-70': { ...cifar10, epochs: 70, rampLength: 20, milestones: [50, 60] },
  'tiny-imagenet': {
    ...{ dataset: 'tiny-imagenet', epsilon: 1 / 255, natural: 1, models: tinyModels },
    ...{ epochs: 80, rampLength: 20, milestones: [61, 71], batchSize: 128, others: { accumulate: 2, regWeight: 0.2 } },
  },
};

/** A schedule for an architecture and a method. */
const presetOf = (
  schedule: Omit<PublishedSchedule, 'model' | 'methods'>,
  model: string,
  method: string,
  others: Partial<RunConfig> = {},
): Preset => ({
  epochs: schedule.epochs,
  method,
  settings: (epochs) => ({
    ...shortRamp(epochs, schedule.rampLength / schedule.epochs, schedule.natural),
    dataset: schedule.dataset,
    model,
    epsilon: schedule.epsilon,
    batchSize: schedule.batchSize,
    milestones: milestonesAt(
      epochs,
      schedule.milestones.map((epoch) => epoch / schedule.epochs),
    ),
    ...others,
  }),
});

/**
 * The presets: `digits/quick`, `digits/deep` (a narrow CNN-7 at a large radius), `tabular/mlp` for a CSV file, and `<dataset>/<model>/<method>` for every schedule of the paper (`mnist`, `fashion-mnist`, `cifar10`,
 * `cifar10-70`, `tiny-imagenet`), architecture (`cnn7`, `wide-resnet-8`, `resnext`) and method of {@link METHODS}; CNN-7 as published since
 * (see `PUBLISHED` in the source), and `cifar10/cnn7/tuned` (see `TUNED`).
 */
export const PRESETS: { readonly [name: string]: Preset } = {
  'digits/quick': digitsQuick,
  'digits/deep': digitsDeep,
  'tabular/mlp': tabularMlp,
  ...Object.fromEntries(
    Object.entries(SCHEDULES).flatMap(([name, schedule]) =>
      Object.entries(schedule.models).flatMap(([shortName, model]) =>
        Object.keys(METHODS).map((method) => [
          `${name}/${shortName}/${method}`,
          presetOf(schedule, model, method, schedule.others),
        ]),
      ),
    ),
  ),
  ...Object.fromEntries(
    Object.entries(PUBLISHED).flatMap(([name, schedule]) =>
      Object.entries(schedule.methods).map(([method, settings]) => [
        `${name}/cnn7/${method}`,
        presetOf(schedule, schedule.model, method, { preciseBatchNorm: true, ...settings }),
      ]),
    ),
  ),
  'cifar10/cnn7/tuned': presetOf(TUNED, TUNED.model, 'fast', { preciseBatchNorm: true, ...TUNED.methods.fast }),
};

/** Names of {@link PRESETS}, for help texts. */
export const PRESET_NAMES = `digits/quick, digits/deep, tabular/mlp, cifar10/cnn7/tuned, <dataset>/<model>/<method> of ${[
  SCHEDULES,
  models,
  METHODS,
]
  .map((table) => Object.keys(table).join(' '))
  .join(
    ' / ',
  )}, or ${Object.keys(PUBLISHED).join(' ')} / cnn7 / ${Object.keys(PUBLISHED['mnist-eps0.1']!.methods).join(' ')}`;

/**
 * Returns the radius of the presets for a dataset: 0.1 for `digits`, `csv` (standard deviations) and `fashion-mnist`, 0.4 for `mnist`, 8/255 for `cifar10`, 1/255 for
 * `tiny-imagenet`.
 *
 * @returns undefined for a dataset without presets
 */
export function usualEpsilon(dataset: string): number | undefined {
  const { epsilon } = Object.values(SCHEDULES).find((schedule) => schedule.dataset === dataset) ?? {};
  return dataset === 'digits' || dataset === 'csv' ? 0.1 : epsilon;
}

/** Settings chosen by the user. Missing settings come from the method, then from the preset. */
export type Choices = { readonly [K in Exclude<keyof RunConfig, 'plugins'>]?: RunConfig[K] | undefined };

/** @throws CertError `bad-argument` with suggestions: for a part of a name, such as `mnist`, presets of the method of the paper */
function choosePreset(name: string): Preset {
  if (Object.hasOwn(PRESETS, name)) return PRESETS[name]!;
  const [fast, others] = [true, false].map((wanted) =>
    Object.keys(PRESETS).filter((known) => known.endsWith('/fast') === wanted),
  );
  throw unknownName('preset', name, [...fast!, ...others!], PRESET_NAMES);
}

/**
 * Returns the complete configuration for a set of choices.
 *
 * If `dataset` differs from the preset and `epsilon` is missing, the radius comes from {@link usualEpsilon}; for a dataset without a usual
 * radius, the radius of the preset is kept, so give `epsilon`.
 *
 * @param choices plug-in options go into `options`: `{ objective: 'smooth', options: { smoothKappa: 0.3 } }`
 * @param catalog catalog for names; the run records its plug-ins
 * @throws CertError `bad-argument` for an unknown name (with suggestions), an invalid value, or an option of an entry that the run does not
 * use, naming the option
 */
export function resolveConfig(choices: Choices = {}, catalog: Catalog = standardCatalog): RunConfig {
  const { preset = 'digits/quick' } = choices;
  const { epochs: usual, method: own, settings } = choosePreset(preset);
  const { method = own } = choices;
  const changes = choose('method', method, catalog.methods);
  const epochs = choices.epochs ?? usual;
  checkField('epochs', FIELDS.epochs, epochs, catalog);
  const chosen = settingsIn(choices);
  const known = [...Object.keys(fieldsOf(catalog)), 'preset', 'method'];
  for (const name of [...Object.keys(settingsIn(changes)), ...Object.keys(chosen)]) {
    if (!known.includes(name)) throw unknownName('option', name, known);
  }
  const usualSettings = settings(epochs);
  const { dataset = usualSettings.dataset } = choices;
  const another = dataset === usualSettings.dataset ? undefined : usualEpsilon(dataset);
  const { objective = FIELDS.objective.default } = changes;
  const layers: { readonly [name: string]: unknown } = {
    ...settingsIn(usualSettings),
    ...(another !== undefined && { epsilon: another }),
    ...settingsIn(changes),
    ...(choices.csvTask === 'regression' && { objective: OF_REGRESSION[objective] ?? objective }),
    ...chosen,
    epochs,
  };
  // The milestones of a preset are for the schedule that has some.
  const { rateSchedule = FIELDS.rateSchedule.default } = layers;
  const keep = rateSchedule === 'steps' || Object.hasOwn(chosen, 'milestones');
  const settled: { readonly [name: string]: unknown } = { ...layers, ...(keep ? {} : { milestones: [] }) };
  const value = (name: string, field: CommonField): unknown =>
    Object.hasOwn(settled, name) ? settled[name] : field.default;
  const common: { readonly [name: string]: unknown } = Object.fromEntries(
    FIELD_NAMES.map((name) => [name, value(name, FIELDS[name])]),
  );
  checkFields(common, catalog);
  refuseUnused(Object.keys(chosen), common, catalog);
  checkRateSchedule(common, Object.keys(chosen));
  if (common.warmStart !== null && Object.hasOwn(chosen, 'init')) {
    throw new CertError(
      'bad-argument',
      `An initialization (${describeValue(chosen.init)}) and --warm-start were both given.`,
      'Leave out --init (or --no-init) to start from the checkpoint, or leave out --warm-start.',
    );
  }
  const options = Object.entries(usedOptions(common, catalog)).map(
    ([name, field]) => [name, value(name, field)] as const,
  );
  const { plugins } = catalog;
  const config = { preset, method, plugins, options: {}, ...common, ...asChoices(Object.fromEntries(options)) };
  return checkConfig(config, 'the configuration', catalog);
}

/** The objectives of a method for a regression, by those for classes. */
const OF_REGRESSION: { readonly [objective: string]: string } = { natural: 'squared', robust: 'interval' };

/** Settings as values by their names, those in `options` beside the others. */
function settingsIn(settings: Partial<Choices>): { readonly [name: string]: unknown } {
  const { options = {}, ...others } = settings;
  return Object.fromEntries(Object.entries({ ...others, ...options }).filter(([, value]) => value !== undefined));
}

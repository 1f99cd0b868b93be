import type { Rules } from '@cert/bounds';
import {
  type BoundMethod,
  CertError,
  type HostBatch,
  type Model,
  type Perturbation,
  type Regularizer,
  withLabelUnits,
} from '@cert/core';
import { batchCount, batches, type Dataset, holdOut, type Split, subset } from '@cert/datasets';
import { loadBatches } from '@cert/datasets/node';
import type { Initializer } from '@cert/init';
import { weightedSum } from '@cert/regularizers';
import { type ClassWeights, checkWeighted, weightByClass } from '../../class-weights.js';
import type { Optimizer } from '../../optimizers/optimizer.js';
import type { Plan } from '../../plan.js';
import { checkTask, type Regression } from '../../regression.js';
import type { Schedule } from '../../schedules/schedule.js';
import { type HostState, initialState } from '../../state.js';
import { type Catalog, standardCatalog } from '../catalog/catalog.js';
import type { DatasetContext } from '../catalog/datasets.js';
import { makeEntry } from '../catalog/entry.js';
import { RAMPS, RATE_SCHEDULES, REG_SCHEDULES } from '../catalog/schedules.js';
import { averageOf } from '../config/averaging.js';
import { classWeightsOf } from '../config/class-weights.js';
import { augmentationOf, NORMALIZATIONS } from '../config/image-options.js';
import { makeNamed, valueOfOption } from '../config/options.js';
import { perturbationOf } from '../config/perturbation.js';
import type { RunConfig } from '../config/run-config.js';
import { choose } from '../names.js';
import { type DataFacts, factsOf } from './data-facts.js';
import type { MonitoredName } from './metrics-lines.js';
import { type EvaluatedAs, evaluatedAs, toleranceOf } from './regression.js';
import type { WarmStart } from './warm-start.js';

/** What a configuration stands for: the values that its names and numbers mean. */
export interface Experiment {
  readonly model: Model;
  /** The rules of its ops. */
  readonly rules: Rules;
  /** How bounds are computed. */
  readonly method: BoundMethod;
  /** The plain forward pass. */
  readonly natural: Rules['natural'];
  readonly optimizer: Optimizer;
  readonly regularizers: readonly Regularizer[];
  readonly plan: Plan;
  /** The weight of the parameters after each step in their average; undefined for no average. */
  readonly average: Schedule | undefined;
  /** Parts that a minibatch goes through in. */
  readonly parts: number;
  /** Weight of the L1 term. */
  readonly l1Weight: number;
  /** The radius of a test beside a radius of training. */
  testEpsilon(trained: number): number;
  readonly seed: number;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  /** The set around each image, at the target radius. */
  readonly perturbation: Perturbation;
  /** For a regression: its tolerance and the unit of its errors. */
  readonly regression: Regression | undefined;
  /** What the tests of the run evaluate. */
  readonly evaluated: EvaluatedAs;
  /** What checkpoints say about the dataset. */
  readonly facts: DataFacts | null;
  batches(epoch: number, from: number): Iterable<HostBatch> | AsyncIterable<HostBatch>;
  /**
   * The training images for population statistics: as they are, in one random order, so that no batch of a sorted dataset is of one class, and in
   * batches of the size that BatchNorm sees in training.
   */
  populationBatches(): Iterable<HostBatch>;
  /** The test images in order. */
  testBatches(): Iterable<HostBatch>;
  readonly test: Split;
  /** What each epoch is tested on, and `best` is chosen on. */
  readonly monitored: Monitored;
  readonly trainImages: number;
  readonly testImages: number;
}

/** The images that epochs are tested on: those that `validation` holds out of the training images, or the test images. */
interface Monitored {
  readonly name: MonitoredName;
  readonly split: Split;
  /** The images in order. */
  batches(): Iterable<HostBatch>;
}

/**
 * Reads the dataset of a configuration, up to `limit` images. Missing dataset options have their defaults.
 *
 * @param onDecoded called after each decoded image with the number of decoded images and the total
 * @throws CertError of the dataset: `missing-package`, `bad-file`, `no-network`
 */
export const loadData = (
  config: Pick<RunConfig, 'dataset' | 'limit'> & Partial<RunConfig>,
  onDecoded?: (images: number, of: number) => void,
  catalog: Pick<Catalog, 'datasets'> = standardCatalog,
): Promise<Dataset> => readDataset(config, { onProgress: onDecoded }, catalog);

/**
 * Like {@link loadData}, without training images, whose files may be missing.
 *
 * @param onDecoded called after each decoded image with the number of decoded images and the total
 * @throws CertError of the dataset: `missing-package`, `bad-file`, `no-network`
 */
export const loadTestData = (
  config: Pick<RunConfig, 'dataset' | 'limit'> & Partial<RunConfig>,
  onDecoded?: (images: number, of: number) => void,
  catalog: Pick<Catalog, 'datasets'> = standardCatalog,
): Promise<Omit<Dataset, 'train'>> => readDataset(config, { onProgress: onDecoded, splits: 'test' }, catalog);

async function readDataset(
  config: Pick<RunConfig, 'dataset' | 'limit'> & Partial<RunConfig>,
  context: DatasetContext,
  { datasets }: Pick<Catalog, 'datasets'>,
): Promise<Dataset> {
  const { dataset, limit } = config;
  const wanted = { ...context, ...(limit !== null && { limit }) };
  const whole = await makeNamed('dataset', dataset, datasets, config, wanted);
  const cut = (split: Split) => (limit === null ? split : subset(split, limit));
  return { ...whole, train: cut(whole.train), test: cut(whole.test) };
}

/** Builds everything that training needs. */
export function buildExperiment(config: RunConfig, whole: Dataset, catalog: Catalog = standardCatalog): Experiment {
  const { rules } = catalog;
  const { dataset, validation } = withValidation(config, whole);
  const { train, test } = dataset;
  const normalize = NORMALIZATIONS[config.normalize](dataset);
  const augment = augmentationOf(config.augment, dataset.augment);
  const { shape: inputShape, classes } = train;
  const { batchSize, seed, epochs, rampStart, rampLength, epsilon, trainRadius } = config;
  const targetEpsilon = epsilon * trainRadius;
  const made = makeNamed('model', config.model, catalog.models, config, { inputShape, classes, normalize });
  const { target } = dataset;
  const model = target === undefined ? made : withLabelUnits(made, target);
  const delta = toleranceOf(config, dataset);
  const perturbation = perturbationOf(config, { ...dataset, shape: inputShape });
  const evaluated = evaluatedAs({ model, perturbation, test }, delta);
  const stepsPerEpoch = batchCount(train, batchSize);
  const ramp = { start: rampStart, length: rampLength };
  const classWeights = classWeightsOf(config.classWeights, train, dataset.classNames);
  const objective = makeNamed('objective', config.objective, catalog.objectives, config, {
    backward: rules.linearRelaxation,
    ibp: rules.ibp,
    targetScale: target?.std,
  });
  // What an objective of the ramp does not support is said before the first step.
  for (const ramp of [1, 0.5, 0]) {
    checkTask(objective(ramp), target && 'regression');
    objective(ramp).check?.(model, perturbation);
    if (classWeights !== null) checkWeighted(objective(ramp));
  }
  const weighting = REG_SCHEDULES[config.regSchedule];
  const inOrder = (split: Split) => () => batches(split, { batchSize: config.evalBatchSize, shuffle: false });
  const tested = (split: Split) => inOrder(evaluatedAs({ model, perturbation, test: split }, delta).test);
  return {
    model,
    rules,
    method: choose('bound method', config.bound, catalog.boundMethods),
    natural: rules.natural,
    optimizer: makeNamed('optimizer', config.optimizer, catalog.optimizers, config, undefined),
    regularizers: config.regularizers.map((item) => regularizerOf(item, config, catalog)),
    plan: {
      objective,
      epsilon: RAMPS[config.schedule]({ ...ramp, target: targetEpsilon, stepsPerEpoch }),
      targetEpsilon,
      learningRate: RATE_SCHEDULES[config.rateSchedule]({
        base: config.learningRate,
        milestones: config.milestones,
        factor: config.learningRateFactor,
        warmup: config.rateWarmup,
        epochs,
        stepsPerEpoch,
      }),
      regWeight: weighting.weight(config.regWeight),
      regularizedSteps: config.regWeight === 0 ? 0 : weighting.epochs(ramp) * stepsPerEpoch,
    },
    average: averageOf(config, stepsPerEpoch),
    parts: config.accumulate,
    l1Weight: config.l1,
    testEpsilon: (trained) => (trained === targetEpsilon ? epsilon : trained / trainRadius),
    seed,
    epochs,
    stepsPerEpoch,
    perturbation,
    regression: target === undefined || delta === null ? undefined : { delta, scale: target.std },
    evaluated,
    facts: factsOf(dataset),
    batches: (epoch, from) => {
      const order = { batchSize, seed, epoch, from };
      const plain = augment === undefined ? batches(train, order) : loadBatches(train, { ...order, augment });
      return classWeights === null ? plain : weighted(plain, classWeights);
    },
    populationBatches: () => batches(train, { batchSize: Math.ceil(batchSize / config.accumulate), seed }),
    testBatches: inOrder(evaluated.test),
    test,
    monitored:
      validation === null
        ? { name: 'test', split: test, batches: tested(test) }
        : { name: 'validation', split: validation, batches: tested(validation) },
    trainImages: train.count,
    testImages: test.count,
  };
}

/** The dataset without the training images that `validation` holds out, and these. */
function withValidation(
  { validation: fraction, seed }: RunConfig,
  dataset: Dataset,
): { readonly dataset: Dataset; readonly validation: Split | null } {
  if (fraction === 0) return { dataset, validation: null };
  const { train, trainTimes } = dataset;
  const { rest, held } = holdOut(train, { fraction, seed, times: trainTimes?.slice(0, train.count) });
  return { dataset: { ...dataset, train: rest }, validation: held };
}

async function* weighted(plain: Iterable<HostBatch> | AsyncIterable<HostBatch>, weights: ClassWeights) {
  for await (const batch of plain) yield weightByClass(batch, weights);
}

/** The regularizer that a configuration calls `name`, or `weight*name`. */
function regularizerOf(item: string, config: RunConfig, { regularizers }: Catalog): Regularizer {
  const [name = '', weight = '1'] = item.split('*').reverse();
  const regularizer = makeNamed('regularizer', name, regularizers, config, undefined);
  return weight === '1' ? regularizer : weightedSum([[Number(weight), regularizer]]);
}

/** Returns an initializer by name, with the option values of the configuration. */
export function initializerOf(
  name: string,
  config: Partial<RunConfig>,
  initializers: Catalog['initializers'],
): Initializer {
  const entry = choose('initialization', name, initializers);
  return typeof entry === 'function'
    ? entry
    : makeEntry(entry, (option, field) => valueOfOption(config, option, field), undefined);
}

/** The state before the first step: the weights of a warm start, or those of the configuration's initialization and seed. */
export const startState = (
  config: RunConfig,
  { model, optimizer }: Experiment,
  { initializers }: Pick<Catalog, 'initializers'> = standardCatalog,
  warm: WarmStart | null = null,
): HostState =>
  warm === null
    ? initialState(model, initializerOf(config.init, config, initializers)(model, config.seed), optimizer)
    : { params: warm.params, stats: warm.stats, optimizer: optimizer.init(warm.params) };

const outputs = (classes: number) => (classes === 1 ? 'a number to predict' : `${classes} classes`);

/**
 * Checks that the images and classes of a split fit a model.
 *
 * @throws CertError `shape-mismatch` with both
 */
export function checkDataFits(model: Model, split: Split, name: string): void {
  const same = split.shape.length === model.inputShape.length && split.shape.every((n, i) => n === model.inputShape[i]);
  if (same && split.classes === model.classes) return;
  throw new CertError(
    'shape-mismatch',
    `The model takes inputs of shape [${model.inputShape}] and has ${outputs(model.classes)}, but ${name} has inputs of shape [${split.shape}] and ${outputs(split.classes)}.`,
    'Evaluate on the dataset that the model was trained on, or train a model on this dataset.',
  );
}

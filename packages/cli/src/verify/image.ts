import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import {
  CertError,
  categoryVariants,
  linf,
  type Model,
  outputInterval,
  type Perturbation,
  type Property,
  perturbationEnds,
  sizeOf,
  topK,
} from '@cert/core';
import type { Dataset } from '@cert/datasets';
import { type Device, disposeTree, putParams } from '@cert/jit';
import {
  type ExampleWords,
  exampleWords,
  loadTestData,
  number,
  type PerturbedData,
  perturbationOf,
  type RunConfig,
  radiusText,
  readRunConfig,
  readRunPlugins,
  resolveConfig,
  runFiles,
  standardCatalog,
  toleranceOf,
} from '@cert/trainer/pipeline';
import { createPointCertifier } from '@cert/verify';
import { withDataset } from '../commands/dataset-option.js';
import { canonical, type RawOptions } from '../commands/options.js';
import { readLabel } from '../commands/read-label.js';
import { refuseLabel } from '../predict/predict-value.js';
import { rowInputs } from '../predict/row-inputs.js';
import { dataFactsOf, trainedFor } from '../runs/checkpoint-facts.js';
import { className } from '../show/class-name.js';
import { fits } from './fits.js';
import { loadNetwork, type VerifiedNetwork } from './network.js';
import { readNumber, readRadius } from './read-number.js';

/** Options of {@link imageProperty}. */
export interface ImageOptions {
  /** Of the network. */
  readonly path: string;
  readonly raw: RawOptions;
  readonly device: Device;
  /** Which image of the test split. */
  readonly index: number;
}

/** An image, and how far from it its label must win. */
export interface BallOfImage {
  readonly pixels: Float32Array;
  readonly label: number;
  /** For a regression: its label, and the distance to it from which a prediction is wrong. */
  readonly tolerance?: { readonly target: number; readonly delta: number };
  /** What may change. */
  readonly perturbation: Perturbation;
  /** What it and its numbers are called. */
  readonly words: ExampleWords;
  /** Where it is from. */
  readonly source: { readonly index: number; readonly dataset: string };
}

/** What is to be decided around one example, and how it is told of. */
export interface BallProblem {
  readonly loaded: VerifiedNetwork;
  readonly property: Property;
  readonly ball: BallOfImage;
  readonly about: string;
  readonly classNames: readonly string[] | undefined;
}

/** The robustness of a network at one image of a dataset: its label wins everywhere in the ball. */
export async function imageProperty({ path, raw, device, index }: ImageOptions): Promise<BallProblem> {
  const loaded = await loadNetwork(path, device, { logits: true });
  const config = await configOf(path, raw, loaded);
  const data = await loadTestData(config);
  const { test, classNames } = data;
  const { model } = loaded.network;
  const size = sizeOf(test.shape);
  if (!fits(test.shape, model.inputShape)) {
    throw new CertError(
      'shape-mismatch',
      `Inputs of "${config.dataset}" have the shape [${test.shape}], but the network takes [${model.inputShape}].`,
      'Give the dataset that the network was trained on: --dataset NAME.',
    );
  }
  checkIndex(index, test.count);
  const tolerance = toleranceAt(data, index, { ...config, delta: deltaOf(raw, config) });
  if (tolerance !== undefined) refuseLabel(raw.label);
  const label = raw.label === undefined ? test.labels[index]! : readLabel(raw.label, model.classes, classNames);
  const pixels = Float32Array.from(test.images.subarray(index * size, (index + 1) * size), (x) => x * test.scale);
  const source = { index, dataset: config.dataset };
  return ballProblem({ loaded, config, data, raw, target: 'label', example: { pixels, label, tolerance, source } });
}

/**
 * The robustness of a network at one row of a CSV file, which has no label: the class that the network predicts wins everywhere in the
 * perturbation set, or the number that it predicts stays within the tolerance.
 *
 * @param file the table; what its columns mean is known from the checkpoint, else from the dataset
 */
export async function rowProperty({ path, raw, device, index, file }: ImageOptions & { readonly file: string }) {
  const loaded = await loadNetwork(path, device, { logits: true });
  const config = await configOf(path, raw, loaded);
  const { model } = loaded.network;
  const facts = raw.dataset === undefined ? dataFactsOf(loaded) : undefined;
  const data = facts?.rows
    ? { ...facts, ...facts.rows, name: config.dataset, target: facts.rows.target ?? undefined }
    : await loadTestData(config);
  const rows = await rowInputs(file, model, data);
  checkIndex(index, rows.length);
  const { pixels } = rows[index]!;
  const logits = await logitsAt(device, loaded, pixels);
  const delta = toleranceOf({ ...config, delta: deltaOf(raw, config) }, data);
  if (delta !== null) refuseLabel(raw.label);
  const label =
    raw.label === undefined
      ? logits.indexOf(Math.max(...logits))
      : readLabel(raw.label, model.classes, data.classNames);
  const tolerance = delta === null ? undefined : { target: logits[0]!, delta };
  const source = { index, dataset: basename(file) };
  return ballProblem({
    loaded,
    config,
    data,
    raw,
    target: 'prediction',
    example: { pixels, label, tolerance, source },
  });
}

/** @throws CertError `not-finite` for outputs that are not */
async function logitsAt(device: Device, { network }: VerifiedNetwork, pixels: Float32Array): Promise<number[]> {
  const { model, params, stats } = network;
  const weights = { params: putParams(device, params), stats: putParams(device, stats) };
  const perturbation = linf({ epsilon: 0, range: null });
  const point = createPointCertifier({ device, model, weights, perturbation, verifiers: [] });
  try {
    const logits = Array.from(await point.logits(pixels));
    if (logits.every(Number.isFinite)) return logits;
    throw new CertError('not-finite', 'The network has a NaN or infinite output at this row.', 'Check the row.');
  } finally {
    await point.dispose();
    disposeTree(weights);
  }
}

function checkIndex(index: number, count: number): void {
  if (Number.isInteger(index) && index < count) return;
  throw new CertError('bad-argument', `--index is ${index}.`, `Give a whole number from 0 to ${count - 1}.`);
}

/** The property of an example with what its dataset and its run say. */
function ballProblem({
  loaded,
  config,
  data,
  raw,
  target,
  example: { tolerance, ...example },
}: {
  readonly loaded: VerifiedNetwork;
  readonly config: RunConfig;
  readonly data: Omit<PerturbedData, 'shape'> & Pick<Dataset, 'classNames'>;
  readonly raw: RawOptions;
  /** What the number in the middle of the tolerance is. */
  readonly target: 'label' | 'prediction';
  readonly example: Pick<BallOfImage, 'pixels' | 'label' | 'source'> & {
    readonly tolerance: BallOfImage['tolerance'] | undefined;
  };
}): BallProblem {
  const { model } = loaded.network;
  const { classNames } = data;
  const epsilon = raw.epsilon === undefined ? config.epsilon : readRadius('--epsilon', raw.epsilon);
  const words = exampleWords(config.dataset, model.inputShape);
  const { one } = words;
  const { index, dataset } = example.source;
  const answer =
    tolerance === undefined
      ? className(example.label, classNames)
      : `${target} ${number(tolerance.target)}, tolerance ${number(tolerance.delta)}`;
  const about = `${one.slice(0, 1).toUpperCase()}${one.slice(1)} ${index} of ${dataset}, ${answer}, epsilon ${raw.epsilon ?? radiusText(epsilon)}. `;
  const perturbation = perturbationOf({ ...config, epsilon }, { ...data, shape: model.inputShape });
  const ball = { ...example, ...(tolerance && { tolerance }), perturbation, words };
  return { loaded, property: robustness(ball, model), ball, about, classNames };
}

/** The tolerance that was given, or that of the run. */
const deltaOf = ({ delta }: RawOptions, config: RunConfig): number | null =>
  delta === undefined ? config.delta : readNumber('--delta', delta);

/** The label of an example of a regression, and its tolerance; undefined for a dataset with classes. */
export function toleranceAt(
  data: Pick<Dataset, 'test' | 'target'>,
  index: number,
  config: Pick<RunConfig, 'dataset' | 'delta'>,
): BallOfImage['tolerance'] {
  const delta = toleranceOf(config, data);
  return delta === null ? undefined : { target: data.test.targets![index]!, delta };
}

/** The configuration of the run that a path leads to, or what an exported checkpoint says of it, with another dataset where one is given. */
async function configOf(path: string, raw: RawOptions, loaded: VerifiedNetwork): Promise<RunConfig> {
  const dataset = canonical(raw.dataset, standardCatalog.datasets);
  const isRun = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
  const { bytes, path: file, format } = loaded.source;
  const ofFile = format === 'checkpoint' && !isRun && dataset === undefined;
  const says = ofFile ? trainedFor(bytes, file, standardCatalog) : {};
  if (!isRun && dataset === undefined && says.dataset === undefined) {
    throw new CertError(
      'bad-argument',
      '--index was given without a dataset, and the network file does not name one.',
      'Give --dataset NAME and --epsilon RADIUS, or the folder of a run.',
    );
  }
  if (isRun) await refusePlugins(path);
  const config = isRun ? await readRunConfig(path) : resolveConfig();
  return withDataset(says.dataset === undefined ? config : { ...config, ...says, limit: null }, raw, standardCatalog);
}

/** @throws CertError `bad-argument` for a run whose configuration needs a plug-in, which this command does not load */
async function refusePlugins(folder: string): Promise<void> {
  const [plugin] = await readRunPlugins(folder);
  if (plugin === undefined) return;
  throw new CertError(
    'bad-argument',
    `${folder} was trained with the plug-in "${plugin.name}", and cert verify loads no plug-ins.`,
    `Give the checkpoint alone, ${runFiles(folder).last}, with --index N, --dataset NAME and --epsilon RADIUS.`,
  );
}

/**
 * What must hold around an example: its label has the largest logit, or for a regression the prediction is within the tolerance of its label.
 * Where categories change, the property has a box for each combination of categories; for a Euclidean ball, it is about the box around it.
 *
 * @throws CertError `bad-argument` for a network of one output without a tolerance, of which nothing could be violated; `bad-data` for
 * categories that are not one-hot
 */
export function robustness({ pixels, perturbation, label, tolerance }: BallOfImage, model: Model): Property {
  const { classes, inputShape } = model;
  if (classes === 1 && tolerance === undefined) {
    throw new CertError(
      'bad-argument',
      'The network has one output, and the dataset has classes.',
      'Give a dataset whose label is a number: the run of a regression.',
    );
  }
  const variants =
    perturbation.kind === 'linf' && perturbation.categories.length > 0
      ? categoryVariants(perturbation, pixels, inputShape)
      : { inputs: [pixels], perturbation };
  const properties = variants.inputs.map((input) => {
    const box = perturbationEnds(variants.perturbation, input, inputShape);
    if (tolerance === undefined) return topK(box, { label, classes });
    const { target, delta } = tolerance;
    return outputInterval(box, { outputs: classes, min: target - delta, max: target + delta });
  });
  return { inputs: pixels.length, outputs: classes, cases: properties.flatMap(({ cases }) => cases) };
}

import { stat } from 'node:fs/promises';
import {
  CertError,
  type Model,
  type Perturbation,
  type Property,
  perturbationEnds,
  type Shape,
  sizeOf,
} from '@cert/core';
import type { Device } from '@cert/jit';
import {
  type ExampleWords,
  exampleWords,
  loadTestData,
  perturbationOf,
  type RunConfig,
  radiusText,
  readRunConfig,
  readRunPlugins,
  resolveConfig,
  runFiles,
  standardCatalog,
} from '@cert/trainer/pipeline';
import { canonical, type RawOptions } from '../commands/options.js';
import { readLabel } from '../commands/read-label.js';
import { className } from '../show/class-name.js';
import { loadNetwork, type VerifiedNetwork } from './network.js';
import { readRadius } from './read-number.js';

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
  /** What may change. */
  readonly perturbation: Perturbation;
  /** What it and its numbers are called. */
  readonly words: ExampleWords;
  /** Where it is from. */
  readonly source: { readonly index: number; readonly dataset: string };
}

/** The robustness of a network at one image of a dataset: its label wins everywhere in the ball. */
export async function imageProperty({ path, raw, device, index }: ImageOptions): Promise<{
  readonly loaded: VerifiedNetwork;
  readonly property: Property;
  readonly ball: BallOfImage;
  readonly about: string;
  readonly classNames: readonly string[] | undefined;
}> {
  const loaded = await loadNetwork(path, device, { logits: true });
  const config = await configOf(path, raw);
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
  if (!Number.isInteger(index) || index >= test.count) {
    throw new CertError('bad-argument', `--index is ${index}.`, `Give a whole number from 0 to ${test.count - 1}.`);
  }
  const label = raw.label === undefined ? test.labels[index]! : readLabel(raw.label, model.classes, classNames);
  const epsilon = raw.epsilon === undefined ? config.epsilon : readRadius('--epsilon', raw.epsilon);
  const pixels = Float32Array.from(test.images.subarray(index * size, (index + 1) * size), (x) => x * test.scale);
  const words = exampleWords(config.dataset, model.inputShape);
  const { one } = words;
  const about = `${one.slice(0, 1).toUpperCase()}${one.slice(1)} ${index} of ${config.dataset}, ${className(label, classNames)}, epsilon ${raw.epsilon ?? radiusText(epsilon)}. `;
  const perturbation = perturbationOf({ ...config, epsilon }, { ...data, shape: model.inputShape });
  const ball = { pixels, label, perturbation, words, source: { index, dataset: config.dataset } };
  return { loaded, property: robustness(ball, model), ball, about, classNames };
}

/** Whether the pixels of an image are the inputs of a network, in the same order. Colours in a row might be ordered in two ways. */
export const fits = (image: Shape, input: Shape): boolean =>
  sizeOf(image) === sizeOf(input) && (image.join() === input.join() || image.length === 1 || image.at(-1) === 1);

/** The configuration of the run that a path leads to, with another dataset where one is given. */
async function configOf(path: string, raw: RawOptions): Promise<RunConfig> {
  const dataset = canonical(raw.dataset, standardCatalog.datasets);
  const isRun = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
  if (!isRun && dataset === undefined) {
    throw new CertError(
      'bad-argument',
      '--index was given without a dataset, and a network file does not name one.',
      'Give --dataset NAME and --epsilon RADIUS, or the folder of a run.',
    );
  }
  if (isRun) await refusePlugins(path);
  const config = isRun ? await readRunConfig(path) : resolveConfig();
  return dataset === undefined ? config : { ...config, dataset, limit: null };
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
 * That the label's logit is larger than every other one in the box of a perturbation set.
 *
 * @throws CertError `bad-argument` for a Euclidean set, whose box has points outside of it
 */
export function robustness({ pixels, perturbation, label }: BallOfImage, { classes, inputShape }: Model): Property {
  if (perturbation.kind === 'l2' || perturbation.categories.length > 0) {
    throw new CertError(
      'bad-argument',
      `Properties are about boxes, but the perturbation set ${perturbation.kind === 'l2' ? 'is Euclidean (l2)' : 'has categories that change'}.`,
      'Use cert eval, whose bound methods support it.',
    );
  }
  const { lower, upper } = perturbationEnds(perturbation, pixels, inputShape);
  const others = Array.from({ length: classes }, (_, j) => j).filter((j) => j !== label);
  const cases = others.map((other) => {
    const coefficients = new Float64Array(classes);
    coefficients[label] = 1;
    coefficients[other] = -1;
    return { lower, upper, outputs: [{ coefficients, bound: 0 }] };
  });
  return { inputs: pixels.length, outputs: classes, cases };
}

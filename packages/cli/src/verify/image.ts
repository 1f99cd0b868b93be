import { stat } from 'node:fs/promises';
import { CertError, type Property, type Shape, sizeOf } from '@cert/core';
import type { Device } from '@cert/jit';
import {
  loadTestData,
  type RunConfig,
  radiusText,
  readRunConfig,
  readRunPlugins,
  resolveConfig,
  runFiles,
  standardCatalog,
} from '@cert/trainer/pipeline';
import { canonical, type RawOptions } from '../commands/options.js';
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
  readonly epsilon: number;
  readonly range: { readonly min: number; readonly max: number } | null;
  /** Where it is from. */
  readonly source: { readonly index: number; readonly dataset: string };
}

/** The robustness of a network at one image of a dataset: its label wins everywhere in the ball. */
export async function imageProperty({ path, raw, device, index }: ImageOptions): Promise<{
  readonly loaded: VerifiedNetwork;
  readonly property: Property;
  readonly ball: BallOfImage;
  readonly about: string;
}> {
  const loaded = await loadNetwork(path, device, { logits: true });
  const config = await configOf(path, raw);
  const { test, range } = await loadTestData(config);
  const { model } = loaded.network;
  const size = sizeOf(test.shape);
  if (!fits(test.shape, model.inputShape)) {
    throw new CertError(
      'shape-mismatch',
      `Images of "${config.dataset}" have the shape [${test.shape}], but the network takes [${model.inputShape}].`,
      'Give the dataset that the network was trained on: --dataset NAME.',
    );
  }
  if (!Number.isInteger(index) || index >= test.count) {
    throw new CertError('bad-argument', `--index is ${index}.`, `Give a whole number from 0 to ${test.count - 1}.`);
  }
  const label = raw.label === undefined ? test.labels[index]! : readNumber('--label', raw.label);
  if (!Number.isInteger(label) || label >= model.classes) {
    throw new CertError('bad-argument', `--label is ${label}.`, `Give a class from 0 to ${model.classes - 1}.`);
  }
  const epsilon = raw.epsilon === undefined ? config.epsilon : readRadius('--epsilon', raw.epsilon);
  const pixels = Float32Array.from(test.images.subarray(index * size, (index + 1) * size), (x) => x * test.scale);
  const about = `Image ${index} of ${config.dataset}, class ${label}, epsilon ${raw.epsilon ?? radiusText(epsilon)}. `;
  const ball = { pixels, label, epsilon, range, source: { index, dataset: config.dataset } };
  return { loaded, property: robustness(ball, model.classes), ball, about };
}

/** Whether the pixels of an image are the inputs of a network, in the same order. Colours in a row might be ordered in two ways. */
const fits = (image: Shape, input: Shape): boolean =>
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

/** That the label's logit is larger than every other one in a ball, clipped to a range. */
function robustness({ pixels, epsilon, range, label }: BallOfImage, classes: number): Property {
  const { min, max } = range ?? { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };
  const lower = Float64Array.from(pixels, (x) => Math.max(x - epsilon, min));
  const upper = Float64Array.from(pixels, (x) => Math.min(x + epsilon, max));
  const others = Array.from({ length: classes }, (_, j) => j).filter((j) => j !== label);
  const cases = others.map((other) => {
    const coefficients = new Float64Array(classes);
    coefficients[label] = 1;
    coefficients[other] = -1;
    return { lower, upper, outputs: [{ coefficients, bound: 0 }] };
  });
  return { inputs: pixels.length, outputs: classes, cases };
}

import { basename, dirname, join } from 'node:path';
import { CertError, sizeOf } from '@cert/core';
import { exportedInputOrder, propertyInFile, writeInstances, writeVnnlib } from '@cert/interchange';
import type { Device } from '@cert/jit';
import {
  type Catalog,
  type ExampleWords,
  exampleWords,
  loadTestData,
  perturbationOf,
  type RunConfig,
  radiusText,
  toleranceOf,
} from '@cert/trainer/pipeline';
import { fits } from '../verify/fits.js';
import { robustness, toleranceAt } from '../verify/image.js';
import { correctImages } from './correct-images.js';
import type { ExportedFile, ExportSettings } from './formats.js';
import type { ExportSource } from './source.js';

/** Options of {@link imageProperties}. */
export interface ImagePropertiesOptions {
  readonly source: ExportSource;
  readonly settings: ExportSettings;
  /** The exported network. */
  readonly out: string;
  /** Dataset and radius. */
  readonly config: RunConfig;
  readonly catalog: Catalog;
  /** How many images. */
  readonly count: number;
  /** Seconds for each. */
  readonly timeout: number;
  readonly device: Device;
  readonly signal: AbortSignal;
  readonly onDecoding: (images: number, of: number) => void;
  readonly onClassifying: (images: number) => void;
}

/** Properties of images, and their list. */
export interface ImageProperties {
  readonly files: readonly ExportedFile[];
  /** The list of instances. */
  readonly instances: string;
  /** The folder of the properties. */
  readonly folder: string;
  readonly epsilon: number;
  /** The images, by their index in the test split. */
  readonly images: readonly number[];
  /** Images that were classified to find these. */
  readonly tried: number;
  /** What they are called. */
  readonly words: ExampleWords;
}

/** Where the properties of an exported network go, and their list. */
export const propertyPaths = (out: string) => ({
  folder: join(dirname(out), 'vnnlib'),
  instances: join(dirname(out), 'instances.csv'),
});

/**
 * The robustness of the first images of the test split that the network classifies correctly, as VNN-LIB files in the order of the exported
 * network's input, with a list of instances.
 *
 * @throws CertError `shape-mismatch` for images that the network does not take, `bad-data` when no image is classified correctly, and the
 * errors of the dataset
 */
export async function imageProperties(options: ImagePropertiesOptions): Promise<ImageProperties> {
  const { source, settings, out, config, catalog, count, timeout, device, signal } = options;
  const { network } = source;
  const { model } = network;
  const { dataset, epsilon } = config;
  const data = await loadTestData(
    config,
    (images, of) => {
      options.onDecoding(images, of);
      signal.throwIfAborted();
    },
    catalog,
  );
  const { test } = data;
  const words = exampleWords(dataset, test.shape);
  const perturbation = perturbationOf(config, { ...data, shape: model.inputShape });
  if (perturbation.kind === 'l2') {
    throw new CertError(
      'bad-argument',
      'The perturbation set is Euclidean (l2), and a VNN-LIB file describes inputs by boxes, which cannot state a ball.',
      'Use cert verify --index or cert eval, which take the ball, or export with an l-infinity set.',
    );
  }
  if (!fits(test.shape, model.inputShape) || test.classes !== model.classes) {
    throw new CertError(
      'shape-mismatch',
      `Inputs of "${dataset}" have the shape [${test.shape}] and ${test.classes} classes, but the network takes [${model.inputShape}] and has ${model.classes} outputs.`,
      'Give the dataset that the network was trained on: --dataset NAME.',
    );
  }
  const { indices, tried } = await correctImages({
    device,
    network,
    split: test,
    delta: toleranceOf(config, data),
    count,
    signal,
    onProgress: options.onClassifying,
  });
  if (indices.length === 0) {
    throw new CertError(
      'bad-data',
      `The network classifies none of the ${test.count} test ${words.many} of "${dataset}" correctly.`,
      'Give the dataset that the network was trained on, or train the network longer.',
    );
  }
  const paths = propertyPaths(out);
  const size = sizeOf(test.shape);
  const inputOrder = exportedInputOrder(model, settings.layout);
  const text = new TextEncoder();
  const properties = indices.map((index) => {
    const label = test.labels[index]!;
    const pixels = Float32Array.from(test.images.subarray(index * size, (index + 1) * size), (x) => x * test.scale);
    const tolerance = toleranceAt(data, index, config);
    const ball = { pixels, label, ...(tolerance && { tolerance }), perturbation, words, source: { index, dataset } };
    const property = propertyInFile({ inputOrder }, robustness(ball, model));
    const comment = `Robustness of ${basename(out)} at ${words.one} ${index} of the test split of ${dataset}${tolerance === undefined ? `: class ${label}` : `: label ${tolerance.target}, tolerance ${tolerance.delta}`}, radius ${radiusText(epsilon)}.`;
    return {
      path: join(paths.folder, `${words.one}-${index}.vnnlib`),
      bytes: text.encode(writeVnnlib(property, comment)),
    };
  });
  const list = properties.map(({ path }) => ({
    ...{ onnx: basename(out), vnnlib: `${basename(paths.folder)}/${basename(path)}`, timeout },
  }));
  return {
    files: [...properties, { path: paths.instances, bytes: text.encode(writeInstances(list)) }],
    ...paths,
    ...{ epsilon, images: indices, tried, words },
  };
}

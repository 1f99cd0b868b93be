import { CertError, type GraphBuilder, graph, type Normalization, normalize, type Shape } from '@cert/core';

/** Placement of BatchNorm: nowhere, after every convolution, or also after the hidden dense layer. */
export type BatchNormPlaces = 'none' | 'conv' | 'full';

/** What every architecture takes. */
export interface ClassifierOptions {
  /** One example: [height, width, channels], or [features] for the multi-layer perceptron. */
  readonly inputShape: Shape;
  /** Number of classes; 1 for a regression. */
  readonly classes: number;
  /** Input normalization as a first layer (node `normalize`); images, boxes and epsilon stay in raw pixel units. Default: none. */
  readonly normalize?: Normalization | undefined;
}

/**
 * Starts a graph with the options that all architectures share: the input shape and, when asked for, a node `normalize`.
 *
 * @throws CertError `bad-argument` for a number of classes below 1 or a standard deviation that is not positive
 */
export function startGraph({ inputShape, classes, normalize: constants }: ClassifierOptions): GraphBuilder {
  checkSize('classes', classes);
  const builder = graph(inputShape);
  if (constants !== undefined) {
    const { mean, std } = constants;
    if (mean.length !== std.length || !mean.every(Number.isFinite) || !std.every((s) => s > 0 && s < Infinity)) {
      throw new CertError(
        'bad-argument',
        `normalize has mean [${mean}] and std [${std}].`,
        'Give one finite mean and one positive std per channel, in raw pixel units.',
      );
    }
    builder.add(normalize(mean, std), undefined, 'normalize');
  }
  return builder;
}

/**
 * Checks a width or a count.
 *
 * @throws CertError `bad-argument` naming the option
 */
export function checkSize(option: string, value: number, least = 1): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new CertError('bad-argument', `${option} is ${value}.`, `Give a whole number of at least ${least}.`);
}

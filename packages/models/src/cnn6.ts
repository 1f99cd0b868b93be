import type { Model } from '@cert/core';
import { addConvStack } from './conv-stack.js';
import { addHead } from './head.js';
import { type BatchNormPlaces, type ClassifierOptions, checkSize, startGraph } from './options.js';

/** Options of {@link cnn6}. */
export interface Cnn6Options extends ClassifierOptions {
  /** Output channels of the first two convolutions; the other two have twice as many. Default 32. */
  readonly width?: number | undefined;
  /** Units of the hidden dense layer. Default 256. */
  readonly dense?: number | undefined;
  /** Placement of BatchNorm. Default `full`. */
  readonly batchNorm?: BatchNormPlaces | undefined;
}

/**
 * A smaller variant of `cnn7`: four 3x3 convolutions with padding 1, the third with stride 2, a hidden dense layer and the
 * logits. Nodes: `conv1`, `bn1`, `relu1`, ..., `flatten`, `dense1`, ..., `dense2`.
 *
 * @throws CertError `bad-argument` for sizes that are not positive whole numbers, `bad-model` for an input that is not an image
 */
export function cnn6(options: Cnn6Options): Model {
  const { classes, width = 32, dense = 256, batchNorm = 'full' } = options;
  checkSize('width', width);
  checkSize('dense', dense);
  const builder = startGraph(options);
  addConvStack(
    builder,
    [
      { filters: width, stride: 1 },
      { filters: width, stride: 1 },
      { filters: 2 * width, stride: 2 },
      { filters: 2 * width, stride: 1 },
    ],
    batchNorm !== 'none',
  );
  addHead(builder, { hidden: dense, classes, batchNorm: batchNorm === 'full' });
  return builder.build();
}

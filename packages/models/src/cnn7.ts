import type { Model } from '@cert/core';
import { addConvStack } from './conv-stack.js';
import { addHead } from './head.js';
import { type BatchNormPlaces, type ClassifierOptions, checkSize, startGraph } from './options.js';

/** Options of {@link cnn7}. */
export interface Cnn7Options extends ClassifierOptions {
  /** Output channels of the first two convolutions; the other three have twice as many. Default 64. */
  readonly width?: number | undefined;
  /** Units of the hidden dense layer. Default 512. */
  readonly dense?: number | undefined;
  /** Placement of BatchNorm. Default `full`. */
  readonly batchNorm?: BatchNormPlaces | undefined;
  /** Stride of the fifth convolution. Default 1; 2 for TinyImageNet's 64x64 images. */
  readonly lastStride?: number | undefined;
}

/**
 * The 7-layer network of "Fast Certified Robust Training with Short Warmup": five 3x3 convolutions with padding 1,
 * the third with stride 2 (on TinyImageNet the fifth too), a hidden dense layer and the logits. With `full`, every layer but the
 * last is followed by BatchNorm, as the paper proposes. Nodes: `conv1`, `bn1`, `relu1`, ..., `flatten`, `dense1`, ..., `dense2`.
 *
 * @throws CertError `bad-argument` for sizes that are not positive whole numbers, `bad-model` for an input that is not an image
 */
export function cnn7(options: Cnn7Options): Model {
  const { classes, width = 64, dense = 512, batchNorm = 'full', lastStride = 1 } = options;
  for (const [name, value] of Object.entries({ width, dense, lastStride })) checkSize(name, value);
  const builder = startGraph(options);
  addConvStack(
    builder,
    [
      { filters: width, stride: 1 },
      { filters: width, stride: 1 },
      { filters: 2 * width, stride: 2 },
      { filters: 2 * width, stride: 1 },
      { filters: 2 * width, stride: lastStride },
    ],
    batchNorm !== 'none',
  );
  addHead(builder, { hidden: dense, classes, batchNorm: batchNorm === 'full' });
  return builder.build();
}

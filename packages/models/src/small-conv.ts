import type { Model } from '@cert/core';
import { addConvStack } from './conv-stack.js';
import { addHead } from './head.js';
import { type ClassifierOptions, checkSize, startGraph } from './options.js';

/** Options of {@link smallConv}. */
export interface SmallConvOptions extends ClassifierOptions {
  /** Output channels of each convolution. Default [16, 32]. */
  readonly filters?: readonly number[] | undefined;
  /** Units of the hidden dense layer. Default 100. */
  readonly dense?: number | undefined;
  /** BatchNorm after every layer but the last. Default true. */
  readonly batchNorm?: boolean | undefined;
}

/**
 * A small network that trains in a minute on a CPU: 3x3 convolutions with stride 2 and padding 1, a hidden dense layer, logits;
 * BatchNorm after every layer but the last, ReLU. Nodes: `conv1`, `bn1`, `relu1`, ..., `flatten`, `dense1`, ..., `dense2`.
 *
 * @throws CertError `bad-argument` for sizes that are not positive whole numbers, `bad-model` when the image is too small
 */
export function smallConv(options: SmallConvOptions): Model {
  const { classes, filters = [16, 32], dense = 100, batchNorm = true } = options;
  filters.forEach((n, i) => {
    checkSize(`filters[${i}]`, n);
  });
  checkSize('dense', dense);
  const builder = startGraph(options);
  addConvStack(
    builder,
    filters.map((n) => ({ filters: n, stride: 2 })),
    batchNorm,
  );
  addHead(builder, { hidden: dense, classes, batchNorm });
  return builder.build();
}

import { batchNorm, dense, flatten, type GraphBuilder, relu } from '@cert/core';

/** The classifier at the end of a convolutional net: one hidden dense layer and the logits. */
export interface Head {
  /** Units of the hidden layer. */
  readonly hidden: number;
  readonly classes: number;
  /** Whether a BatchNorm follows the hidden layer. */
  readonly batchNorm: boolean;
}

/** Adds `flatten`, `dense1`, `dense1_bn` (when asked for), `dense1_relu` and `dense2` to the node added last. */
export function addHead(builder: GraphBuilder, { hidden, classes, batchNorm: normalized }: Head): void {
  builder.add(flatten(), undefined, 'flatten');
  builder.add(dense(hidden), undefined, 'dense1');
  if (normalized) builder.add(batchNorm(), undefined, 'dense1_bn');
  builder.add(relu(), undefined, 'dense1_relu');
  builder.add(dense(classes), undefined, 'dense2');
}

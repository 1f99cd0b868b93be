import { batchNorm, dense, flatten, type Model, relu } from '@cert/core';
import { type ClassifierOptions, checkSize, startGraph } from './options.js';

/** Options of {@link mlp}. */
export interface MlpOptions extends ClassifierOptions {
  /** Units of each hidden layer, in order; empty for a linear classifier. */
  readonly hidden: readonly number[];
  /** BatchNorm after every hidden layer. Default false. */
  readonly batchNorm?: boolean | undefined;
}

/**
 * A multi-layer perceptron: dense layers with ReLU between them. Images are flattened first.
 * Nodes: `dense1`, `dense1_bn`, `dense1_relu`, `dense2`, ...
 *
 * @throws CertError `bad-argument` for sizes that are not positive whole numbers
 */
export function mlp(options: MlpOptions): Model {
  const { inputShape, classes, hidden, batchNorm: normalized = false } = options;
  const builder = startGraph(options);
  if (inputShape.length > 1) builder.add(flatten(), undefined, 'flatten');
  for (const [i, units] of hidden.entries()) {
    checkSize(`hidden[${i}]`, units);
    builder.add(dense(units), undefined, `dense${i + 1}`);
    if (normalized) builder.add(batchNorm(), undefined, `dense${i + 1}_bn`);
    builder.add(relu(), undefined, `dense${i + 1}_relu`);
  }
  builder.add(dense(classes), undefined, `dense${hidden.length + 1}`);
  return builder.build();
}

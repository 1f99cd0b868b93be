import {
  type Model,
  type Params,
  paramSpecs,
  type Regularizer,
  type Scalar,
  type Tensor,
  tf,
  withGradient,
} from '@cert/core';

/** The sum of |x|; its gradient is the sign, 0 at 0 (TensorFlow.js's own abs takes -1 there). */
const absoluteSum = withGradient((x: Tensor) => ({
  value: tf.sum(tf.abs(x)),
  saved: [x],
  gradient: (dy, kept) => tf.mul(dy, tf.sign(kept!)),
}));

/** Returns the sum of absolute values of all kernels (convolutions and dense layers), without biases and BatchNorm. */
export const l1Norm = (model: Model, params: Params): Scalar =>
  paramSpecs(model)
    .filter(({ name }) => name === 'kernel')
    .reduce<Scalar>((total, { node, name }) => tf.add(total, absoluteSum(params[node]![name]!)), tf.scalar(0));

/**
 * Returns a regularizer: {@link l1Norm}. Small weights make bounds tight; Xiao et al. (2019) use it next to ReLU stability. Named `l1`;
 * reads no bounds.
 */
export const l1 = (): Regularizer => ({ name: 'l1', term: ({ model, params }) => l1Norm(model, params) });

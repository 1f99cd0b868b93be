import {
  type BatchNormStats,
  INPUT,
  type Moments,
  mean,
  type Network,
  type Tensor,
  tf,
  withGradient,
} from '@cert/core';
import {
  concatBatch,
  convolve,
  flattenBatch,
  leak,
  meanOverSpace,
  multiply,
  perElement,
  permuteBatch,
  poolMax,
  poolMean,
  rectify,
  reshapeBatch,
} from './linear.js';
import { applyRule, type Context, checkIsModel, checkRuleShape, type ParamsOf, type RuleTable } from './method.js';

const { add, mul, sub, sqrt } = tf;

/**
 * A batch normalization as the affine map x * scale + shift, both of shape [channels]: scale = gamma / sqrt(variance + epsilon),
 * shift = beta - mean * scale. Two passes over x, where (x - mean) * scale + beta has three.
 */
export function normAffine(
  { gamma, beta }: ParamsOf<'batchNorm'>,
  { mean, variance }: Moments,
  epsilon: number,
): { readonly scale: Tensor; readonly shift: Tensor } {
  const scale = tf.div(gamma, sqrt(add(variance, epsilon)));
  return { scale, shift: sub(beta, mul(mean, scale)) };
}

/** The plain forward pass as a table of rules; elements are tensors [batch, ...shape]. */
export const natural: RuleTable<Tensor> = {
  name: 'natural',
  rules: {
    conv2d: (node, { kernel, bias }, _, x) => add(convolve(node, x, kernel), bias),
    dense: (_node, { kernel, bias }, _, x) => add(multiply(x, kernel), bias),
    batchNorm(node, params, { norm }, x) {
      const { scale, shift } = normAffine(params, norm[node.name]!, node.attrs.epsilon);
      return add(mul(x, scale), shift);
    },
    relu: (_node, _params, _, x) => rectify(x),
    add: (_node, _params, _, a, b) => add(a!, b!),
    flatten: (_node, _params, _, x) => flattenBatch(x),
    globalAvgPool: (_node, _params, _, x) => meanOverSpace(x),
    avgPool: (node, _params, _, x) => poolMean(node, x),
    maxPool: (node, _params, _, x) => poolMax(node, x),
    leakyRelu: (node, _params, _, x) => leak(node, x),
    sigmoid: (_node, _params, _, x) => tf.sigmoid(x),
    tanh: (_node, _params, _, x) => tf.tanh(x),
    softmax: (_node, _params, _, x) => tf.softmax(x),
    reshape: (node, _params, _, x) => reshapeBatch(node.shape, x),
    transpose: (node, _params, _, x) => permuteBatch(node.attrs.perm, x),
    concat: (node, _params, _, ...xs) => concatBatch(node.attrs.axis, xs),
    affine: (node, _params, _, x) =>
      add(mul(x, perElement(node.attrs.scale, node.shape)), perElement(node.attrs.shift, node.shape)),
  },
};

/** What {@link naturalPass} returns. */
export interface NaturalPass {
  /** Logits [batch, classes]. */
  readonly output: Tensor;
  /** Value [batch, ...shape] of every node by name, including `input`. */
  readonly at: { readonly [node: string]: Tensor };
  /** The BatchNorm statistics that were used. */
  readonly norm: BatchNormStats;
}

/**
 * Runs the plain forward pass. A pure function of tensors: gradients flow to the parameters, and with `'batch'` also through the
 * statistics.
 *
 * `norm` of the network is a set of running statistics (evaluation) or `'batch'`: the mean and biased variance of this batch (training).
 *
 * @param images [batch, ...inputShape]
 * @param method rules; default {@link natural}
 * @throws CertError `missing-rule` for an op without a rule, `shape-mismatch` naming the node whose rule returned another shape
 */
export function naturalPass(
  { model, params, norm = {} }: Omit<Network, 'norm'> & { readonly norm?: BatchNormStats | 'batch' },
  images: Tensor,
  method: RuleTable<Tensor> = natural,
): NaturalPass {
  checkIsModel(method.name, model);
  const given = norm === 'batch' ? {} : norm;
  const used: { [node: string]: Moments } = {};
  const at: { [node: string]: Tensor } = { [INPUT]: images };
  const context: Context = { model, norm: used };
  for (const node of model.nodes) {
    const inputs = node.inputs.map((name) => at[name]!);
    const moments = norm === 'batch' && node.op === 'batchNorm' ? batchMoments(inputs[0]!) : given[node.name];
    if (moments !== undefined) used[node.name] = moments;
    const value = applyRule(method, node, params, context, inputs);
    checkRuleShape(method.name, node, 'a value', value.shape, [images.shape[0]!, ...node.shape]);
    at[node.name] = value;
  }
  return { output: at[model.nodes.at(-1)!.name]!, at, norm: used };
}

/**
 * Returns mean and biased variance over all axes except the last, in two passes (E[x^2] - E[x]^2 would cancel).
 *
 * @param x [batch, ..., channels]
 * @returns both [channels]
 */
export function batchMoments(x: Tensor): Moments {
  const axes = x.shape.slice(0, -1).map((_, axis) => axis);
  return { mean: mean(x, axes), variance: variance(x) };
}

/**
 * The biased variance over every axis but the last. Its gradient is 2 (x - mean) / n: what flows through the mean adds up to
 * exactly zero, and reverse mode would compute that zero over the whole of x.
 */
const variance = withGradient((x: Tensor) => {
  const axes = x.shape.slice(0, -1).map((_, axis) => axis);
  const deviation = (y: Tensor) => sub(y, tf.mean(y, axes));
  return {
    value: tf.mean(tf.square(deviation(x)), axes),
    saved: [x],
    gradient: (dy, kept) => mul(deviation(kept!), mul(dy, (2 * x.shape.at(-1)!) / x.size)),
  };
});

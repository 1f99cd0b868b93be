import {
  centerOf,
  fromBounds,
  fromCenterRadius,
  radiusOf,
  soundRadiusOf,
  type Tensor,
  type Tensor3D,
  tf,
  withGradient,
} from '@cert/core';
import {
  concatBatch,
  convolve,
  flattenBatch,
  leak,
  magnitude,
  meanOverSpace,
  multiply,
  perElement,
  permuteBatch,
  poolMax,
  poolMean,
  rectify,
  reshapeBatch,
} from './linear.js';
import { boundMethod, type ForwardRules } from './method.js';
import { normAffine } from './natural.js';

const { add, mul, sub } = tf;

/** The element of {@link ibp}: an interval in center-radius form. */
export interface CenterRadius {
  /** (lower + upper) / 2, [batch, ...shape]. */
  readonly center: Tensor;
  /** (upper - lower) / 2, of the same shape and >= 0. */
  readonly radius: Tensor;
}

/** The same linear function without negative coefficients on both parts. */
const both = (f: (x: Tensor) => Tensor, x: CenterRadius): CenterRadius => ({
  center: f(x.center),
  radius: f(x.radius),
});

/** What an op that never decreases makes of an interval: its ends go to the ends. */
export function monotone(f: (x: Tensor) => Tensor, { center, radius }: CenterRadius): CenterRadius {
  const box = fromBounds(f(sub(center, radius)), f(add(center, radius)));
  return { center: centerOf(box), radius: radiusOf(box) };
}

/**
 * The radius behind a ReLU, given the upper bound there: the radius before it where the neuron is active, upper / 2 where it is
 * unstable, 0 where it is inactive, which is min(upper / 2, radius). Unlike (upper - lower) / 2 this keeps a radius that is
 * small against the center. The gradient goes to the radius where `lower` > 0, by a mask that regularizers need too.
 */
const reluRadius = (upper: Tensor, radius: Tensor, lower: Tensor): Tensor =>
  withGradient((u: Tensor, r: Tensor) => ({
    value: tf.minimum(mul(u, 0.5), r),
    saved: [lower],
    gradient(dy, kept) {
      const toRadius = mul(dy, tf.cast(tf.greater(kept!, 0), 'float32'));
      return [mul(sub(dy, toRadius), 0.5), toRadius];
    },
  }))(upper, radius);

const rules: ForwardRules<CenterRadius> = {
  conv2d: (node, { kernel, bias }, _, x) => ({
    center: add(convolve(node, x.center, kernel), bias),
    radius: convolve(node, x.radius, magnitude(kernel)),
  }),
  dense: (_node, { kernel, bias }, _, x) => ({
    center: add(multiply(x.center, kernel), bias),
    radius: multiply(x.radius, magnitude(kernel)),
  }),
  batchNorm(node, params, { norm }, x) {
    const { scale, shift } = normAffine(params, norm[node.name]!, node.attrs.epsilon);
    return { center: add(mul(x.center, scale), shift), radius: mul(x.radius, magnitude(scale)) };
  },
  relu(_node, _params, _, x) {
    const upper = rectify(add(x.center, x.radius));
    const radius = reluRadius(upper, x.radius, sub(x.center, x.radius));
    return { center: sub(upper, radius), radius };
  },
  add: (_node, _params, _, a, b) => ({ center: add(a!.center, b!.center), radius: add(a!.radius, b!.radius) }),
  flatten: (_node, _params, _, x) => both(flattenBatch, x),
  globalAvgPool: (_node, _params, _, x) => both(meanOverSpace, x),
  avgPool: (node, _params, _, x) => both((part) => poolMean(node, part), x),
  maxPool: (node, _params, _, x) => monotone((end) => poolMax(node, end), x),
  leakyRelu: (node, _params, _, x) => monotone((end) => leak(node, end), x),
  sigmoid: (_node, _params, _, x) => monotone(tf.sigmoid, x),
  tanh: (_node, _params, _, x) => monotone(tf.tanh, x),
  reshape: (node, _params, _, x) => both((part) => reshapeBatch(node.shape, part), x),
  transpose: (node, _params, _, x) => both((part) => permuteBatch(node.attrs.perm, part), x),
  concat: (node, _params, _, ...xs) => ({
    center: concatBatch(
      node.attrs.axis,
      xs.map(({ center }) => center),
    ),
    radius: concatBatch(
      node.attrs.axis,
      xs.map(({ radius }) => radius),
    ),
  }),
  affine: (node, _params, _, x) => ({
    center: add(mul(x.center, perElement(node.attrs.scale, node.shape)), perElement(node.attrs.shift, node.shape)),
    radius: mul(x.radius, perElement(node.attrs.scale.map(Math.abs), node.shape)),
  }),
};

/**
 * Interval bound propagation (Gowal et al. 2018; equations 3 and 4 of the paper) in center-radius form: an affine op W x + b maps (c, r) to
 * (W c + b, |W| r), and a ReLU is applied to both ends. The intervals have center and radius.
 */
export const ibp = boundMethod<CenterRadius>({
  name: 'ibp',
  lift: (input) => ({ center: centerOf(input), radius: soundRadiusOf(input) }),
  rules,
  concretize: ({ center, radius }) => fromCenterRadius(center, radius),
  specify(kernel, bias, { center, radius }) {
    const apply = (weights: Tensor3D, x: Tensor) =>
      tf.squeeze(tf.matMul(weights, tf.expandDims(x, 2) as Tensor3D), [2]);
    return { center: add(apply(kernel, center), bias), radius: apply(magnitude(kernel) as Tensor3D, radius) };
  },
});

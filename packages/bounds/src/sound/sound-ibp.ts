import {
  type BoundMethod,
  CertError,
  centerOf,
  fromCenterRadius,
  type IntervalTensor,
  type Model,
  type NodeOf,
  nonNegativeRadius,
  radiusOf,
  type Spec,
  sizeOf,
  type Tensor,
  type Tensor3D,
  tf,
  windowOf,
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
  reshapeBatch,
} from '../linear.js';
import { boundMethod, type Context, type ForwardMethod, type ForwardRules, type ParamsOf } from '../method.js';
import { fuseSpec } from '../spec.js';
import {
  affineLayer,
  average,
  below,
  between,
  constantShare,
  endsOf,
  enlarged,
  FLUSHED_SCALE,
  FLUSHED_WEIGHT,
  LARGEST_WEIGHT,
  moved,
  OWN,
  ROOM,
  type SoundCenterRadius,
  scaleAndShift,
  spread,
  sumOf,
  termsFor,
  times,
  USED,
  withRoom,
} from './enclosures.js';
import { gamma, LARGEST, type SoundLevel, TINY } from './rounding.js';
import { addRoundingsOf, roundingsOf, shiftRoundingsOf, termsOf } from './terms.js';

const { abs, add, div, less, maximum, minimum, mul, relu, sub } = tf;

/** Options of {@link soundIbp}. */
export interface SoundIbpOptions {
  /** What the bounds claim: `real` or `deployed`. */
  readonly level: SoundLevel;
}

/** Times a value it exceeds what flushing the slope of a leaky ReLU to 0 changes. */
const FLUSHED_SLOPE = 2 ** -90;

/** Variances outside of [2^-100, 2^100] are refused. */
const SMALLEST_VARIANCE = 2 ** -100;

/** The graph, which says what an execution may fold into a layer. */
function modelOf({ model }: Context): Model {
  if (model !== undefined) return model;
  throw new CertError(
    'bad-argument',
    'A rule of sound-ibp was called without the graph.',
    'Give context.model: an execution may fold BatchNorm into the preceding layer.',
  );
}

function rulesFor(level: SoundLevel): ForwardRules<SoundCenterRadius> {
  const layerTerms = (context: Context, node: NodeOf<'conv2d'> | NodeOf<'dense'>) =>
    termsFor(level, termsOf(node), roundingsOf(modelOf(context), node));
  return {
    conv2d: (node, { kernel, bias }, context, x) =>
      affineLayer(x, { kernel, bias }, layerTerms(context, node), (part, weights) => convolve(node, part, weights)),
    dense: (node, { kernel, bias }, context, x) =>
      affineLayer(x, { kernel, bias }, layerTerms(context, node), multiply),
    batchNorm(node, { gamma: factor, beta }, context, x) {
      const { mean, variance } = context.norm[node.name]!;
      const sum = add(variance, node.attrs.epsilon);
      const positive = tf.logicalAnd(tf.greaterEqual(variance, 0), tf.greaterEqual(sum, SMALLEST_VARIANCE));
      const fits = tf.cast(tf.logicalAnd(positive, less(sum, LARGEST)), 'float32');
      const scale = mul(div(factor, tf.sqrt(sum)), div(fits, fits));
      return scaleAndShift(level, x, {
        scale,
        shift: sub(beta, mul(mean, scale)),
        parts: (magnitude) => add(abs(beta), mul(magnitude, abs(mean))),
        roundings: shiftRoundingsOf(modelOf(context), node),
      });
    },
    relu(_node, _params, _, x) {
      const { center, radius } = withRoom(x);
      // The room covers the rounding of this sum, in whatever order its parts are added; what is left covers that of the center.
      const upper = relu(add(center, radius));
      const narrow = minimum(mul(upper, 0.5), radius);
      return { center: sub(upper, narrow), radius: narrow };
    },
    add(node, _params, context, left, right) {
      const roundings = level === 'deployed' ? addRoundingsOf(modelOf(context), node) : 1;
      if (roundings > 1) return sumOf(left!, right!, termsFor(level, 2, roundings));
      const [a, b] = [withRoom(left!), withRoom(right!)];
      const radius = add(add(a.radius, b.radius), 2 * TINY);
      return { center: add(a.center, b.center), radius, room: Math.min(a.room, b.room) - USED };
    },
    flatten: (_node, _params, _, x) => moved(flattenBatch, x),
    reshape: (node, _params, _, x) => moved((part) => reshapeBatch(node.shape, part), x),
    transpose: (node, _params, _, x) => moved((part) => permuteBatch(node.attrs.perm, part), x),
    concat: (node, _params, _, ...xs) => ({
      center: concatBatch(
        node.attrs.axis,
        xs.map(({ center }) => center),
      ),
      radius: concatBatch(
        node.attrs.axis,
        xs.map(({ radius }) => radius),
      ),
      room: Math.min(...xs.map(({ room = 0 }) => room)),
    }),
    maxPool(node, _params, _, x) {
      const { lower, upper } = endsOf(x);
      return between(poolMax(node, lower), poolMax(node, upper));
    },
    // An execution rounds the slope and its product with x; so do we.
    leakyRelu(node, _params, _, x) {
      const { lower, upper } = endsOf(x);
      const result = between(leak(node, lower), leak(node, upper));
      const flushed = times(maximum(abs(lower), abs(upper)), FLUSHED_SLOPE);
      return { ...result, radius: add(result.radius, flushed) };
    },
    globalAvgPool(_node, _params, _, x) {
      const [, h, w] = x.center.shape as [number, number, number, number];
      return average(level, x, h * w, meanOverSpace);
    },
    avgPool(node, _params, _, x) {
      return average(level, x, sizeOf(windowOf(node).size), (part) => poolMean(node, part));
    },
    affine(node, _params, context, x) {
      const shift = perElement(node.attrs.shift, node.shape);
      return scaleAndShift(level, x, {
        scale: perElement(node.attrs.scale, node.shape),
        shift,
        parts: () => add(abs(shift), FLUSHED_SCALE),
        roundings: shiftRoundingsOf(modelOf(context), node),
      });
    },
  };
}

/** Ops whose radius covers a share of everything that is summed at them. */
const COVERED = new Set(['conv2d', 'dense', 'batchNorm', 'affine', 'globalAvgPool', 'avgPool']);
/** Ops that hide what is at their input, or only move it, and whose result is no larger. */
const MOVED = new Set(['relu', 'leakyRelu', 'maxPool', 'flatten', 'reshape', 'transpose', 'concat']);

/** [batch, ...shape] to [batch]. */
const sumOfImage = (x: Tensor): Tensor => tf.sum(tf.reshape(x, [x.shape[0]!, sizeOf(x.shape.slice(1))]), 1);

/**
 * The result, its radius NaN for an image with a bound that is NaN or so large, at any node, that sums of an execution might overflow. The
 * radius at a layer is at least 2^-24 of the sum of all magnitudes there, so that a limit of 2^100 on it keeps them below 2^126.
 */
function refuseLarge({
  model,
  output,
  elements,
}: Parameters<NonNullable<ForwardMethod<SoundCenterRadius>['conclude']>>[0]): SoundCenterRadius {
  const covered = new Map(model.nodes.map(({ name, op }) => [name, op]));
  const sizes = Object.entries(elements).flatMap(([name, { center, radius }]) => {
    const op = covered.get(name) ?? '';
    if (MOVED.has(op)) return [];
    return COVERED.has(op) ? [sumOfImage(radius)] : [sumOfImage(radius), sumOfImage(abs(center))];
  });
  const total = [...sizes, sumOfImage(output.radius)].reduce((a, b) => add(a, b));
  const fits = tf.expandDims(tf.cast(less(total, LARGEST), 'float32'), 1);
  return { ...output, radius: mul(output.radius, div(fits, fits)) };
}

/** The last dense layer with the specification multiplied into it: every logit is rounded by the execution, the fused weights by us. */
function specifiedDense(
  level: SoundLevel,
  spec: Spec,
  node: NodeOf<'dense'>,
  { kernel, bias }: ParamsOf<'dense'>,
  x: SoundCenterRadius,
): SoundCenterRadius {
  const [n, classes] = node.params.kernel as [number, number];
  const fused = fuseSpec(spec, kernel, bias);
  const own = gamma(n + OWN) + gamma(classes + 2);
  const errs = (level === 'deployed' ? gamma(n + 1) : 0) + own;
  const factor = 1 + 2 * (own + gamma(classes + OWN));
  const { weights, lost } = enlarged(kernel, { execution: errs, both: errs, factor });
  // What all logits may be off by, relative to the magnitudes that they are sums of: [batch, classes].
  const perLogit = add(
    multiply(times(add(abs(x.center), x.radius), errs), weights),
    constantShare(bias, lost, { execution: errs, both: errs, factor }),
  );
  const apply = (rows: Tensor3D, values: Tensor) =>
    tf.squeeze(tf.matMul(rows, tf.expandDims(values, 2) as Tensor3D), [2]);
  const errors = apply(abs(spec.matrix), perLogit);
  const width = apply(add(abs(fused.kernel), FLUSHED_WEIGHT) as Tensor3D, x.radius);
  return {
    center: add(apply(fused.kernel, x.center), fused.bias),
    radius: times(add(width, errors), factor),
    room: ROOM,
  };
}

/** The same as numbers that a linear function of exact coefficients takes: it is evaluated by us alone. */
function specified(kernel: Tensor3D, bias: Tensor, x: SoundCenterRadius): SoundCenterRadius {
  const terms = termsFor('real', kernel.shape[2], 0);
  const apply = (rows: Tensor, values: Tensor) =>
    tf.squeeze(tf.matMul(rows as Tensor3D, tf.expandDims(values, 2) as Tensor3D), [2]);
  const weights = times(add(abs(kernel), FLUSHED_WEIGHT), terms.factor);
  const lost = mul(below(tf.sum(weights, 2), LARGEST_WEIGHT), TINY);
  return {
    center: add(apply(kernel, x.center), bias),
    radius: add(apply(weights, spread(x, terms.both)), constantShare(bias, lost, terms)),
    room: ROOM,
  };
}

/** The element for a box, whose real points are those of [center - radius, center + radius] and of [lower, upper]. */
function lift(box: IntervalTensor): SoundCenterRadius {
  const center = centerOf(box);
  const given = nonNegativeRadius(radiusOf(box));
  const least = maximum(given, maximum(sub(box.upper, center), sub(center, box.lower)));
  return withRoom({ center, radius: least });
}

/** Ends of an interval, rounded outwards. */
function concretize(x: SoundCenterRadius): IntervalTensor {
  const { center, radius } = withRoom(x);
  return fromCenterRadius(center, radius);
}

/**
 * Creates interval bound propagation that accounts for rounding: the intervals contain every value of the network on the box over the real
 * numbers (level `real`) and also in every float32 execution (level `deployed`, see {@link Arithmetic}). About as fast as {@link ibp}, with
 * the same number of convolutions. A pure function of float32 tensors without gradients.
 *
 * Assumptions about the computation of bounds and, at level `deployed`, about the execution: operations round to nearest, at most once each
 * (a division or a square root may err by 2.5 units); sums are taken in any order; convolutions and products are sums of products, so no
 * Winograd or Fourier transforms, no TF32, no bfloat16. Of the passes of `@cert/jit` this holds: they reorder sums, merge constant factors
 * (one rounding each), and divide by multiplying with a reciprocal (two roundings), all of which the error terms include.
 *
 * An output whose bounds are NaN, or so large at any node that an execution might overflow, is NaN. Variances that are negative or, with
 * epsilon, below 2^-100 and weights above 2^60 give NaN too.
 *
 * Add rules of other ops with `extend(soundIbp({ level }), { op: rule })`. A rule must account for its rounding, see {@link
 * SoundCenterRadius}. An op without a rule is an error.
 *
 * @returns a method named `sound-ibp`; its `bound` throws CertError `missing-rule` for an op without a rule
 */
export const soundIbp = ({ level }: SoundIbpOptions): ForwardMethod<SoundCenterRadius> & BoundMethod =>
  boundMethod<SoundCenterRadius>({
    name: 'sound-ibp',
    lift,
    rules: rulesFor(level),
    concretize,
    specify: specified,
    specifyDense: (spec, node, params, x) => specifiedDense(level, spec, node, params, x),
    conclude: refuseLarge,
  });

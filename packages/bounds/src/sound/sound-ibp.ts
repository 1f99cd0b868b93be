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
import type { CenterRadius } from '../ibp.js';
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
import { gamma, LARGEST, roundUp, type SoundLevel, TINY, UNIT } from './rounding.js';
import { roundingsOf, shiftRoundingsOf, termsOf } from './terms.js';

const { abs, add, div, less, maximum, minimum, mul, relu, sub } = tf;

/**
 * The element of {@link soundIbp}: every value v that the node can take, at the method's level, satisfies
 * |v - center| <= radius - room u (|center| + radius) + 2^-122 over the real numbers, with u = 2^-24.
 */
export interface SoundCenterRadius extends CenterRadius {
  /**
   * Number of roundings of this size that the radius already covers, so that the next rule need not enlarge the radius again. Known without
   * reading a tensor; default 0.
   */
  readonly room?: number;
}

/** Options of {@link soundIbp}. */
export interface SoundIbpOptions {
  /** What the bounds claim: `real` or `deployed`. */
  readonly level: SoundLevel;
}

/** The room that a layer leaves in its radius. */
const ROOM = 16;
/** The room that a ReLU or a sum needs at its input. */
const NEEDED = 6;
/** The room that a sum uses up: a rounding of the execution, one of the center, two of the radius. */
const USED = 5;

/** Roundings that our own computation needs for a result and a ReLU behind it, in any order: {@link ROOM}, and what makes the radius. */
const OWN = 24;

/** Added to every weight's magnitude: times an error term it exceeds what flushing a weight, a scale or their product to 0 can change. */
const FLUSHED_WEIGHT = 2 ** -40;
/** The same for the scale of a batch normalization. */
const FLUSHED_SCALE = 2 ** -60;

/** Times a value it exceeds what flushing the slope of a leaky ReLU to 0 changes. */
const FLUSHED_SLOPE = 2 ** -90;

/** Weights and scales beyond this size could overflow when they are multiplied with each other. */
const LARGEST_WEIGHT = 2 ** 60;

/** Variances outside of [2^-100, 2^100] are refused. */
const SMALLEST_VARIANCE = 2 ** -100;

/** Roundings that enclose gamma / sqrt(variance + epsilon), or a decimal constant, over all forms of an execution. */
const SCALE = 12;

/** The error terms of a sum of products: of the execution that is claimed, of our own, and the factor for the radius's own roundings. */
interface Terms {
  /** What the execution may err, relative to the sum of the magnitudes; 0 at the level `real`. */
  readonly execution: number;
  /** The same plus what our own center errs, with room for what follows. */
  readonly both: number;
  /** What makes up for the roundings of the radius itself. */
  readonly factor: number;
}

const termsFor = (level: SoundLevel, terms: number, roundings: number): Terms => {
  const execution = level === 'deployed' ? gamma(roundings) : 0;
  const own = gamma(terms + OWN);
  return { execution, both: execution + own, factor: 1 + 2 * own };
};

/** x times a number, rounded up. */
const times = (x: Tensor, by: number): Tensor => mul(x, roundUp(by));

/** The same values where they are below a limit, NaN elsewhere, for NaN too. No value is read. */
function below(x: Tensor, limit: number): Tensor {
  const fits = tf.cast(less(abs(x), limit), 'float32');
  return mul(x, div(fits, fits));
}

/** The element with its radius enlarged such that it has {@link ROOM}. */
function withRoom({ center, radius, room = 0 }: SoundCenterRadius): Required<SoundCenterRadius> {
  if (room >= NEEDED) return { center, radius, room };
  const slack = (ROOM + 8) * UNIT;
  return { center, radius: add(add(times(radius, 1 + slack), times(abs(center), slack)), TINY), room: ROOM };
}

/** r + |c| q, the input of the radius's own product: see {@link affineRadius}. */
const spread = ({ center, radius }: CenterRadius, q: number): Tensor => add(radius, times(abs(center), q));

/**
 * |W| as the radius's product takes it: larger by what flushing can change, times the factors that all terms share. And, for each output, what
 * underflow of the product's other factor may have lost.
 */
function enlarged(kernel: Tensor, { execution, factor }: Terms): { readonly weights: Tensor; readonly lost: Tensor } {
  const weights = times(add(abs(kernel), FLUSHED_WEIGHT), (1 + execution) * factor);
  const sums = tf.sum(
    weights,
    kernel.shape.slice(0, -1).map((_, axis) => axis),
  );
  return { weights, lost: mul(below(sums, LARGEST_WEIGHT), TINY) };
}

/** What does not depend on the input: the bias's share, underflow of n products and sums. [outputs]. */
const constantShare = (bias: Tensor, lost: Tensor, { both, factor }: Terms): Tensor =>
  add(add(times(abs(bias), both * factor), lost), 2 * TINY);

/**
 * W x + b: radius' = |W| (r (1 + e_dep) + (e_dep + e_own) |c|) + (e_dep + e_own) |b| + underflow, times the factor for its own roundings.
 * One product, of |W| (1 + e_dep) factor and r + |c| q with q >= (e_dep + e_own) / (1 + e_dep).
 */
function affineLayer(
  x: SoundCenterRadius,
  { kernel, bias }: { readonly kernel: Tensor; readonly bias: Tensor },
  terms: Terms,
  product: (x: Tensor, weights: Tensor) => Tensor,
): SoundCenterRadius {
  const { weights, lost } = enlarged(kernel, terms);
  return {
    center: add(product(x.center, kernel), bias),
    radius: add(product(spread(x, terms.both), weights), constantShare(bias, lost, terms)),
    room: ROOM,
  };
}

/** x * scale + shift per channel or per element, where `scale` and `shift` were computed with at most {@link SCALE} roundings of their parts. */
function scaleAndShift(
  level: SoundLevel,
  x: SoundCenterRadius,
  {
    scale,
    shift,
    parts,
    roundings,
  }: {
    readonly scale: Tensor;
    readonly shift: Tensor;
    /** The magnitudes of what the shift is the sum of, beside the mean times the scale. */
    readonly parts: (scale: Tensor) => Tensor;
    /** Roundings of an execution between the parts of the shift and the result. */
    readonly roundings: number;
  },
): SoundCenterRadius {
  const terms = termsFor(level, SCALE, SCALE);
  const ofShift = termsFor(level, SCALE, SCALE + roundings);
  const magnitude = below(add(abs(scale), FLUSHED_SCALE), LARGEST_WEIGHT);
  const perRadius = times(magnitude, (1 + terms.both) * terms.factor);
  const perCenter = times(magnitude, terms.both * terms.factor);
  const fixed = add(times(parts(magnitude), ofShift.both * terms.factor), 2 * TINY);
  return {
    center: add(mul(x.center, scale), shift),
    radius: add(add(mul(x.radius, perRadius), mul(abs(x.center), perCenter)), fixed),
    room: ROOM,
  };
}

/** The mean of at most n numbers. Ours of fewer is the mean of n with zeros times a constant: three roundings more. */
function average(level: SoundLevel, x: SoundCenterRadius, n: number, mean: (x: Tensor) => Tensor): SoundCenterRadius {
  const terms = termsFor(level, n + 3, n + 3);
  return {
    center: mean(x.center),
    radius: add(times(mean(spread(x, terms.both)), (1 + terms.execution) * terms.factor), 2 * TINY),
    room: ROOM,
  };
}

/**
 * The interval between two ends, of which each may be off by 8 units of itself. The enlargement covers that, the roundings of center and
 * radius, and {@link ROOM}.
 */
function between(lower: Tensor, upper: Tensor): Required<SoundCenterRadius> {
  const slack = (ROOM + 16) * UNIT;
  const [center, half] = [mul(add(lower, upper), 0.5), mul(sub(upper, lower), 0.5)];
  return { center, radius: add(add(times(half, 1 + slack), times(abs(center), slack)), 4 * TINY), room: ROOM };
}

/** The ends of an interval. The room at them covers the rounding of these sums. */
function endsOf(x: SoundCenterRadius): { readonly lower: Tensor; readonly upper: Tensor } {
  const { center, radius } = withRoom(x);
  return { lower: sub(center, radius), upper: add(center, radius) };
}

/** An element whose numbers only change places. */
const moved = (f: (x: Tensor) => Tensor, { center, radius, ...rest }: SoundCenterRadius): SoundCenterRadius => ({
  ...rest,
  center: f(center),
  radius: f(radius),
});

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
    add(_node, _params, _, left, right) {
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
    affine(node, _params, _, x) {
      const shift = perElement(node.attrs.shift, node.shape);
      return scaleAndShift(level, x, {
        scale: perElement(node.attrs.scale, node.shape),
        shift,
        parts: () => add(abs(shift), FLUSHED_SCALE),
        roundings: 0,
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

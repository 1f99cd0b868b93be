import { type Tensor, tf } from '@cert/core';
import type { CenterRadius } from '../ibp.js';
import { gamma, roundUp, type SoundLevel, TINY, UNIT } from './rounding.js';

const { abs, add, div, less, mul, sub } = tf;

/**
 * The element of `soundIbp`: every value v that the node can take, at the method's level, satisfies
 * |v - center| <= radius - room u (|center| + radius) + 2^-122 over the real numbers, with u = 2^-24.
 */
export interface SoundCenterRadius extends CenterRadius {
  /**
   * Number of roundings of this size that the radius already covers, so that the next rule need not enlarge the radius again. Known without
   * reading a tensor; default 0.
   */
  readonly room?: number;
}

/** The room that a layer leaves in its radius. */
export const ROOM = 16;
/** The room that a ReLU or a sum needs at its input. */
const NEEDED = 6;
/** The room that a sum uses up: a rounding of the execution, one of the center, two of the radius. */
export const USED = 5;

/** Roundings that our own computation needs for a result and a ReLU behind it, in any order: {@link ROOM}, and what makes the radius. */
export const OWN = 24;

/** Added to every weight's magnitude: times an error term it exceeds what flushing a weight, a scale or their product to 0 can change. */
export const FLUSHED_WEIGHT = 2 ** -40;
/** The same for the scale of a batch normalization. */
export const FLUSHED_SCALE = 2 ** -60;

/** Weights and scales beyond this size could overflow when they are multiplied with each other. */
export const LARGEST_WEIGHT = 2 ** 60;

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

export const termsFor = (level: SoundLevel, terms: number, roundings: number): Terms => {
  const execution = level === 'deployed' ? gamma(roundings) : 0;
  const own = gamma(terms + OWN);
  return { execution, both: execution + own, factor: 1 + 2 * own };
};

/** x times a number, rounded up. */
export const times = (x: Tensor, by: number): Tensor => mul(x, roundUp(by));

/** The same values where they are below a limit, NaN elsewhere, for NaN too. No value is read. */
export function below(x: Tensor, limit: number): Tensor {
  const fits = tf.cast(less(abs(x), limit), 'float32');
  return mul(x, div(fits, fits));
}

/** The element with its radius enlarged such that it has {@link ROOM}. */
export function withRoom({ center, radius, room = 0 }: SoundCenterRadius): Required<SoundCenterRadius> {
  if (room >= NEEDED) return { center, radius, room };
  const slack = (ROOM + 8) * UNIT;
  return { center, radius: add(add(times(radius, 1 + slack), times(abs(center), slack)), TINY), room: ROOM };
}

/** r + |c| q, the input of the radius's own product: see {@link affineLayer}. */
export const spread = ({ center, radius }: CenterRadius, q: number): Tensor => add(radius, times(abs(center), q));

/**
 * |W| as the radius's product takes it: larger by what flushing can change, times the factors that all terms share. And, for each output, what
 * underflow of the product's other factor may have lost.
 */
export function enlarged(
  kernel: Tensor,
  { execution, factor }: Terms,
): { readonly weights: Tensor; readonly lost: Tensor } {
  const weights = times(add(abs(kernel), FLUSHED_WEIGHT), (1 + execution) * factor);
  const sums = tf.sum(
    weights,
    kernel.shape.slice(0, -1).map((_, axis) => axis),
  );
  return { weights, lost: mul(below(sums, LARGEST_WEIGHT), TINY) };
}

/** What does not depend on the input: the bias's share, underflow of n products and sums. [outputs]. */
export const constantShare = (bias: Tensor, lost: Tensor, { both, factor }: Terms): Tensor =>
  add(add(times(abs(bias), both * factor), lost), 2 * TINY);

/**
 * W x + b: radius' = |W| (r (1 + e_dep) + (e_dep + e_own) |c|) + (e_dep + e_own) |b| + underflow, times the factor for its own roundings.
 * One product, of |W| (1 + e_dep) factor and r + |c| q with q >= (e_dep + e_own) / (1 + e_dep).
 */
export function affineLayer(
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
export function scaleAndShift(
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

/** The sum of two values, of which an execution may add one among the products that the other is the sum of. */
export const sumOf = (
  a: SoundCenterRadius,
  b: SoundCenterRadius,
  { execution, both, factor }: Terms,
): SoundCenterRadius => ({
  center: add(a.center, b.center),
  radius: add(times(add(spread(a, both), spread(b, both)), (1 + execution) * factor), 2 * TINY),
  room: ROOM,
});

/** The mean of at most n numbers. Ours of fewer is the mean of n with zeros times a constant: three roundings more. */
export function average(
  level: SoundLevel,
  x: SoundCenterRadius,
  n: number,
  mean: (x: Tensor) => Tensor,
): SoundCenterRadius {
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
export function between(lower: Tensor, upper: Tensor): Required<SoundCenterRadius> {
  const slack = (ROOM + 16) * UNIT;
  const [center, half] = [mul(add(lower, upper), 0.5), mul(sub(upper, lower), 0.5)];
  return { center, radius: add(add(times(half, 1 + slack), times(abs(center), slack)), 4 * TINY), room: ROOM };
}

/** The ends of an interval. The room at them covers the rounding of these sums. */
export function endsOf(x: SoundCenterRadius): { readonly lower: Tensor; readonly upper: Tensor } {
  const { center, radius } = withRoom(x);
  return { lower: sub(center, radius), upper: add(center, radius) };
}

/** An element whose numbers only change places. */
export const moved = (f: (x: Tensor) => Tensor, { center, radius, ...rest }: SoundCenterRadius): SoundCenterRadius => ({
  ...rest,
  center: f(center),
  radius: f(radius),
});

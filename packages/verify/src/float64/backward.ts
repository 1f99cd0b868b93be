import type { Node, NodeOf, Shape } from '@cert/core';
import { type Ball64, type Enclosure, type Enclosures, magnitudeOf, ownError } from './enclosure.js';
import { noBounds, UNDERFLOW } from './intervals.js';
import { backward, divisors, isLayer, type Network64, sources, valuesOf, windows } from './network.js';

/** A lower bound, moved down by more than the roundings of a few sums of numbers of this size, and than any underflow in float64. */
export const towardsMinus = (x: number, size: number): number => x - ownError(4) * (Math.abs(x) + size) - 2 ** -200;

/** The lower slope of every unstable neuron of a ReLU; any number in [0, 1] gives a bound. */
export type LowerSlopes = (node: Node, lower: Float64Array, upper: Float64Array) => ArrayLike<number>;

/** 1 where the upper end is farther from 0 than the lower one, else 0 (Zhang et al. 2018). */
export const adaptive: LowerSlopes = (_node, lower, upper) => lower.map((l, i) => (upper[i]! > -l ? 1 : 0));

/** The two lines of a ReLU on an interval. */
interface Relaxation {
  readonly lowerSlope: Float64Array;
  readonly upperSlope: Float64Array;
  readonly upperIntercept: Float64Array;
  /** 1 for neurons whose output is 0: coefficients on it do not matter. */
  readonly isZero?: Uint8Array;
}

/** What nonlinear nodes are replaced by, by their names. */
export interface Relaxations {
  readonly lines: Map<string, Relaxation>;
  readonly maxima: Map<string, Choice>;
}

/** No node is replaced yet. */
export const noRelaxations = (): Relaxations => ({ lines: new Map(), maxima: new Map() });

/** Adds what a node is replaced by on the interval at its input, if it is nonlinear. */
export function addRelaxation(
  { lines, maxima }: Relaxations,
  node: Node,
  shape: Shape,
  { lower, upper }: { readonly lower: Float64Array; readonly upper: Float64Array },
  slopes: LowerSlopes,
): void {
  if (node.op === 'relu') lines.set(node.name, relax(lower, upper, slopes(node, lower, upper)));
  if (node.op === 'leakyRelu') {
    lines.set(node.name, relaxLeaky(node.attrs.slope, lower, upper, slopes(node, lower, upper)));
  }
  if (node.op === 'maxPool') maxima.set(node.name, choose(node, shape, lower, upper));
}

function relax(lower: Float64Array, upper: Float64Array, slopes: ArrayLike<number>): Relaxation {
  const size = lower.length;
  const [lowerSlope, upperSlope, upperIntercept] = [0, 1, 2].map(() => new Float64Array(size)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (let i = 0; i < size; i++) {
    const [l, u] = [lower[i]!, upper[i]!];
    if (u <= 0) continue;
    if (l >= 0) {
      lowerSlope[i] = upperSlope[i] = 1;
      continue;
    }
    lowerSlope[i] = Math.min(1, Math.max(0, slopes[i]!));
    // At least u / (u - l), and an intercept of at least -l times this slope: above the ReLU at both ends, so in between.
    const slope = (u / (u - l)) * (1 + ownError(4)) + Number.MIN_VALUE;
    upperSlope[i] = slope;
    upperIntercept[i] = slope * -l * (1 + ownError(2)) + Number.MIN_VALUE;
  }
  return { lowerSlope, upperSlope, upperIntercept, isZero: Uint8Array.from(upper, (u) => (u <= 0 ? 1 : 0)) };
}

/** The same for x where x >= 0, slope x elsewhere. The line below has a slope between this and 1. */
function relaxLeaky(slope: number, lower: Float64Array, upper: Float64Array, slopes: ArrayLike<number>): Relaxation {
  const size = lower.length;
  const [lowerSlope, upperSlope, upperIntercept] = [
    new Float64Array(size).fill(slope),
    new Float64Array(size).fill(slope),
    new Float64Array(size),
  ];
  for (let i = 0; i < size; i++) {
    const [l, u] = [lower[i]!, upper[i]!];
    if (u <= 0) continue;
    if (l >= 0) {
      lowerSlope[i] = upperSlope[i] = 1;
      continue;
    }
    lowerSlope[i] = Math.min(1, Math.max(slope, slope + (1 - slope) * slopes[i]!));
    // At least the slope of the chord, and an intercept that makes the line at l at least slope l: then it is above at both ends, so in between.
    const chord = ((u - slope * l) / (u - l)) * (1 + ownError(6)) + Number.MIN_VALUE;
    upperSlope[i] = chord;
    upperIntercept[i] = (chord - slope + ownError(2) * chord) * -l * (1 + ownError(4)) + Number.MIN_VALUE;
  }
  return { lowerSlope, upperSlope, upperIntercept };
}

/** What is known of the maxima over windows. */
interface Choice {
  /** The input in each window with the largest lower bound: the maximum is at least it. */
  readonly first: Int32Array;
  /** Whether it is the maximum: its lower bound is not below the upper bounds of all others. */
  readonly wins: readonly boolean[];
  /** The largest upper bound: the maximum is at most that. */
  readonly top: Float64Array;
}

function choose(node: NodeOf<'maxPool'>, shape: Shape, lower: Float64Array, upper: Float64Array): Choice {
  const size = node.shape.reduce((a, b) => a * b);
  const first = new Int32Array(size).fill(-1);
  windows(node, shape, (output, i) => {
    if (first[output]! < 0 || lower[i]! > lower[first[output]!]!) first[output] = i;
  });
  const [top, others] = [0, 1].map(() => new Float64Array(size).fill(Number.NEGATIVE_INFINITY)) as [
    Float64Array,
    Float64Array,
  ];
  windows(node, shape, (output, i) => {
    top[output] = Math.max(top[output]!, upper[i]!);
    if (i !== first[output]) others[output] = Math.max(others[output]!, upper[i]!);
  });
  return { first, top, wins: Array.from(first, (i, output) => lower[i]! >= others[output]!) };
}

/** The terms of a lower bound: a sum, the magnitudes that it is a sum of, how many there are, and what is to be subtracted. */
interface Total {
  sum: number;
  size: number;
  count: number;
  error: number;
}

/** A linear function of one node. */
export interface Start {
  /** The node. */
  readonly node: string;
  /** Its coefficients, [...shape]. */
  readonly coefficients: Float64Array;
}

/**
 * A lower bound of a linear function of the values of a node, as an execution computes them, in float64 with all roundings accounted for:
 * one walk back to the input. An affine layer computes W x + b + d with |d| at most the layer's error, which therefore counts with the
 * magnitude of the coefficients at its output. Our own coefficients err by less than what the same magnitudes times float64's error make.
 *
 * @param bounds at the nodes in front of the start, and at the start
 * @param multipliers subtracted from the coefficients on a node, for what splits say of its values: see `BackwardSetting.multipliers` of
 * `@cert/bounds`
 */
export function lowerValue(
  network: Network64,
  bounds: Omit<Enclosures, 'usable'>,
  relaxations: Relaxations,
  start: Start,
  multipliers: ReadonlyMap<string, Float64Array> = new Map(),
): number {
  const { least, total } = walkBack(network, bounds, relaxations, start, multipliers);
  const inputs = leastInBox(least, bounds.at.get('input')!);
  const inBall = bounds.ball && leastInBall(least, bounds.ball);
  const { sum, size } = inBall !== undefined && inBall.sum > inputs.sum ? inBall : inputs;
  total.sum += sum;
  total.size += size;
  total.count += 2 * least.length;
  const slack = ownError(total.count + 16);
  return towardsMinus(total.sum - (total.error + slack * total.size) * (1 + 2 * slack), total.size + total.error);
}

/** The minimum of coefficients times x up to rounding, and the magnitudes that it is a sum of. */
type Least = Pick<Total, 'sum' | 'size'>;

function leastInBox(coefficients: Float64Array, { center, radius }: Enclosure): Least {
  let [sum, size] = [0, 0];
  for (let i = 0; i < coefficients.length; i++) {
    sum += coefficients[i]! * center[i]! - Math.abs(coefficients[i]!) * radius[i]!;
    size += Math.abs(coefficients[i]!) * (Math.abs(center[i]!) + radius[i]!);
  }
  return { sum, size };
}

/** By the inequality of Cauchy and Schwarz, with inputs that an execution flushes to 0. A norm that underflows is off by less than 2^-500. */
function leastInBall(coefficients: Float64Array, { center, radius }: Ball64): Least {
  let [sum, size, total, squares] = [0, 0, 0, 0];
  for (const [i, coefficient] of coefficients.entries()) {
    sum += coefficient * center[i]!;
    size += Math.abs(coefficient * center[i]!);
    total += Math.abs(coefficient);
    squares += coefficient * coefficient;
  }
  const reach = (Math.sqrt(squares) + 2 ** -500) * radius + UNDERFLOW * total;
  return { sum: sum - reach, size: size + reach };
}

/**
 * The linear function of the input that lies below a linear function of a node, over the real numbers and up to the rounding of float64. Where every
 * ReLU is replaced by one line it is the function itself.
 */
export function linearOnInput(
  network: Network64,
  bounds: Pick<Enclosures, 'at' | 'shapes'>,
  relaxations: Relaxations,
  start: Start,
): { readonly coefficients: Float64Array; readonly constant: number } {
  const { least, total } = walkBack(network, bounds, relaxations, start, new Map());
  return { coefficients: least, constant: total.sum };
}

/** The walk of {@link lowerValue} up to the input. */
function walkBack(
  network: Network64,
  { at, shapes }: Pick<Enclosures, 'at' | 'shapes'>,
  relaxations: Relaxations,
  start: Start,
  multipliers: ReadonlyMap<string, Float64Array>,
): { readonly least: Float64Array; readonly total: Total } {
  const { model } = network;
  const total: Total = { sum: 0, size: 0, count: 0, error: 0 };
  const pending = new Map<string, Float64Array>([[start.node, start.coefficients]]);
  const pass = (name: string, coefficients: Float64Array) => {
    const before = pending.get(name);
    if (before === undefined) {
      pending.set(name, coefficients);
      return;
    }
    const sum = before.map((value, i) => value + coefficients[i]!);
    pending.set(name, sum);
    charge(total, sum, magnitudeOf(at.get(name)!), ownError(1));
  };
  for (const node of model.nodes.toReversed()) {
    const reached = pending.get(node.name);
    if (reached === undefined) continue;
    pending.delete(node.name);
    const multiplier = multipliers.get(node.name);
    let own = reached;
    if (multiplier !== undefined) {
      own = reached.map((value, i) => value - multiplier[i]!);
      charge(total, own, magnitudeOf(at.get(node.name)!), ownError(1));
    }
    const { error } = at.get(node.name)!;
    if (error !== undefined) charge(total, own, error, 1);
    for (const [name, coefficients] of back(network, node, own, { at, shapes }, relaxations, total)) {
      pass(name, coefficients);
    }
  }
  return { least: pending.get('input')!, total };
}

/** Subtracts |coefficients| . weights. */
function charge(total: Total, coefficients: Float64Array, weights: Float64Array, factor: number): void {
  let sum = 0;
  for (let i = 0; i < coefficients.length; i++) sum += Math.abs(coefficients[i]!) * weights[i]!;
  total.error += sum * factor;
  total.count += coefficients.length;
}

/** Adds coefficients . constants, one constant a channel. */
function addConstants(total: Total, coefficients: Float64Array, constants: ArrayLike<number>): void {
  let [sum, size, channel] = [0, 0, 0];
  for (let i = 0; i < coefficients.length; i++) {
    const term = coefficients[i]! * constants[channel]!;
    sum += term;
    size += Math.abs(term);
    if (++channel === constants.length) channel = 0;
  }
  total.sum += sum;
  total.size += size;
  total.count += coefficients.length;
}

/** Coefficients on the output of a ReLU to coefficients on its input. Most are 0, of a neuron that depends on a small part of the layers in front. */
function throughLines(own: Float64Array, lines: Relaxation, input: Enclosure, total: Total): Float64Array {
  const { lowerSlope, upperSlope, upperIntercept } = lines;
  const coefficients = new Float64Array(own.length);
  const magnitude = magnitudeOf(input);
  let [sum, size, error] = [0, 0, 0];
  for (let i = 0; i < own.length; i++) {
    const value = own[i]!;
    if (value === 0) continue;
    const coefficient = value * (value > 0 ? lowerSlope[i]! : upperSlope[i]!);
    coefficients[i] = coefficient;
    error += Math.abs(coefficient) * magnitude[i]!;
    if (value > 0) continue;
    const term = value * upperIntercept[i]!;
    sum += term;
    size += Math.abs(term);
  }
  total.sum += sum;
  total.size += size;
  total.error += error * ownError(1);
  total.count += 2 * own.length;
  return coefficients;
}

/** Coefficients on a node's output to coefficients on its inputs, by name. */
function back(
  network: Network64,
  node: Node,
  own: Float64Array,
  { at, shapes }: Pick<Enclosures, 'at' | 'shapes'>,
  { lines, maxima }: Relaxations,
  total: Total,
): (readonly [string, Float64Array])[] {
  const name = node.inputs[0]!;
  if (isLayer(node)) {
    addConstants(total, own, valuesOf(network, node.name, 'bias'));
    return [[name, backward(network, node, shapes.get(name)!, own, lines.get(name)?.isZero)]];
  }
  switch (node.op) {
    case 'add':
      return node.inputs.map((input) => [input, own]);
    case 'batchNorm':
    case 'affine': {
      const { scale, shift } = at.get(node.name)!.scaling!;
      addConstants(total, own, shift);
      return [[name, own.map((value, i) => value * scale[i % scale.length]!)]];
    }
    case 'avgPool':
    case 'globalAvgPool': {
      const spread = new Float64Array(shapes.get(name)!.reduce((a, b) => a * b));
      const counts = divisors(node, shapes.get(name)!);
      windows(node, shapes.get(name)!, (output, i) => {
        spread[i]! += own[output]! / counts[output]!;
      });
      return [[name, spread]];
    }
    case 'maxPool': {
      const { first, wins, top } = maxima.get(node.name)!;
      const passed = new Float64Array(shapes.get(name)!.reduce((a, b) => a * b));
      const constant = own.map((value, i) => (value < 0 && !wins[i]! ? value : 0));
      addConstants(total, constant, top);
      own.forEach((value, i) => {
        if (constant[i] === 0) passed[first[i]!]! += value;
      });
      return [[name, passed]];
    }
    case 'transpose':
    case 'concat': {
      const inputs = node.inputs.map((input) => shapes.get(input)!);
      const parts = inputs.map((shape) => new Float64Array(shape.reduce((a, b) => a * b)));
      for (const [i, [input, place]] of sources(node, inputs).entries()) parts[input]![place] = own[i]!;
      return node.inputs.map((input, k) => [input, parts[k]!] as const);
    }
    case 'flatten':
    case 'reshape':
      return [[name, own]];
    case 'relu':
    case 'leakyRelu': {
      return [[name, throughLines(own, lines.get(node.name)!, at.get(name)!, total)]];
    }
    default:
      throw noBounds(node);
  }
}

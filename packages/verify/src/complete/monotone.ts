import { CertError, checkParams, INPUT, type InputBox, type Node, type NodeOf } from '@cert/core';
import { turn } from '@cert/jit';
import { type Enclosures, endsOf, ownError } from '../float64/enclosure.js';
import { enclose } from '../float64/intervals.js';
import { type Network64, valuesOf } from '../float64/network.js';
import { createHeap } from './heap.js';

/** Options of {@link decideMonotone}. */
export interface MonotonicityOptions {
  /** The box of inputs. */
  readonly box: InputBox;
  /** Index of the feature, from 0. */
  readonly feature: number;
  /** Linear function of the outputs, such as [-1, 1] for the margin of class 1 over class 0. */
  readonly score: readonly number[];
  /** Whether the score must not decrease (`increasing`, default) or must not increase. */
  readonly direction?: 'increasing' | 'decreasing';
  /** Time limit in seconds; default 60. */
  readonly timeout?: number;
  /** Aborts: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Result of {@link decideMonotone}. Plain data. */
export type MonotonicityDecision =
  | {
      /** The score is monotone on the whole box. */
      readonly verdict: 'verified';
      /** Lower bound of its derivative in the asked direction, >= 0; 0 if the feature has one value in the box and no such bound is known. */
      readonly slope: number;
      /** Parts of the box that were bounded. */
      readonly parts: number;
    }
  | {
      /** Two inputs show that the score is not monotone. */
      readonly verdict: 'falsified';
      /** The input with the smaller value of the feature. */
      readonly from: Float64Array;
      /** The same input with a larger value. */
      readonly to: Float64Array;
      /** Change of the score from the first to the second, rounded towards 0. */
      readonly change: number;
      /** Parts of the box that were bounded. */
      readonly parts: number;
    }
  | {
      /** Neither was shown. */
      readonly verdict: 'unknown';
      /** The time limit was reached, or a bound is NaN or infinite. */
      readonly reason: 'timeout' | 'not-finite';
      /** Parts of the box that were bounded. */
      readonly parts: number;
    };

/** An interval for each number of a node. */
interface Intervals {
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

/**
 * Decides whether a score of a network over the real numbers is monotone in one feature on a box: the derivative of every linear piece is
 * bounded by intervals, and the box is split where they are too wide. By the mean value theorem a derivative >= 0 on the box means
 * score(x + d e) >= score(x) for any two inputs of it. Bounds are in float64 with their rounding accounted for.
 *
 * @param network of dense layers, BatchNorm, affine layers, sums and (leaky) ReLUs over rows of features
 * @throws CertError `missing-rule` for another op; `bad-argument` for a feature or a score that does not fit;
 * `shape-mismatch` for parameters or statistics of another model
 */
export async function decideMonotone(
  network: Network64,
  { box, feature, score, direction = 'increasing', timeout = 60, signal }: MonotonicityOptions,
): Promise<MonotonicityDecision> {
  check(network, box, feature, score);
  if (!(timeout >= 0)) throw new CertError('bad-argument', `The timeout is ${timeout}.`, 'Give seconds >= 0.');
  const sign = direction === 'increasing' ? 1 : -1;
  // Then no two inputs of the box differ in the feature alone.
  const fixed = box.lower[feature] === box.upper[feature];
  const wanted = score.map((coefficient) => sign * coefficient);
  const deadline = performance.now() + 1000 * timeout;
  const open = createHeap<InputBox>();
  let [parts, least, turned] = [0, Number.POSITIVE_INFINITY, performance.now()];
  const look = (part: InputBox): MonotonicityDecision | undefined => {
    parts++;
    const slope = leastSlope(network, part, feature, wanted);
    if (Number.isNaN(slope)) return { verdict: 'unknown', reason: 'not-finite', parts };
    if (slope >= 0 || fixed) {
      least = Math.min(least, Math.max(0, slope));
      return undefined;
    }
    const found = decrease(network, part, feature, wanted);
    if (found !== undefined) return { verdict: 'falsified', ...found, change: sign * found.change, parts };
    open.push(slope, part);
    return undefined;
  };
  const first = look(box);
  if (first !== undefined) return first;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (performance.now() > deadline) return { verdict: 'unknown', reason: 'timeout', parts };
    for (const half of halves(next, widest(next, box))) {
      const settled = look(half);
      if (settled !== undefined) return settled;
    }
    if (performance.now() - turned > 50) {
      await turn();
      turned = performance.now();
      signal?.throwIfAborted();
    }
  }
  return { verdict: 'verified', slope: least, parts };
}

function check(network: Network64, { lower, upper }: InputBox, feature: number, score: readonly number[]): void {
  const { model, params, stats } = network;
  checkParams(model, params);
  checkParams(model, stats, 'stats');
  const [size = 0] = model.inputShape;
  const fits = (problem: string, cure: string) => new CertError('bad-argument', problem, cure);
  if (model.inputShape.length !== 1 || lower.length !== size || upper.length !== size) {
    throw fits(
      `The box has ${lower.length} inputs, but the network takes [${model.inputShape}].`,
      'Give a box of rows.',
    );
  }
  if (!lower.every((l, i) => l <= upper[i]! && Number.isFinite(l) && Number.isFinite(upper[i]!))) {
    throw fits('The box is empty, infinite or has a NaN.', 'Give finite ends with lower <= upper.');
  }
  if (!(Number.isInteger(feature) && feature >= 0 && feature < size)) {
    throw fits(`The feature is ${feature}.`, `Give an index from 0 to ${size - 1}.`);
  }
  if (score.length !== model.classes || !score.every(Number.isFinite)) {
    throw fits(`The score is [${score.join(', ')}].`, `Give ${model.classes} finite coefficients, one per output.`);
  }
}

/** A lower bound of the derivative of the score with respect to the feature on a box; NaN where there is none. */
function leastSlope(network: Network64, box: InputBox, feature: number, score: readonly number[]): number {
  const bounds = enclose(network, box, 'real');
  if (!bounds.usable) return Number.NaN;
  const { model } = network;
  const unit = Float64Array.from(box.lower, (_, i) => (i === feature ? 1 : 0));
  const slopes = new Map<string, Intervals>([[INPUT, { lower: unit, upper: unit }]]);
  const last = model.nodes.at(-1)!;
  for (const node of model.nodes) {
    const inputs = node.inputs.map((name) => slopes.get(name)!);
    if (node === last && node.op === 'dense') return fusedSlope(network, node, inputs[0]!, score);
    slopes.set(node.name, slopeOf(network, node, inputs, bounds));
  }
  const { lower, upper } = slopes.get(last.name)!;
  return sumOf(score.map((s, j) => product(s, s, lower[j]!, upper[j]!)));
}

/** The derivative of a node from those of its inputs. */
function slopeOf(network: Network64, node: Node, inputs: readonly Intervals[], bounds: Enclosures): Intervals {
  const [x, other] = inputs as [Intervals, Intervals | undefined];
  switch (node.op) {
    case 'dense': {
      const kernel = valuesOf(network, node.name, 'kernel');
      const outputs = node.shape[0]!;
      return fromTerms(outputs, (j) =>
        Array.from(x.lower, (l, i) => {
          const w = kernel[i * outputs + j]!;
          return product(w, w, l, x.upper[i]!);
        }),
      );
    }
    case 'add':
      return fromTerms(x.lower.length, (i) => [
        { lower: x.lower[i]!, upper: x.upper[i]! },
        { lower: other!.lower[i]!, upper: other!.upper[i]! },
      ]);
    case 'affine':
      return scaledBy(x, (i) => around(node.attrs.scale[i % node.attrs.scale.length]!));
    case 'batchNorm': {
      const [gamma, variance] = ['gamma', 'variance'].map((name) => valuesOf(network, node.name, name));
      return scaledBy(x, (i) => {
        const c = i % gamma!.length;
        return around(gamma![c]! / Math.sqrt(variance![c]! + node.attrs.epsilon));
      });
    }
    case 'relu':
    case 'leakyRelu': {
      const { lower, upper } = endsOf(bounds.at.get(node.inputs[0]!)!);
      const flat = node.op === 'relu' ? 0 : node.attrs.slope;
      const [low, high] = [Math.min(flat, 1), Math.max(flat, 1)];
      return scaledBy(x, (i) => {
        if (lower[i]! >= 0) return { lower: 1, upper: 1 };
        return upper[i]! <= 0 ? around(flat) : { lower: low, upper: high };
      });
    }
    case 'flatten':
    case 'reshape':
      return x;
    default:
      throw new CertError(
        'missing-rule',
        `Monotonicity has no rule for the op "${node.op}" (node "${node.name}").`,
        'Use a network of dense layers, BatchNorm, sums and (leaky) ReLUs.',
      );
  }
}

interface Ends {
  readonly lower: number;
  readonly upper: number;
}

/** The last dense layer and the score as one: the weights first, so that equal parts of two outputs cancel. */
function fusedSlope(network: Network64, node: NodeOf<'dense'>, x: Intervals, score: readonly number[]): number {
  const kernel = valuesOf(network, node.name, 'kernel');
  const terms = Array.from(x.lower, (l, i) => {
    const parts = score.map((s, j) => times(s, kernel[i * score.length + j]!));
    const weight = parts.reduce((a, b) => a + b, 0);
    const size = parts.reduce((sum, part) => sum + Math.abs(part), 0);
    const error = size === 0 ? 0 : ownError(score.length + 2) * size + score.length * Number.MIN_VALUE;
    return product(weight - error, weight + error, l, x.upper[i]!);
  });
  return sumOf(terms);
}

/** An interval of relative width 16 U around a number that was computed in a few roundings. */
function around(x: number): Ends {
  const slack = Math.abs(x) * ownError(16);
  return x === 0 ? { lower: 0, upper: 0 } : { lower: x - slack, upper: x + slack };
}

/** The product of two intervals; an end that is 0 stays exactly 0. */
function product(a: number, b: number, c: number, d: number): Ends {
  const all = [times(a, c), times(a, d), times(b, c), times(b, d)];
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const outwards = (x: number, sign: 1 | -1) =>
    x === 0 ? 0 : x + sign * (Math.abs(x) * ownError(2) + Number.MIN_VALUE);
  const [lower, upper] = [outwards(least, -1), outwards(most, 1)];
  // Rounding outwards does not change a sign.
  return { lower: least > 0 ? Math.max(0, lower) : lower, upper: most < 0 ? Math.min(0, upper) : upper };
}

/** A product that underflows is the smallest number of its sign. */
const times = (x: number, y: number): number => {
  const exact = x * y;
  return exact !== 0 || x === 0 || y === 0 ? exact : Math.sign(x) * Math.sign(y) * Number.MIN_VALUE;
};

/** A lower bound of a sum of intervals; terms that are all >= 0 have a sum >= 0. */
function sumOf(terms: readonly Ends[]): number {
  let [sum, size, negative] = [0, 0, false];
  for (const { lower } of terms) {
    sum += lower;
    size += Math.abs(lower);
    negative ||= lower < 0;
  }
  const lower = sum - size * ownError(terms.length + 2);
  return negative ? lower : Math.max(0, lower);
}

const negated = ({ lower, upper }: Ends): Ends => ({ lower: -upper, upper: -lower });

function fromTerms(count: number, termsOf: (i: number) => readonly Ends[]): Intervals {
  const [lower, upper] = [new Float64Array(count), new Float64Array(count)];
  for (let i = 0; i < count; i++) {
    const terms = termsOf(i);
    lower[i] = sumOf(terms);
    upper[i] = -sumOf(terms.map(negated));
  }
  return { lower, upper };
}

const scaledBy = (x: Intervals, factor: (i: number) => Ends): Intervals =>
  fromTerms(x.lower.length, (i) => {
    const { lower, upper } = factor(i);
    return [product(lower, upper, x.lower[i]!, x.upper[i]!)];
  });

/** Two inputs of a box between which the score decreases, by more than rounding; undefined where the tried ones show none. */
function decrease(network: Network64, { lower, upper }: InputBox, feature: number, score: readonly number[]) {
  const center = lower.map((l, i) => (l + upper[i]!) / 2);
  for (const base of [center, lower, upper]) {
    const from = base.slice();
    const to = base.slice();
    from[feature] = lower[feature]!;
    to[feature] = upper[feature]!;
    const [before, after] = [scoreAt(network, from, score), scoreAt(network, to, score)];
    if (after.upper < before.lower) return { from, to, change: after.upper - before.lower };
  }
  return undefined;
}

/** The score at a point, enclosed. */
function scoreAt(network: Network64, x: Float64Array, score: readonly number[]): Ends {
  const { at } = enclose(network, { lower: x, upper: x }, 'real');
  const { lower, upper } = endsOf(at.get(network.model.nodes.at(-1)!.name)!);
  const terms = score.map((s, j) => product(s, s, lower[j]!, upper[j]!));
  return { lower: sumOf(terms), upper: -sumOf(terms.map(negated)) };
}

/** The coordinate that is widest in relation to the whole box. */
function widest({ lower, upper }: InputBox, whole: InputBox): number {
  let [best, size] = [0, -1];
  for (let i = 0; i < lower.length; i++) {
    const full = whole.upper[i]! - whole.lower[i]!;
    const share = full === 0 ? 0 : (upper[i]! - lower[i]!) / full;
    if (share > size) [best, size] = [i, share];
  }
  return best;
}

function halves({ lower, upper }: InputBox, at: number): readonly InputBox[] {
  const middle = (lower[at]! + upper[at]!) / 2;
  const [below, above] = [upper.slice(), lower.slice()];
  below[at] = middle;
  above[at] = middle;
  return [
    { lower, upper: below },
    { lower: above, upper },
  ];
}

import { INPUT, type Node, type NodeOf, type Shape, sizeOf } from '@cert/core';
import type { Ball } from '../box.js';
import { movesOf } from '../execute/moves.js';
import { gatherIndices, windowsOf } from '../execute/windows.js';
import type { HostNetwork } from '../network.js';
import type { BoundFunction, Level } from '../sampler/check-contains.js';
import {
  add,
  compare,
  type Dyadic,
  divide,
  dyadic,
  type Enclosure,
  multiply,
  negate,
  squareRoot,
  subtract,
  toNumber,
  ZERO,
} from './dyadic.js';
import {
  absolute,
  greatest,
  hull,
  leaked,
  least,
  most,
  over,
  plus,
  point,
  reach,
  rectified,
  times,
  widen,
} from './enclosure.js';

/** Forms of execution that go beyond sums in any order; default both. */
export interface ReferenceOptions {
  /** Denormal operands may be read as 0, not only denormal results. */
  readonly denormalOperands?: boolean;
  /** A residual may begin the sum of the layer that it is added to. */
  readonly fusedResidual?: boolean;
}

const U = dyadic(2 ** -24);
const ETA = dyadic(2 ** -126);
const TWO = dyadic(2);
const int = (n: number) => dyadic(n);

/** n u / (1 - n u), from above. */
const gamma = (n: number): Dyadic => {
  const product = multiply(int(n), U);
  return divide(product, subtract(dyadic(1), product)).upper;
};

/** A sum of products before its rounding: its range, and the sum of the magnitudes of its terms. */
interface Sum {
  readonly value: Enclosure;
  readonly magnitude: Dyadic;
  readonly terms: number;
  /** Sum of |w| and |x|, for denormal operands that are read as 0. */
  readonly operands: Dyadic;
}

/**
 * Interval bound propagation in exact arithmetic, with the rounding errors of every float32 execution at level `deployed`: a direct
 * transcription of the standard bound |fl(s) - s| <= g(n + 1) sum |w||x| + eta for every sum. Slow and simple; what a fast verifier is
 * compared with, and what the sampler must never contradict.
 */
export const referenceIbp =
  ({ denormalOperands = true, fusedResidual = true }: ReferenceOptions = {}): BoundFunction =>
  (network, ball, level) => {
    const output = propagate(network, ball, level, { denormalOperands, fusedResidual });
    // Rounded outwards to float64.
    return {
      lower: output.map(({ lower }) => roundedDown(lower)),
      upper: output.map(({ upper }) => -roundedDown(negate(upper))),
    };
  };

function roundedDown(x: Dyadic): number {
  const near = toNumber(x);
  return compare(dyadic(near), x) > 0 ? near - Math.max(Math.abs(near) * 2 ** -52, 2 ** -1070) : near;
}

function propagate(
  { model, params, stats }: HostNetwork,
  { image, epsilon, range }: Ball,
  level: Level,
  options: Required<ReferenceOptions>,
): readonly Enclosure[] {
  const deployed = level === 'deployed';
  const radius = dyadic(epsilon);
  const input = Array.from(image, (x): Enclosure => {
    const ball = { lower: subtract(dyadic(x), radius), upper: add(dyadic(x), radius) };
    const clipped =
      range === null
        ? ball
        : { lower: greatest(ball.lower, dyadic(range.min)), upper: least(ball.upper, dyadic(range.max)) };
    return deployed && options.denormalOperands ? widen(clipped, ETA) : clipped;
  });
  const at = new Map<string, readonly Enclosure[]>([[INPUT, input]]);
  const shapes = new Map<string, Shape>([[INPUT, model.inputShape]]);
  const sums = new Map<string, (scale?: readonly Enclosure[], shift?: readonly Channel[]) => readonly Sum[]>();

  const rounded = ({ value, magnitude, terms, operands }: Sum): Enclosure => {
    if (!deployed) return value;
    const error = add(multiply(gamma(terms + 1), magnitude), multiply(int(2 * terms + 2), ETA));
    return widen(value, options.denormalOperands ? add(error, multiply(ETA, operands)) : error);
  };
  const numbers = (tree: HostNetwork['params'], node: string, name: string) =>
    Array.from(tree[node]![name]!.data, dyadic);

  for (const node of model.nodes) {
    const inputs = node.inputs.map((name) => at.get(name)!);
    const [x, other] = inputs as [readonly Enclosure[], readonly Enclosure[]];
    const shape = shapes.get(node.inputs[0]!)!;
    const each = (f: (i: number) => Enclosure) => Array.from({ length: sizeOf(node.shape) }, (_, i) => f(i));
    let values: readonly Enclosure[];
    if (node.op === 'conv2d' || node.op === 'dense') {
      const [kernel, bias] = [numbers(params, node.name, 'kernel'), numbers(params, node.name, 'bias')];
      const make = (scale?: readonly Enclosure[], shift?: readonly Channel[]) =>
        sumsOf(node, shape, x, kernel, bias, scale, shift);
      sums.set(node.name, make);
      values = make().map(rounded);
    } else if (node.op === 'batchNorm') {
      const channels = channelsOf(node, (name) =>
        numbers(name === 'gamma' || name === 'beta' ? params : stats, node.name, name),
      );
      values = each((i) => scaled(x[i]!, channels[i % channels.length]!, deployed, options));
      const before = sums.get(node.inputs[0]!);
      if (deployed && before !== undefined) {
        const made = before(
          channels.map((c) => widen(c.scale, multiply(int(10), multiply(U, reach(c.scale))))),
          channels,
        );
        sums.set(node.name, () => made);
        values = values.map((value, i) => hull(value, rounded(made[i]!)));
      }
    } else if (node.op === 'affine') {
      const { scale, shift } = node.attrs;
      const channels = scale.map((s, c) => ({ scale: point(dyadic(s)), beta: dyadic(shift[c]!), mean: ZERO }));
      values = each((i) => scaled(x[i]!, channels[i % channels.length]!, deployed, options));
    } else if (node.op === 'relu') {
      values = x.map(rectified);
    } else if (node.op === 'leakyRelu') {
      const slope = dyadic(node.attrs.slope);
      values = x.map((value) => (deployed ? leakedDeployed(slope, value, options) : leaked(slope, value)));
    } else if (node.op === 'flatten' || node.op === 'reshape') {
      values = x;
    } else if (node.op === 'transpose' || node.op === 'concat') {
      const { input, place } = movesOf(
        node,
        node.inputs.map((name) => shapes.get(name)!),
      );
      values = each((i) => inputs[input[i]!]![place[i]!]!);
    } else if (node.op === 'maxPool') {
      const [channels, windows] = [node.shape.at(-1)!, windowsOf(node, shape)];
      values = each((i) => {
        const { pixels } = windows[Math.floor(i / channels)]!;
        return most(Array.from(pixels, (pixel) => x[pixel * channels + (i % channels)]!));
      });
    } else if (node.op === 'add') {
      values = each((i) => {
        const value = plus(x[i]!, other[i]!);
        return deployed ? widen(value, add(multiply(U, add(reach(x[i]!), reach(other[i]!))), ETA)) : value;
      });
      if (deployed && options.fusedResidual) {
        node.inputs.forEach((branch, side) => {
          const begun = sums.get(branch)?.();
          const rest = inputs[1 - side]!;
          if (begun === undefined) return;
          values = values.map((value, i) => {
            const { value: v, magnitude, terms, operands } = begun[i]!;
            const fused = {
              value: plus(v, rest[i]!),
              magnitude: add(magnitude, reach(rest[i]!)),
              terms: terms + 1,
              operands,
            };
            return hull(value, rounded(fused));
          });
        });
      }
    } else if (node.op === 'globalAvgPool' || node.op === 'avgPool') {
      values = averages(node, shape, x, deployed);
    } else {
      throw new RangeError(`The reference has no rule for "${(node as Node).op}".`);
    }
    at.set(node.name, values);
    shapes.set(node.name, node.shape);
  }
  return at.get(model.nodes.at(-1)!.name)!;
}

/** A batch normalization of one channel: (x - mean) * scale + beta. */
interface Channel {
  readonly scale: Enclosure;
  readonly mean: Dyadic;
  readonly beta: Dyadic;
}

function channelsOf(node: NodeOf<'batchNorm'>, numbers: (name: string) => readonly Dyadic[]): Channel[] {
  const [gammas, beta, mean, variance] = ['gamma', 'beta', 'mean', 'variance'].map(numbers) as [
    Dyadic[],
    Dyadic[],
    Dyadic[],
    Dyadic[],
  ];
  return gammas.map((g, c) => {
    const root = squareRoot(add(variance[c]!, dyadic(node.attrs.epsilon)));
    const scale = hull(divide(g, root.lower), divide(g, root.upper));
    return { scale, mean: mean[c]!, beta: beta[c]! };
  });
}

/** x as (x - mean) * scale + beta, in any of its forms. */
function scaled(
  x: Enclosure,
  { scale, mean, beta }: Channel,
  deployed: boolean,
  { denormalOperands }: Required<ReferenceOptions>,
): Enclosure {
  const value = plus(times(scale, plus(x, point(negate(mean)))), point(beta));
  if (!deployed) return value;
  const size = add(multiply(reach(scale), add(reach(x), absolute(mean))), absolute(beta));
  const operands = denormalOperands ? add(reach(x), add(reach(scale), int(1))) : int(1);
  return widen(
    value,
    add(multiply(multiply(int(11), U), size), multiply(multiply(int(8), ETA), add(operands, reach(scale)))),
  );
}

function sumsOf(
  node: NodeOf<'conv2d'> | NodeOf<'dense'>,
  shape: Shape,
  x: readonly Enclosure[],
  kernel: readonly Dyadic[],
  bias: readonly Dyadic[],
  scale?: readonly Enclosure[],
  shift?: readonly Channel[],
): readonly Sum[] {
  const { count, groups, gather } = gatherIndices(node, shape);
  const filters = node.shape.at(-1)!;
  const perGroup = filters / groups;
  return Array.from({ length: sizeOf(node.shape) }, (_, i): Sum => {
    const f = i % filters;
    const first = Math.floor(i / perGroup) * count;
    let value = point(bias[f]!);
    if (scale !== undefined) {
      const { mean, beta, scale: exact } = shift![f]!;
      const size = add(multiply(reach(exact), add(absolute(bias[f]!), absolute(mean))), absolute(beta));
      const folded = plus(times(exact, point(subtract(bias[f]!, mean))), point(beta));
      value = widen(folded, add(multiply(multiply(int(11), U), size), multiply(int(8), ETA)));
    }
    let magnitude = reach(value);
    let operands = int(1);
    for (let k = 0; k < count; k++) {
      const from = gather[first + k]!;
      if (from >= x.length) continue;
      const w = kernel[k * filters + f]!;
      const weight = scale === undefined ? point(w) : widen(times(scale[f]!, point(w)), ETA);
      value = plus(value, times(weight, x[from]!));
      magnitude = add(magnitude, multiply(reach(weight), reach(x[from]!)));
      operands = add(operands, add(reach(weight), reach(x[from]!)));
    }
    return { value, magnitude, terms: count, operands };
  });
}

/** A leaky ReLU: two roundings where x is negative, of the slope and of the product. Either may be flushed. */
function leakedDeployed(slope: Dyadic, x: Enclosure, { denormalOperands }: Required<ReferenceOptions>): Enclosure {
  const value = leaked(slope, x);
  if (x.lower.m >= 0n) return value;
  const size = absolute(x.lower);
  // A slope that is denormal is rounded to a multiple of 2^-149, or flushed.
  const ofSlope = add(multiply(gamma(2), slope), denormalOperands ? ETA : multiply(U, ETA));
  return widen(value, add(multiply(ofSlope, size), ETA));
}

/** Means over windows: the sum, a quotient, and at most two roundings more where it is rescaled. */
function averages(
  node: NodeOf<'avgPool'> | NodeOf<'globalAvgPool'>,
  shape: Shape,
  x: readonly Enclosure[],
  deployed: boolean,
): Enclosure[] {
  const channels = node.shape.at(-1)!;
  const windows = windowsOf(node, shape);
  return Array.from({ length: sizeOf(node.shape) }, (_, i): Enclosure => {
    const { pixels, count, places } = windows[Math.floor(i / channels)]!;
    const seen = Array.from(pixels, (pixel) => x[pixel * channels + (i % channels)]!);
    const mean = over(seen.reduce(plus, point(ZERO)), int(count));
    if (!deployed) return mean;
    const size = divide(
      seen.reduce((s, value) => add(s, reach(value)), ZERO),
      int(count),
    ).upper;
    return widen(mean, add(multiply(gamma(seen.length + 2), size), multiply(multiply(TWO, int(places)), ETA)));
  });
}

import { CertError, INPUT, type Node, type NodeOf, type Shape, sizeOf } from '@cert/core';
import { gatherIndices, windowsOf } from '../execute/windows.js';
import type { HostNetwork } from '../network.js';
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
  ZERO,
} from './dyadic.js';

/** The values of a node: lower and upper ends that are equal unless a root or a quotient came before. */
export interface ExactValues {
  readonly lower: readonly Dyadic[];
  readonly upper: readonly Dyadic[];
}

/**
 * The logits of a network over the real numbers, with its parameters as exact numbers and its decimal constants as the float64 numbers that
 * the model holds. No rounding: where a batch normalization or an average makes an irrational or non-dyadic number, the result is an
 * enclosure of relative width far below 1e-50. For small networks; BigInt takes about a microsecond for each product.
 *
 * @param image finite numbers, row-major [...inputShape]; float64 numbers are taken as they are
 * @throws CertError `missing-rule` for an op of a plug-in
 */
export function executeExact({ model, params, stats }: HostNetwork, image: ArrayLike<number>): ExactValues {
  const input = Array.from({ length: sizeOf(model.inputShape) }, (_, i) => dyadic(image[i]!));
  const values = new Map<string, ExactValues>([[INPUT, { lower: input, upper: input }]]);
  const shapes = new Map<string, Shape>([[INPUT, model.inputShape]]);
  for (const node of model.nodes) {
    const inputs = node.inputs.map((name) => values.get(name)!);
    const own = { ...params[node.name], ...stats[node.name] };
    const tensors = Object.fromEntries(
      Object.entries(own).map(([name, { data }]) => [name, Array.from(data, (x) => dyadic(x))]),
    );
    values.set(node.name, valuesOf(node, tensors, inputs, shapes.get(node.inputs[0]!)!));
    shapes.set(node.name, node.shape);
  }
  return values.get(model.nodes.at(-1)!.name)!;
}

type Tensors = { readonly [name: string]: readonly Dyadic[] };

const both = (x: Dyadic): Enclosure => ({ lower: x, upper: x });
const sum = (a: Enclosure, b: Enclosure): Enclosure => ({ lower: add(a.lower, b.lower), upper: add(a.upper, b.upper) });

/** The product of a number and an interval. */
const scale = (w: Dyadic, { lower, upper }: Enclosure): Enclosure =>
  w.m >= 0n
    ? { lower: multiply(w, lower), upper: multiply(w, upper) }
    : { lower: multiply(w, upper), upper: multiply(w, lower) };

/** The product of two intervals. */
function product(a: Enclosure, b: Enclosure): Enclosure {
  const [first, ...rest] = [scale(a.lower, b), scale(a.upper, b)] as [Enclosure, Enclosure];
  return rest.reduce(
    (c, d) => ({
      lower: compare(c.lower, d.lower) < 0 ? c.lower : d.lower,
      upper: compare(c.upper, d.upper) > 0 ? c.upper : d.upper,
    }),
    first,
  );
}

function valuesOf(node: Node, tensors: Tensors, inputs: readonly ExactValues[], inputShape: Shape): ExactValues {
  const [x, other] = inputs as [ExactValues, ExactValues];
  const at = ({ lower, upper }: ExactValues, i: number): Enclosure => ({ lower: lower[i]!, upper: upper[i]! });
  const each = (f: (i: number) => Enclosure): ExactValues => {
    const made = Array.from({ length: sizeOf(node.shape) }, (_, i) => f(i));
    return { lower: made.map(({ lower }) => lower), upper: made.map(({ upper }) => upper) };
  };
  switch (node.op) {
    case 'dense':
    case 'conv2d': {
      const { count, groups, gather } = gatherIndices(node, inputShape);
      const filters = node.shape.at(-1)!;
      const perGroup = filters / groups;
      return each((i) => {
        const first = Math.floor(i / perGroup) * count;
        let total = both(tensors.bias![i % filters]!);
        for (let k = 0; k < count; k++) {
          const from = gather[first + k]!;
          if (from < x.lower.length)
            total = sum(total, scale(tensors.kernel![k * filters + (i % filters)]!, at(x, from)));
        }
        return total;
      });
    }
    case 'batchNorm': {
      const channels = tensors.gamma!.map((gamma, c) => {
        const root = squareRoot(add(tensors.variance![c]!, dyadic(node.attrs.epsilon)));
        const [a, b] = [divide(gamma, root.lower), divide(gamma, root.upper)];
        return {
          lower: compare(a.lower, b.lower) < 0 ? a.lower : b.lower,
          upper: compare(a.upper, b.upper) > 0 ? a.upper : b.upper,
        };
      });
      return each((i) => {
        const c = i % channels.length;
        const centered = sum(at(x, i), both(negate(tensors.mean![c]!)));
        return sum(product(channels[c]!, centered), both(tensors.beta![c]!));
      });
    }
    case 'affine': {
      const [factor, shift] = [node.attrs.scale.map(dyadic), node.attrs.shift.map(dyadic)];
      return each((i) => sum(scale(factor[i % factor.length]!, at(x, i)), both(shift[i % shift.length]!)));
    }
    case 'relu': {
      const rectify = (value: Dyadic) => (value.m > 0n ? value : ZERO);
      return { lower: x.lower.map(rectify), upper: x.upper.map(rectify) };
    }
    case 'flatten':
      return x;
    case 'add':
      return each((i) => sum(at(x, i), at(other, i)));
    case 'globalAvgPool':
    case 'avgPool':
      return average(node, x, inputShape);
    default:
      throw noRule(node);
  }
}

function average(node: NodeOf<'avgPool'> | NodeOf<'globalAvgPool'>, x: ExactValues, inputShape: Shape): ExactValues {
  const channels = node.shape.at(-1)!;
  const windows = windowsOf(node, inputShape);
  const end = (values: readonly Dyadic[], side: 'lower' | 'upper') =>
    Array.from({ length: sizeOf(node.shape) }, (_, i) => {
      const pixels = windows[Math.floor(i / channels)]!;
      const total = pixels.reduce((s, pixel) => add(s, values[pixel * channels + (i % channels)]!), ZERO);
      return divide(total, dyadic(pixels.length))[side];
    });
  return { lower: end(x.lower, 'lower'), upper: end(x.upper, 'upper') };
}

const noRule = ({ op, name }: Pick<Node, 'op' | 'name'>) =>
  new CertError(
    'missing-rule',
    `The exact execution has no rule for "${op}" (node "${name}").`,
    'Use the ops of @cert/core.',
  );

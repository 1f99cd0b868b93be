import { CertError, INPUT, type Node, type Shape, sizeOf } from '@cert/core';
import { movesOf } from '../execute/moves.js';
import { gatherIndices, windowsOf } from '../execute/windows.js';
import type { HostNetwork } from '../network.js';
import { add, type Dyadic, divide, dyadic, type Enclosure, negate, squareRoot, ZERO } from './dyadic.js';
import { hull, leaked, most, over, plus, point, rectified, scale, times } from './enclosure.js';

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
    const inputShapes = node.inputs.map((name) => shapes.get(name)!);
    values.set(node.name, valuesOf(node, tensors, inputs, inputShapes));
    shapes.set(node.name, node.shape);
  }
  return values.get(model.nodes.at(-1)!.name)!;
}

type Tensors = { readonly [name: string]: readonly Dyadic[] };

function valuesOf(
  node: Node,
  tensors: Tensors,
  inputs: readonly ExactValues[],
  inputShapes: readonly Shape[],
): ExactValues {
  const inputShape = inputShapes[0]!;
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
        let total = point(tensors.bias![i % filters]!);
        for (let k = 0; k < count; k++) {
          const from = gather[first + k]!;
          if (from < x.lower.length)
            total = plus(total, scale(tensors.kernel![k * filters + (i % filters)]!, at(x, from)));
        }
        return total;
      });
    }
    case 'batchNorm': {
      const channels = tensors.gamma!.map((gamma, c) => {
        const root = squareRoot(add(tensors.variance![c]!, dyadic(node.attrs.epsilon)));
        return hull(divide(gamma, root.lower), divide(gamma, root.upper));
      });
      return each((i) => {
        const c = i % channels.length;
        const centered = plus(at(x, i), point(negate(tensors.mean![c]!)));
        return plus(times(channels[c]!, centered), point(tensors.beta![c]!));
      });
    }
    case 'affine': {
      const [factor, shift] = [node.attrs.scale.map(dyadic), node.attrs.shift.map(dyadic)];
      return each((i) => plus(scale(factor[i % factor.length]!, at(x, i)), point(shift[i % shift.length]!)));
    }
    case 'relu':
      return each((i) => rectified(at(x, i)));
    case 'leakyRelu': {
      const slope = dyadic(node.attrs.slope);
      return each((i) => leaked(slope, at(x, i)));
    }
    case 'flatten':
    case 'reshape':
      return x;
    case 'transpose':
    case 'concat': {
      const { input, place } = movesOf(node, inputShapes);
      return each((i) => at(inputs[input[i]!]!, place[i]!));
    }
    case 'add':
      return each((i) => plus(at(x, i), at(other, i)));
    case 'maxPool':
    case 'globalAvgPool':
    case 'avgPool': {
      const [channels, windows] = [node.shape.at(-1)!, windowsOf(node, inputShape)];
      return each((i) => {
        const { pixels, count } = windows[Math.floor(i / channels)]!;
        const seen = Array.from(pixels, (pixel) => at(x, pixel * channels + (i % channels)));
        return node.op === 'maxPool' ? most(seen) : over(seen.reduce(plus, point(ZERO)), dyadic(count));
      });
    }
    default:
      throw noRule(node);
  }
}

const noRule = ({ op, name }: Pick<Node, 'op' | 'name'>) =>
  new CertError(
    'missing-rule',
    `The exact execution has no rule for "${op}" (node "${name}").`,
    'Use the ops of @cert/core.',
  );

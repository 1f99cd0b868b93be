import { CertError, INPUT, type Node, type Shape, sizeOf } from '@cert/core';
import { gatherIndices } from '../execute/windows.js';
import type { HostNetwork } from '../network.js';

/** The value of a neuron as a linear function of other neurons: constant + sum of weight times value. */
interface LinearNeuron {
  readonly constant: number;
  readonly terms: readonly { readonly node: string; readonly index: number; readonly weight: number }[];
}

/** A node as equations of its neurons, row-major. */
export type NodeEquations =
  | { readonly name: string; readonly kind: 'linear'; readonly neurons: readonly LinearNeuron[] }
  | { readonly name: string; readonly kind: 'relu'; readonly input: string; readonly size: number };

/** Lower and upper ends of the neurons of one node, row-major. */
export interface Ends {
  readonly lower: ArrayLike<number>;
  readonly upper: ArrayLike<number>;
}

/**
 * The nodes of a network of ReLUs and linear ops as equations, in order. Weights are the float32 numbers of the network.
 *
 * @throws CertError `missing-rule` for an op other than dense, conv2d, add, flatten and relu
 */
export function equationsOf(network: HostNetwork): NodeEquations[] {
  const shapes = new Map<string, Shape>([[INPUT, network.model.inputShape]]);
  return network.model.nodes.map((node) => {
    const [input] = node.inputs as [string];
    const from = shapes.get(input)!;
    shapes.set(node.name, node.shape);
    return node.op === 'relu'
      ? { name: node.name, kind: 'relu', input, size: sizeOf(node.shape) }
      : { name: node.name, kind: 'linear', neurons: linearNeurons(network, node, from) };
  });
}

function linearNeurons({ params }: HostNetwork, node: Node, from: Shape): LinearNeuron[] {
  const each = (f: (i: number) => LinearNeuron) => Array.from({ length: sizeOf(node.shape) }, (_, i) => f(i));
  if (node.op === 'flatten' || node.op === 'add') {
    return each((index) => ({ constant: 0, terms: node.inputs.map((name) => ({ node: name, index, weight: 1 })) }));
  }
  if (node.op !== 'dense' && node.op !== 'conv2d') {
    throw new CertError(
      'missing-rule',
      `There are no equations for "${node.op}" (node "${node.name}").`,
      'Use a network of dense, conv2d, add, flatten and relu.',
    );
  }
  const { count, groups, gather } = gatherIndices(node, from);
  const filters = node.shape.at(-1)!;
  const { kernel, bias } = params[node.name]!;
  return each((i) => {
    const first = Math.floor((i * groups) / filters) * count;
    const terms = Array.from({ length: count }, (_, k) => ({
      ...{ node: node.inputs[0]!, index: gather[first + k]! },
      weight: kernel!.data[k * filters + (i % filters)]!,
    }));
    // The index one past the input stands for padding.
    return { constant: bias!.data[i % filters]!, terms: terms.filter(({ index }) => index < sizeOf(from)) };
  });
}

/** Interval bounds of every node in float64, the input included. */
export function intervalsOf(equations: readonly NodeEquations[], box: Ends): Map<string, Ends> {
  const at = new Map<string, Ends>([[INPUT, box]]);
  for (const node of equations) {
    if (node.kind === 'relu') {
      const { lower, upper } = at.get(node.input)!;
      const relu = (ends: ArrayLike<number>) => Array.from(ends, (x) => Math.max(0, x));
      at.set(node.name, { lower: relu(lower), upper: relu(upper) });
      continue;
    }
    const least = (sign: 1 | -1) =>
      node.neurons.map(({ constant, terms }) =>
        terms.reduce((sum, { node: from, index, weight }) => {
          const { lower, upper } = at.get(from)!;
          return sum + weight * (sign * weight >= 0 ? lower : upper)[index]!;
        }, constant),
      );
    at.set(node.name, { lower: least(1), upper: least(-1) });
  }
  return at;
}

/** What readers of network files make. */
import { type Layer, sizeOf, type Value } from './layers.js';
import { demand } from './refused.js';

export interface Network {
  /** The shape of one example. */
  readonly inputShape: readonly number[];
  readonly classes: number;
  /** Those that the logits need, each after its inputs: the input of the network first, the logits last. */
  readonly layers: readonly Layer[];
  /** SHA-256 of each tensor of the graph, by name. */
  readonly tensors: ReadonlyMap<string, string>;
}

/** A float32 tensor of the file. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Whether two shapes are the same. */
export const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((n, i) => n === b[i]);

/** The input of a network. */
export function inputOf(shape: readonly number[]): Layer {
  const size = sizeOf(shape);
  demand(size <= 2 ** 26, `the input has the shape [${shape}], more than 2^26 numbers`);
  return { kind: 'input', name: 'input', inputs: [], size };
}

/** max(x, 0) of a value, or the sum of two. */
export function plain(kind: 'relu' | 'add', name: string, values: readonly Value[]): Layer {
  const [{ layer, shape }, second = values[0]!] = values as [Value, Value?];
  demand(same(shape, second.shape), `no rule for values of [${shape}] and [${second.shape}]`);
  return { kind, name, inputs: values.map((value) => value.layer), size: layer.size };
}

/** The layers that a layer needs, in order, itself last. A convolution that went into the normalization after it is not among them. */
export function layersBehind(layer: Layer, found = new Set<Layer>()): readonly Layer[] {
  for (const input of layer.inputs) if (!found.has(input)) layersBehind(input, found);
  return [...found.add(layer)];
}

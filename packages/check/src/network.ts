/** What readers of network files make: layers, and the values of the file's graph that they compute. */
import { type Layer, sizeOf } from './layers.js';
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

/** A value of the graph: the layer that computes it, and its shape as the file gives it. */
export interface Value {
  readonly layer: Layer;
  readonly shape: readonly number[];
}

/** Whether two shapes are the same. */
export const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((n, i) => n === b[i]);

/** The input of a network. */
export function inputOf(shape: readonly number[]): Value {
  const size = sizeOf(shape);
  demand(size <= 2 ** 26, `the input has the shape [${shape}], more than 2^26 numbers`);
  return { layer: { kind: 'input', name: 'input', inputs: [], size }, shape };
}

/** max(x, 0) of a value, or the sum of two. */
export function plain(kind: 'relu' | 'add', name: string, values: readonly Value[]): Value {
  const [{ layer, shape }, second] = values as [Value, Value?];
  const { size } = layer;
  demand(second === undefined || same(shape, second.shape), `no rule for values of [${shape}] and [${second?.shape}]`);
  return { layer: { kind, name, inputs: values.map((value) => value.layer), size }, shape };
}

/** The layers that a layer needs, in order, itself last. A convolution that went into the normalization after it is not among them. */
export function layersBehind(layer: Layer, found = new Set<Layer>()): readonly Layer[] {
  for (const input of layer.inputs) if (!found.has(input)) layersBehind(input, found);
  return [...found.add(layer)];
}

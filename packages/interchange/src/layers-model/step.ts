import type { HostTensor, Layer, Op, Shape } from '@cert/core';
import type { LayerConfig } from './config.js';
import { badLayer, type NamedLayer, unsupported } from './errors.js';
import type { Value } from './value.js';

/** A call of a layer at work. */
export interface Step {
  readonly layer: NamedLayer;
  readonly config: LayerConfig;
  readonly inputs: readonly Value[];
  /** Adds a node to the model, and returns its name: that of the layer with a suffix. */
  place<K extends Op>(layer: Layer<K>, inputs: readonly string[], suffix: string): string;
  /** The shape of a node of the model. */
  shapeOf(node: string): Shape;
  /** Sets the parameters of a node. */
  setParams(node: string, params: { readonly [name: string]: HostTensor }): void;
  /** Sets the running statistics of a node. */
  setStats(node: string, stats: { readonly [name: string]: HostTensor }): void;
  /**
   * Weights of the layer, float32 and finite.
   *
   * @param names that the weight may have
   * @throws CertError `bad-file` naming the layer, where it is missing, has another shape, or a number that is not finite
   */
  weights(names: readonly string[], shape: Shape): HostTensor;
  /** The shape of a weight of the layer; undefined where there is none. */
  shapeOfWeights(name: string): Shape | undefined;
  /** What the reader of the result should know. */
  note(text: string): void;
}

/** The input of a layer that has one. */
export function onlyInput(step: Step): Value {
  const [value, ...others] = step.inputs;
  if (value !== undefined && others.length === 0) return value;
  throw badLayer(step.layer, `which is called with ${step.inputs.length} inputs instead of one`);
}

/** Whether a layer reads images as [channels, height, width]. */
export function readsChannelsFirst(step: Step): boolean {
  const format = step.config.text('data_format', 'channels_last');
  if (format === 'channels_last' || format === 'channels_first') return format === 'channels_first';
  throw badLayer(step.layer, `whose setting "data_format" is "${format.slice(0, 40)}"`);
}

/** An axis of a value without the batch axis; the file counts the batch as axis 0, and negative axes from the end. */
export function axisOf({ layer }: Step, axis: number, rank: number): number {
  const own = axis < 0 ? axis + rank : axis - 1;
  if (own >= 0 && own < rank && axis !== 0) return own;
  throw unsupported(layer, `its axis is ${axis} for ${rank + 1} axes`, 'Use an axis behind the batch axis.');
}

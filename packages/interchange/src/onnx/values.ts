import type { HostTensor } from '@cert/core';
import type { Order } from './order.js';

/** A value that does not depend on the network's input. */
export interface Constant {
  readonly kind: 'constant';
  /** The name that the file gives it, for errors. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Whether these are whole numbers: shapes, axes. */
  readonly integer: boolean;
  /** In C order. */
  readonly data: Float32Array | Float64Array;
}

/** A value that a node of the model computes. Reshaping and transposing change how it is seen, and add no node. */
export interface Computed {
  readonly kind: 'computed';
  /** The model's node, or `input`. */
  readonly node: string;
  /** The shape in the ONNX graph, the batch axis included where the file has one. */
  readonly shape: readonly number[];
  /** Where the elements of this shape are in the model's node. */
  readonly order: Order;
}

/** What a name of the ONNX graph stands for. */
export type Value = Constant | Computed;

/** Parameters or statistics that are being collected. */
export type GrowingParams = { [node: string]: { [name: string]: HostTensor } };

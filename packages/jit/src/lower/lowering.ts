import type { Builder } from '../graph/builder.js';
import type { Value } from '../graph/ir.js';

/** A kernel: its operands and attributes, as TensorFlow.js declares them. */
export interface Kernel<Inputs, Attrs = object> {
  readonly inputs: Inputs;
  readonly attrs: Attrs;
}

/** The operands of a kernel by TensorFlow.js's names (`x`, `a`, `b`, `dy`), or by 0, 1, ... for a kernel that takes a list. */
type Operands<Inputs> = Inputs extends readonly unknown[]
  ? { readonly [index: string]: Value }
  : { readonly [Name in keyof Inputs]: Value };

/** Expresses one TensorFlow.js kernel by primitives. */
export type Lowering<K extends Kernel<unknown, unknown>> = (
  builder: Builder,
  inputs: Operands<K['inputs']>,
  attrs: Readonly<K['attrs']>,
) => Value | Value[];

/** A rule for each of some kernels: none may be missing. */
export type Lowerings<Kernels extends { readonly [Name in keyof Kernels]: Kernel<unknown, unknown> }> = {
  readonly [Name in keyof Kernels]: Lowering<Kernels[Name]>;
};

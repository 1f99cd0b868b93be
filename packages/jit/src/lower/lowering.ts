import type { Builder } from '../graph/builder.js';
import type { Value } from '../graph/ir.js';

/** The operands of a kernel by TensorFlow.js's names (`x`, `a`, `b`, `dy`, or 0, 1, ... for lists). */
export type KernelInputs = { readonly [name: string]: Value };

/** Expresses one TensorFlow.js kernel by primitives. */
export type Lowering = (builder: Builder, inputs: KernelInputs, attrs: Record<string, unknown>) => Value | Value[];

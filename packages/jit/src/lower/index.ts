import type { Builder } from '../builder.js';
import type { Value } from '../ir.js';
import { arithmetic } from './arithmetic.js';
import { convolution } from './convolution.js';
import { movement } from './movement.js';
import { reduction } from './reduction.js';

/** The operands of a kernel by TensorFlow.js's names (`x`, `a`, `b`, `dy`, or 0, 1, ... for lists). */
export type KernelInputs = { readonly [name: string]: Value };

/** Expresses one TensorFlow.js kernel by primitives. */
export type Lowering = (builder: Builder, inputs: KernelInputs, attrs: Record<string, unknown>) => Value | Value[];

/** Every TensorFlow.js kernel that compiles. */
export const LOWERINGS: { readonly [kernel: string]: Lowering } = {
  ...arithmetic,
  ...movement,
  ...reduction,
  ...convolution,
};

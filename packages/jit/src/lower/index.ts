import { arithmetic } from './arithmetic.js';
import { convolution } from './convolution.js';
import type { Lowering } from './lowering.js';
import { movement } from './movement.js';
import { reduction } from './reduction.js';

/** Every TensorFlow.js kernel that compiles. */
export const LOWERINGS: { readonly [kernel: string]: Lowering } = {
  ...arithmetic,
  ...movement,
  ...reduction,
  ...convolution,
};

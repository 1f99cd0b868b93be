import { type ArithmeticKernels, arithmetic } from './arithmetic.js';
import { type ConvolutionKernels, convolution } from './convolution.js';
import type { Lowerings } from './lowering.js';
import { type MovementKernels, movement } from './movement.js';
import { type ReductionKernels, reduction } from './reduction.js';

/** Every TensorFlow.js kernel that compiles. */
export const LOWERINGS: Lowerings<ArithmeticKernels & MovementKernels & ReductionKernels & ConvolutionKernels> = {
  ...arithmetic,
  ...movement,
  ...reduction,
  ...convolution,
};

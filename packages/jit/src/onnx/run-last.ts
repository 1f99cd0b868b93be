import { sizeOf } from '@cert/core';
import type { Graph, Value } from '../graph/ir.js';
import { schedule } from '../graph/rewrite.js';

/** Elements of a matrix from which on it matters how long it is kept. */
const LARGE = 2 ** 18;

/**
 * The values that are best computed last: sums of squares of large matrices. In a training step these are gradients of dense kernels, which only the norm of
 * all gradients needs so early. Computed last, a gradient and what it is made of are not kept beside the activations.
 */
export const runLast = (graph: Graph): Value[] =>
  schedule(graph).filter((value) => {
    if (value.op !== 'reduce' || value.attrs.f !== 'sumSquare') return false;
    const { shape } = value.inputs[0]!;
    return shape.length === 2 && sizeOf(shape) >= LARGE;
  });

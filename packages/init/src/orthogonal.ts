import type { Rng } from '@cert/core';
import { initializer } from './initialize.js';

/**
 * Orthogonal initialization (Saxe et al. 2014): the kernel as a matrix [fan_in, fan_out] has orthonormal columns, or
 * orthonormal rows when there are more columns than rows, uniformly distributed.
 */
export const orthogonalInit = initializer(() => ({ fanIn, fanOut, rng }) => {
  const wide = fanOut > fanIn;
  const vectors = orthonormal(rng, wide ? fanIn : fanOut, wide ? fanOut : fanIn);
  const kernel = new Float32Array(fanIn * fanOut);
  for (let i = 0; i < fanIn; i++) {
    for (let j = 0; j < fanOut; j++) kernel[i * fanOut + j] = wide ? vectors[i]![j]! : vectors[j]![i]!;
  }
  return kernel;
});

/** `count` orthonormal vectors of length `size >= count`: modified Gram-Schmidt on normal vectors, in double precision. */
function orthonormal(rng: Rng, count: number, size: number): Float64Array[] {
  const vectors: Float64Array[] = [];
  for (let k = 0; k < count; k++) {
    const v = Float64Array.from({ length: size }, () => rng.normal());
    // Twice: after one pass the last vectors of a square matrix, of which little is left, are not orthogonal to rounding.
    for (const u of [...vectors, ...vectors]) subtract(v, u, dot(u, v));
    const norm = Math.sqrt(dot(v, v));
    for (let i = 0; i < size; i++) v[i] = v[i]! / norm;
    vectors.push(v);
  }
  return vectors;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function subtract(v: Float64Array, u: Float64Array, scale: number): void {
  for (let i = 0; i < v.length; i++) v[i] = v[i]! - scale * u[i]!;
}

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
    let before = Math.sqrt(dot(v, v));
    let norm = before;
    // Again when little is left of the vector (the last ones of a square matrix): what rounding left of the others then weighs.
    do {
      before = norm;
      for (const u of vectors) subtract(v, u, dot(u, v));
      norm = Math.sqrt(dot(v, v));
    } while (norm < 0.5 * before);
    for (let i = 0; i < size; i++) v[i] = v[i]! / norm;
    vectors.push(v);
  }
  return vectors;
}

/** Four sums side by side: one alone waits for each addition before the next. */
function dot(a: Float64Array, b: Float64Array): number {
  const whole = a.length - (a.length % 4);
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  for (let i = 0; i < whole; i += 4) {
    s0 += a[i]! * b[i]!;
    s1 += a[i + 1]! * b[i + 1]!;
    s2 += a[i + 2]! * b[i + 2]!;
    s3 += a[i + 3]! * b[i + 3]!;
  }
  for (let i = whole; i < a.length; i++) s0 += a[i]! * b[i]!;
  return s0 + s1 + (s2 + s3);
}

function subtract(v: Float64Array, u: Float64Array, scale: number): void {
  for (let i = 0; i < v.length; i++) v[i] = v[i]! - scale * u[i]!;
}

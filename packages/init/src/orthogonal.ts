import type { Rng } from '@cert/core';
import { initializer } from './initialize.js';

/**
 * Orthogonal initialization (Saxe et al. 2014): the kernel as a matrix [fan_in, fan_out] has orthonormal columns, or
 * orthonormal rows when there are more columns than rows, uniformly distributed.
 */
export const orthogonalInit = initializer(() => ({ fanIn, fanOut, rng }) => {
  const wide = fanOut > fanIn;
  const groups = orthonormal(rng, wide ? fanIn : fanOut, wide ? fanOut : fanIn);
  const element = (vector: number, i: number) => groups[Math.floor(vector / 4)]![4 * i + (vector % 4)]!;
  const kernel = new Float32Array(fanIn * fanOut);
  for (let i = 0; i < fanIn; i++) {
    for (let j = 0; j < fanOut; j++) kernel[i * fanOut + j] = wide ? element(i, j) : element(j, i);
  }
  return kernel;
});

/**
 * `count` orthonormal vectors of length `size >= count`: Gram-Schmidt on normal vectors, in double precision, in groups of four
 * that lie interleaved in one array (element i of vector j at 4 i + j): each number that is fetched then serves several products,
 * which is most of the time. The last group is filled up with zeros.
 */
function orthonormal(rng: Rng, count: number, size: number): Float64Array[] {
  const groups: Float64Array[] = [];
  for (let first = 0; first < count; first += 4) {
    const group = new Float64Array(4 * size);
    const used = Math.min(4, count - first);
    for (let j = 0; j < used; j++) {
      for (let i = 0; i < size; i++) group[4 * i + j] = rng.normal();
    }
    let lost: boolean;
    // Again when little is left of a vector (the last ones of a square matrix): what rounding left of the others then weighs.
    do {
      const before = norms(group);
      for (const other of groups) {
        project(other, group, 0);
        project(other, group, 2);
      }
      const after = orthonormalize(group);
      lost = after.some((norm, j) => norm < 0.5 * before[j]!);
    } while (lost);
    groups.push(group);
  }
  return groups;
}

/** Subtracts from the vectors `at` and `at + 1` of a group their parts along the four vectors of another, which are orthonormal. */
function project(others: Float64Array, group: Float64Array, at: 0 | 2): void {
  let [a0, a1, a2, a3] = [0, 0, 0, 0];
  let [b0, b1, b2, b3] = [0, 0, 0, 0];
  for (let i = 0; i < group.length; i += 4) {
    const u0 = others[i]!;
    const u1 = others[i + 1]!;
    const u2 = others[i + 2]!;
    const u3 = others[i + 3]!;
    const v = group[i + at]!;
    const w = group[i + at + 1]!;
    a0 += u0 * v;
    a1 += u1 * v;
    a2 += u2 * v;
    a3 += u3 * v;
    b0 += u0 * w;
    b1 += u1 * w;
    b2 += u2 * w;
    b3 += u3 * w;
  }
  for (let i = 0; i < group.length; i += 4) {
    const u0 = others[i]!;
    const u1 = others[i + 1]!;
    const u2 = others[i + 2]!;
    const u3 = others[i + 3]!;
    group[i + at]! -= a0 * u0 + a1 * u1 + (a2 * u2 + a3 * u3);
    group[i + at + 1]! -= b0 * u0 + b1 * u1 + (b2 * u2 + b3 * u3);
  }
}

/** Makes the vectors of a group orthonormal among themselves, in order. Returns their norms before each was scaled to 1. */
function orthonormalize(group: Float64Array): number[] {
  const found: number[] = [];
  for (let j = 0; j < 4; j++) {
    for (let k = 0; k < j; k++) {
      const part = dot(group, j, k);
      for (let i = 0; i < group.length; i += 4) group[i + j]! -= part * group[i + k]!;
    }
    const norm = Math.sqrt(dot(group, j, j));
    found.push(norm);
    // A vector of zeros stays as it is.
    if (norm > 0) for (let i = j; i < group.length; i += 4) group[i]! /= norm;
  }
  return found;
}

const norms = (group: Float64Array): number[] => [0, 1, 2, 3].map((j) => Math.sqrt(dot(group, j, j)));

/** The inner product of the vectors `j` and `k` of a group. */
function dot(group: Float64Array, j: number, k: number): number {
  let sum = 0;
  for (let i = 0; i < group.length; i += 4) sum += group[i + j]! * group[i + k]!;
  return sum;
}

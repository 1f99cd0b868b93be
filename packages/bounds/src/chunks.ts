import { type Model, sizeOf } from '@cert/core';

/** Numbers of float32 that 64 MiB hold. */
const BUDGET = 2 ** 24;

/** How many rows a pass may take at once, for a batch and the largest node that it goes through. */
export function chunkSize({ inputShape, nodes }: Model, batch: number, chunk?: number): number {
  const sizes = [inputShape, ...nodes.map(({ shape }) => shape)].map((shape) => sizeOf(shape));
  return Math.max(1, chunk ?? Math.floor(BUDGET / (Math.max(1, batch) * Math.max(...sizes))));
}

/** How many rows fit, for the numbers that one takes at the largest node that it goes through. */
export const rowsWithin = (widest: number): number => Math.max(1, Math.floor(BUDGET / widest));

/** [0, total) in pieces of at most `size`. */
export const pieces = (total: number, size: number): { readonly from: number; readonly to: number }[] =>
  Array.from({ length: Math.ceil(total / size) }, (_, i) => ({ from: i * size, to: Math.min(total, (i + 1) * size) }));

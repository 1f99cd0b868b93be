import type { Execution } from './execution.js';
import { fma, SMALLEST_NORMAL } from './float32.js';

/** The operations besides sums of products, each rounded once. */
export interface Arithmetic {
  /** A parameter or constant as it is read. */
  readonly read: (value: number) => number;
  readonly round: (value: number) => number;
  /** a b + c. */
  readonly multiplyAdd: (a: number, b: number, c: number) => number;
}

/** A number, or 0 where it is denormal and such numbers are flushed. */
export const flush = (value: number, flushed: boolean): number =>
  flushed && value < SMALLEST_NORMAL && value > -SMALLEST_NORMAL ? 0 : value;

/** The arithmetic of an execution. */
export function arithmeticOf({ fma: fused, underflow }: Execution): Arithmetic {
  const flushed = underflow !== 'gradual';
  const round = (value: number) => flush(Math.fround(value), flushed);
  return {
    round,
    read: (value) => flush(Math.fround(value), underflow === 'flush-inputs'),
    multiplyAdd: fused ? (a, b, c) => flush(fma(a, b, c), flushed) : (a, b, c) => round(round(a * b) + c),
  };
}

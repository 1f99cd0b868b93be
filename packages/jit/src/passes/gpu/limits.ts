/** What the passes for a GPU know of ONNX Runtime 1.30 on WebGPU. */

/** A sum of fewer numbers than this for many results takes one op over any axes. Longer sums, not over the last axes, copy their operand first. */
export const SHORT_SUM = 32;

/** Tensors of at most so many numbers are laid end to end to share an op. Larger ones are worth an op each. */
export const SMALL = 2 ** 18;

/** The largest divisor of n that is at most `most`; 1 if there is none. */
export function divisorUpTo(n: number, most: number): number {
  for (let divisor = Math.min(n, most); divisor > 1; divisor--) if (n % divisor === 0) return divisor;
  return 1;
}

/** Float32 arithmetic on JavaScript's numbers. A sum, product, quotient or root of float32 numbers that is rounded by Math.fround is rounded once. */

/** The smallest normal float32. Smaller results are denormal, or zero where underflow is flushed. */
export const SMALLEST_NORMAL = 2 ** -126;

/**
 * a * b + c with one rounding, for float32 arguments: a fused multiply-add.
 *
 * The product is exact in float64 and the sum is rounded there. Rounding it again to float32 gives the right result unless the float64
 * sum lies halfway between two float32 numbers and is not exact; then the error of the sum decides.
 */
export function fma(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const near = Math.fround(sum);
  const off = sum - near;
  if (off === 0) return near;
  // The float32 number on the other side of the sum, where the sum lies halfway. Otherwise this is no float32 number.
  const far = near + 2 * off;
  if (Math.fround(far) !== far) return near;
  const error = errorOfSum(product, c, sum);
  if (error === 0) return near;
  return error > 0 ? Math.max(near, far) : Math.min(near, far);
}

/** a + b - sum without rounding, where `sum` is a + b rounded to float64 (Knuth's TwoSum). */
function errorOfSum(a: number, b: number, sum: number): number {
  const ofB = sum - a;
  return a - (sum - ofB) + (b - ofB);
}

const bits = new DataView(new ArrayBuffer(4));

/** The float32 number after a finite float32 number, upwards. */
export function nextUp(x: number): number {
  if (x === 0) return 2 ** -149;
  bits.setFloat32(0, x);
  bits.setInt32(0, bits.getInt32(0) + (x > 0 ? 1 : -1));
  return bits.getFloat32(0);
}

/** The float32 number before a finite float32 number. */
export const nextDown = (x: number): number => -nextUp(-x);

/** The largest float32 number that is at most a + b, for two numbers of float64. */
export function sumDown(a: number, b: number): number {
  const sum = a + b;
  const error = errorOfSum(a, b, sum);
  const near = Math.fround(sum);
  return near > sum || (near === sum && error < 0) ? nextDown(near) : near;
}

/** The smallest float32 number that is at least a + b. */
export const sumUp = (a: number, b: number): number => -sumDown(-a, -b);

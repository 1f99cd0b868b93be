/** Exact numbers from text, "0.1" and "8/255", and the float64 numbers around them, compared as whole numbers. */
import { demand } from './refused.js';
import { down, up } from './rounding.js';

/** numerator / denominator, the denominator positive. */
export interface Exact {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Reads a decimal without exponent, or a fraction of whole numbers. */
export function parseExact(text: string, where: string): Exact {
  const [, sign, whole, decimals = '', denominator = '1'] =
    /^(-?)(\d{1,40})(?:\.(\d{1,40})|\/(\d{1,40}))?$/.exec(text) ?? [];
  demand(whole !== undefined, `${where} is "${text.slice(0, 60)}", which is neither a decimal nor a fraction`);
  const exact = {
    numerator: BigInt(`${whole}${decimals}`) * (sign === '-' ? -1n : 1n),
    denominator: BigInt(denominator) * 10n ** BigInt(decimals.length),
  };
  demand(exact.denominator > 0n, `${where} divides by 0`);
  return exact;
}

/** Below 0 where x < y, 0 where they are equal, above 0 where x > y. */
export function compareExact(x: Exact, y: Exact): number {
  const difference = x.numerator * y.denominator - y.numerator * x.denominator;
  return difference < 0n ? -1 : Number(difference > 0n);
}

/** A float64 as a fraction: its 52 bits of mantissa and 11 bits of exponent. */
export function exactOf(x: number): Exact {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const mantissa = (exponent === 0 ? fraction : fraction | (1n << 52n)) * (bits >> 63n === 1n ? -1n : 1n);
  const power = (exponent === 0 ? 1 : exponent) - 1075;
  return power < 0
    ? { numerator: mantissa, denominator: 1n << BigInt(-power) }
    : { numerator: mantissa << BigInt(power), denominator: 1n };
}

/** Float64 numbers with lower <= exact <= upper, equal where the number is a float64 itself. */
export function enclose(exact: Exact): { readonly lower: number; readonly upper: number } {
  const near = Number(exact.numerator) / Number(exact.denominator);
  let [lower, upper] = [near, near];
  while (compareExact(exactOf(lower), exact) > 0) lower = down(lower);
  while (compareExact(exactOf(upper), exact) < 0) upper = up(upper);
  return { lower, upper };
}

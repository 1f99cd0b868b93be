/** m * 2^e: every number of float32 and float64, and every sum and product of them, without rounding. */
export interface Dyadic {
  readonly m: bigint;
  readonly e: number;
}

export const ZERO: Dyadic = { m: 0n, e: 0 };

const view = new DataView(new ArrayBuffer(8));

/** A finite number as it is. @throws RangeError for NaN and infinity */
export function dyadic(x: number): Dyadic {
  view.setFloat64(0, x);
  const word = view.getBigUint64(0);
  const exponent = Number((word >> 52n) & 0x7ffn);
  if (exponent === 0x7ff) throw new RangeError(`${x} is no finite number.`);
  const fraction = word & 0xfffffffffffffn;
  const m = exponent === 0 ? fraction : fraction | 0x10000000000000n;
  return { m: word >> 63n === 1n ? -m : m, e: Math.max(exponent, 1) - 1075 };
}

/** The mantissa of `x` at a smaller exponent. */
const at = ({ m, e }: Dyadic, exponent: number): bigint => m << BigInt(e - exponent);

export function add(a: Dyadic, b: Dyadic): Dyadic {
  if (a.m === 0n) return b;
  if (b.m === 0n) return a;
  const e = Math.min(a.e, b.e);
  return { m: at(a, e) + at(b, e), e };
}

export const negate = ({ m, e }: Dyadic): Dyadic => ({ m: -m, e });
export const subtract = (a: Dyadic, b: Dyadic): Dyadic => add(a, negate(b));
export const multiply = (a: Dyadic, b: Dyadic): Dyadic => ({ m: a.m * b.m, e: a.e + b.e });

/** Negative, 0 or positive as a is less than, equal to or greater than b. */
export function compare(a: Dyadic, b: Dyadic): number {
  const { m } = subtract(a, b);
  return m < 0n ? -1 : m > 0n ? 1 : 0;
}

const bitLength = (m: bigint): number => (m < 0n ? -m : m).toString(2).length;

/** A number of float64 next to x, for people: rounded towards zero. */
export function toNumber({ m, e }: Dyadic): number {
  const drop = Math.max(0, bitLength(m) - 53);
  const kept = Number(m < 0n ? -(-m >> BigInt(drop)) : m >> BigInt(drop));
  // In two steps, as a power of two alone may overflow or vanish.
  const exponent = e + drop;
  const first = Math.trunc(exponent / 2);
  return kept * 2 ** first * 2 ** (exponent - first);
}

/** Bits of a quotient and of a root. */
const BITS = 300;

/** Two numbers that enclose a quotient or a root, of relative width below 2^-250; equal where it is exact. */
export interface Enclosure {
  readonly lower: Dyadic;
  readonly upper: Dyadic;
}

/** a / b for b > 0. */
export function divide(a: Dyadic, b: Dyadic): Enclosure {
  const shift = BITS + bitLength(b.m);
  const numerator = a.m << BigInt(shift);
  const quotient = numerator / b.m;
  const rest = numerator % b.m;
  const e = a.e - b.e - shift;
  return {
    lower: { m: rest < 0n ? quotient - 1n : quotient, e },
    upper: { m: rest > 0n ? quotient + 1n : quotient, e },
  };
}

/** The square root of x >= 0. */
export function squareRoot({ m, e }: Dyadic): Enclosure {
  if (m === 0n) return { lower: ZERO, upper: ZERO };
  const shift = 2 * BITS + (Math.abs(e) % 2);
  const radicand = m << BigInt(shift);
  const root = integerRoot(radicand);
  const exponent = (e - shift) / 2;
  return {
    lower: { m: root, e: exponent },
    upper: { m: root * root === radicand ? root : root + 1n, e: exponent },
  };
}

/** floor(sqrt(n)) by Newton's method. */
function integerRoot(n: bigint): bigint {
  let x = 1n << BigInt((bitLength(n) >> 1) + 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

/** Rational numbers and interval bound propagation over them: the oracle for level `real`. */
import { type NetSpec, sizeOf } from './make.ts';

export interface Fraction {
  readonly p: bigint;
  readonly q: bigint;
}

const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? a : gcd(b, a % b));
const fraction = (p: bigint, q: bigint): Fraction => {
  const d = gcd(p < 0n ? -p : p, q) * (q < 0n ? -1n : 1n);
  return d === 0n ? { p: 0n, q: 1n } : { p: p / d, q: q / d };
};
/** A float64 as a fraction: its 52 bits of mantissa and 11 bits of exponent. */
export const of = (x: number): Fraction => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const mantissa = (exponent === 0 ? 0n : 1n << 52n) | (bits & 0xfffffffffffffn);
  const power = (exponent === 0 ? 1 : exponent) - 1075;
  const p = bits >> 63n === 1n ? -mantissa : mantissa;
  return power < 0 ? fraction(p, 1n << BigInt(-power)) : fraction(p << BigInt(power), 1n);
};
/** A decimal as it is written, or as JavaScript prints a number. */
export const decimal = (x: number | string): Fraction => {
  const [, sign, whole = '', part = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(x))!;
  const power = BigInt(Number(exponent) - part.length);
  const digits = BigInt(`${sign}${whole}${part}`);
  return power < 0n ? fraction(digits, 10n ** -power) : fraction(digits * 10n ** power, 1n);
};
const plus = (a: Fraction, b: Fraction) => fraction(a.p * b.q + b.p * a.q, a.q * b.q);
const times = (a: Fraction, b: Fraction) => fraction(a.p * b.p, a.q * b.q);
export const minus = (a: Fraction, b: Fraction) => plus(a, { p: -b.p, q: b.q });
export const over = (a: Fraction, b: Fraction) => fraction(a.p * b.q, a.q * b.p);
export const less = (a: Fraction, b: Fraction) => a.p * b.q < b.p * a.q;
export const toNumber = ({ p, q }: Fraction): number => {
  const bits = (n: bigint) => (n < 0n ? -n : n).toString(2).length;
  const shift = BigInt(Math.max(0, 80 - bits(p) + bits(q)));
  return Number((p << shift) / q) * 2 ** -Number(shift);
};
const ZERO = of(0);

/** What an affine node adds up for one output: products [input, weight], and a constant. */
interface Sum {
  readonly products: readonly (readonly [at: number, weight: Fraction])[];
  readonly constant: Fraction;
}

/** The square root of the square of a fraction. */
function root({ p, q }: Fraction): Fraction {
  const whole = (n: bigint): bigint => {
    let x = BigInt(Math.round(Math.sqrt(Number(n))));
    while (x * x > n) x--;
    while ((x + 1n) * (x + 1n) <= n) x++;
    if (x * x !== n) throw new Error(`${n} is not a square`);
    return x;
  };
  return fraction(whole(p), whole(q));
}

/** Affine nodes as sums; BatchNorm only where variance + epsilon is a square. */
export function sumsOf(net: NetSpec, index: number): Sum[] | undefined {
  const node = net.nodes[index]!;
  const from =
    node.inputs[0] === 'input' ? net.inputShape : net.nodes.find(({ name }) => name === node.inputs[0])!.shape;
  const size = sizeOf(node.shape);
  const [h, w, c] = (from.length === 3 ? from : [1, 1, from[0]!]) as [number, number, number];
  const { kernel, bias, gamma, beta } = node.params;
  const each = (scale: (channel: number) => Fraction, shift: (channel: number) => Fraction): Sum[] =>
    Array.from({ length: size }, (_, i) => ({ products: [[i, scale(i % c)]], constant: shift(i % c) }));
  switch (node.op) {
    case 'dense':
      return Array.from({ length: size }, (_, o) => ({
        products: Array.from({ length: c }, (_, i) => [i, of(kernel!.data[i * size + o]!)] as const),
        constant: of(bias!.data[o]!),
      }));
    case 'conv2d': {
      const { stride, padding, groups } = node.attrs as { stride: number; padding: number; groups: number };
      const [kh, kw, cin, filters] = kernel!.shape as [number, number, number, number];
      const [, columns] = node.shape as [number, number];
      return Array.from({ length: size }, (_, i) => {
        const [filter, column, row] = [
          i % filters,
          Math.floor(i / filters) % columns,
          Math.floor(i / filters / columns),
        ];
        const group = Math.floor(filter / (filters / groups));
        const products: [number, Fraction][] = [];
        for (let y = 0; y < kh; y++) {
          for (let x = 0; x < kw; x++) {
            const [iy, ix] = [row * stride + y - padding, column * stride + x - padding];
            if (iy < 0 || iy >= h || ix < 0 || ix >= w) continue;
            for (let ci = 0; ci < cin; ci++) {
              const weight = kernel!.data[((y * kw + x) * cin + ci) * filters + filter]!;
              products.push([(iy * w + ix) * c + group * cin + ci, of(weight)]);
            }
          }
        }
        return { products, constant: of(bias!.data[filter]!) };
      });
    }
    case 'batchNorm': {
      const scale = (i: number) =>
        over(of(gamma!.data[i]!), root(plus(of(node.stats.variance!.data[i]!), decimal(node.attrs.epsilon as number))));
      return each(scale, (i) => minus(of(beta!.data[i]!), times(of(node.stats.mean!.data[i]!), scale(i))));
    }
    case 'affine': {
      const { scale, shift } = node.attrs as { scale: number[]; shift: number[] };
      return each(
        (i) => decimal(scale[i]!),
        (i) => decimal(shift[i]!),
      );
    }
    case 'avgPool':
    case 'globalAvgPool': {
      const [sy, sx] = node.op === 'avgPool' ? [Number(node.attrs.size), Number(node.attrs.size)] : [h, w];
      const columns = node.op === 'avgPool' ? node.shape[1]! : 1;
      return Array.from({ length: size }, (_, i) => {
        const [channel, column, row] = [i % c, Math.floor(i / c) % columns, Math.floor(i / c / columns)];
        const products: [number, Fraction][] = [];
        for (let y = 0; y < sy; y++) {
          for (let x = 0; x < sx; x++)
            products.push([((row * sy + y) * w + column * sx + x) * c + channel, over(of(1), of(sy * sx))]);
        }
        return { products, constant: ZERO };
      });
    }
    default:
      return undefined;
  }
}

export interface ExactBounds {
  readonly lower: readonly Fraction[];
  readonly upper: readonly Fraction[];
}

const bound = ({ products, constant }: Sum, { lower, upper }: ExactBounds, below: boolean): Fraction =>
  products.reduce((sum, [at, weight]) => {
    const end = weight.p > 0n === below ? lower[at]! : upper[at]!;
    return plus(sum, times(weight, end));
  }, constant);

/** Bounds of every node over the rational numbers, and the margins of the last one if it is affine. */
export function exactIbp(net: NetSpec, box: ExactBounds, label: number) {
  const values = new Map<string, ExactBounds>([['input', box]]);
  let margins: Fraction[] = [];
  for (const [index, node] of net.nodes.entries()) {
    const [a, b] = node.inputs.map((name) => values.get(name)!) as [ExactBounds, ExactBounds | undefined];
    const sums = sumsOf(net, index);
    const relu = (x: Fraction) => (x.p > 0n ? x : ZERO);
    if (sums !== undefined) {
      values.set(node.name, { lower: sums.map((s) => bound(s, a, true)), upper: sums.map((s) => bound(s, a, false)) });
      const own = sums[label];
      if (index === net.nodes.length - 1 && own !== undefined) {
        margins = sums.flatMap((other) => {
          if (other === own) return [];
          const weights = new Map(own.products);
          for (const [at, weight] of other.products) weights.set(at, minus(weights.get(at) ?? ZERO, weight));
          return [bound({ products: [...weights], constant: minus(own.constant, other.constant) }, a, true)];
        });
      }
    } else if (node.op === 'relu') values.set(node.name, { lower: a.lower.map(relu), upper: a.upper.map(relu) });
    else if (node.op === 'flatten') values.set(node.name, a);
    else {
      values.set(node.name, {
        lower: a.lower.map((x, i) => plus(x, b!.lower[i]!)),
        upper: a.upper.map((x, i) => plus(x, b!.upper[i]!)),
      });
    }
  }
  return { values, margins };
}

/**
 * Executions of a network in float32, as libraries differ: any order and grouping of sums, fused multiply-add or not, underflow flushed or
 * not, BatchNorm as written, as scale and shift, or folded into the layer before.
 */
import { sumsOf, toNumber } from './fractions.ts';
import { type NetSpec, type NodeSpec, type Random, sizeOf } from './make.ts';

const view = new DataView(new ArrayBuffer(8));

/** a * b + c rounded to float32 once: the sum is rounded to odd first, so that the second rounding does no harm. */
export function fma(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const back = sum - product;
  const rest = product - (sum - back) + (c - back);
  if (rest === 0 || !Number.isFinite(sum)) return Math.fround(sum);
  view.setFloat64(0, sum);
  const bits = view.getBigUint64(0);
  if ((bits & 1n) === 1n) return Math.fround(sum);
  // The neighbour on the side of the rest is odd.
  view.setBigUint64(0, rest > 0 === sum > 0 ? bits + 1n : bits - 1n);
  return Math.fround(view.getFloat64(0));
}

/** The arithmetic of one execution. */
interface Arithmetic {
  readonly flush: (x: number) => number;
  readonly fused: boolean;
  readonly random: Random;
}

/** The sum of products and a constant. */
function total(
  weights: ArrayLike<number>,
  xs: ArrayLike<number>,
  constant: number,
  { flush, fused, random }: Arithmetic,
): number {
  const n = weights.length;
  const add = (a: number, b: number) => flush(Math.fround(a + b));
  const product = (i: number) => flush(Math.fround(flush(weights[i]!) * flush(xs[i]!)));
  const order = Array.from({ length: n }, (_, i) => i);
  const kind = Math.floor(random() * 4);
  if (kind === 1) order.reverse();
  if (kind >= 2) {
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
  }
  const first = random() < 0.5;
  if (random() < 0.6) {
    // Some accumulators side by side, as vector units have them.
    const lanes = new Float64Array(1 + Math.floor(random() * 4));
    if (first) lanes[0] = flush(constant);
    for (const [k, i] of order.entries()) {
      const lane = k % lanes.length;
      lanes[lane] = fused ? flush(fma(flush(weights[i]!), flush(xs[i]!), lanes[lane]!)) : add(lanes[lane]!, product(i));
    }
    const sum = lanes.reduce(add);
    return first ? sum : add(sum, flush(constant));
  }
  // A random tree.
  const parts = [...order.map(product), flush(constant)];
  while (parts.length > 1) {
    const i = Math.floor(random() * (parts.length - 1));
    parts.splice(i, 2, add(parts[i]!, parts[i + 1]!));
  }
  return parts[0]!;
}

interface Prepared {
  readonly node: NodeSpec;
  /** Of nodes that add up: for each output its places and weights. */
  readonly sums:
    | readonly { readonly places: readonly number[]; readonly weights: Float64Array; readonly constant: number }[]
    | undefined;
}

/** A network whose structure is taken apart once, for many executions. */
export function prepare(net: NetSpec): (x: Float32Array, random: Random) => Float32Array {
  const nodes: Prepared[] = net.nodes.map((node, index) => ({
    node,
    sums: ['dense', 'conv2d', 'avgPool', 'globalAvgPool'].includes(node.op)
      ? sumsOf(net, index)!.map(({ products, constant }) => ({
          places: products.map(([at]) => at),
          weights: Float64Array.from(products, ([, weight]) => toNumber(weight)),
          constant: toNumber(constant),
        }))
      : undefined,
  }));
  const byName = new Map(nodes.map((each) => [each.node.name, each]));

  return (x, random) => {
    const tiny = random() < 0.3;
    const flush = (v: number) => (tiny && Math.abs(v) < 2 ** -126 ? 0 : v);
    const arithmetic: Arithmetic = { flush, fused: random() < 0.5, random };
    const f = (v: number) => flush(Math.fround(v));
    const multiplyAdd = (a: number, b: number, c: number) =>
      arithmetic.fused ? flush(fma(flush(a), flush(b), flush(c))) : f(f(flush(a) * flush(b)) + flush(c));
    const values = new Map<string, Float32Array>([['input', x]]);

    for (const { node, sums } of nodes) {
      const [a, b] = node.inputs.map((name) => values.get(name)!) as [Float32Array, Float32Array | undefined];
      const out = new Float32Array(sizeOf(node.shape));
      const channels = node.shape.at(-1)!;
      if (sums !== undefined && node.op.endsWith('Pool')) {
        for (const [i, { places }] of sums.entries()) {
          const ones = new Float64Array(places.length).fill(1);
          const sum = total(
            ones,
            places.map((at) => a[at]!),
            0,
            arithmetic,
          );
          out[i] = random() < 0.5 ? f(sum / places.length) : f(sum * f(1 / places.length));
        }
      } else if (sums !== undefined) {
        for (const [i, { places, weights, constant }] of sums.entries()) {
          out[i] = total(
            weights,
            places.map((at) => a[at]!),
            constant,
            arithmetic,
          );
        }
      } else if (node.op === 'batchNorm') {
        const { gamma, beta } = node.params;
        const { mean, variance } = node.stats;
        const before = byName.get(node.inputs[0]!);
        const form = Math.floor(random() * 3);
        const variant = random();
        for (let i = 0; i < out.length; i++) {
          const c = i % channels;
          const [g, s, m, v] = [
            flush(gamma!.data[c]!),
            flush(beta!.data[c]!),
            flush(mean!.data[c]!),
            flush(variance!.data[c]!),
          ];
          const deviation = f(Math.sqrt(f(v + f(Number(node.attrs.epsilon)))));
          const inverse = f(1 / deviation);
          const scale = variant < 0.5 ? f(g / deviation) : f(g * inverse);
          const shift = arithmetic.fused ? flush(fma(-m, scale, s)) : f(s - f(m * scale));
          const sums = before?.sums?.[i];
          if (form === 0) {
            const z = f(flush(a[i]!) - m);
            if (variant < 0.25) out[i] = f(f(f(z * g) / deviation) + s);
            else if (variant < 0.5) out[i] = f(f(f(z / deviation) * g) + s);
            else if (variant < 0.75) out[i] = multiplyAdd(f(z * inverse), g, s);
            else out[i] = multiplyAdd(z, scale, s);
          } else if (form === 1 || sums === undefined || before?.node.op.endsWith('Pool')) {
            out[i] = multiplyAdd(a[i]!, scale, shift);
          } else {
            const source = values.get(before!.node.inputs[0]!)!;
            const weights = sums.weights.map((w) => f(flush(w) * scale));
            const bias =
              variant < 0.5
                ? multiplyAdd(sums.constant, scale, shift)
                : multiplyAdd(f(flush(sums.constant) - m), scale, s);
            out[i] = total(
              weights,
              sums.places.map((at) => source[at]!),
              bias,
              arithmetic,
            );
          }
        }
      } else if (node.op === 'affine') {
        const { scale, shift } = node.attrs as { scale: number[]; shift: number[] };
        for (let i = 0; i < out.length; i++)
          out[i] = multiplyAdd(a[i]!, Math.fround(scale[i % channels]!), Math.fround(shift[i % channels]!));
      } else if (node.op === 'relu') {
        for (let i = 0; i < out.length; i++) out[i] = Math.max(0, a[i]!);
      } else if (node.op === 'flatten') out.set(a);
      else for (let i = 0; i < out.length; i++) out[i] = f(flush(a[i]!) + flush(b![i]!));
      values.set(node.name, out);
    }
    return values.get(net.nodes.at(-1)!.name)!;
  };
}

/** Convolutions on blocked images against eager TensorFlow.js, gradients included. Where the processor has no blocks, they are skipped. */
import { createRng, sizeOf, type Tensor, type Tensor4D, tf } from '@cert/core';
import * as ort from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import { cpuDevice } from '../../devices/cpu.js';
import { eagerDevice } from '../../devices/eager.js';
import { probeBlock } from '../../devices/probe-block.js';
import type { Graph, Value } from '../../graph/ir.js';
import { schedule } from '../../graph/rewrite.js';
import { readTree } from '../../index.js';
import type { ArraySpec } from '../../trace/trace.js';
import { trace } from '../../trace/trace.js';
import { optimize } from '../index.js';

const block = await probeBlock(ort);
const [eager, blocked, plain] = [eagerDevice(), await cpuDevice(), await cpuDevice({ block: null })];
afterAll(async () => {
  for (const device of [eager, blocked, plain]) await device.dispose();
});

/** Names a suite; where it is skipped, with the reason. */
const suite = (name: string) =>
  block === undefined ? `${name} (skipped: no kernels for blocks of channels on this processor)` : name;

const rng = createRng(3, 'blocked');
const normal = (shape: readonly number[]) => Float32Array.from({ length: sizeOf(shape) }, () => rng.normal());

type Program = (x: Tensor4D, w: Tensor4D, v: Tensor) => Tensor;
interface Case {
  readonly f: Program;
  readonly x: readonly [number, number, number, number];
  readonly w: readonly [number, number, number, number];
}

const conv =
  (stride: number | [number, number], pad: number | 'same' | 'valid'): Program =>
  (x, w) =>
    tf.conv2d(x, w, stride, pad);

const square = (n: number, size: number, channels: number, k: number, filters: number): Pick<Case, 'x' | 'w'> => ({
  x: [n, size, size, channels],
  w: [k, k, channels, filters],
});

const CASES: { readonly [name: string]: Case } = {
  'stride 1, padded': { f: conv(1, 1), ...square(16, 6, 16, 3, 32) },
  'stride 2, padded': { f: conv(2, 1), ...square(16, 8, 32, 3, 16) },
  'stride 2 on an odd size': { f: conv(2, 1), ...square(16, 7, 16, 3, 16) },
  'stride 2 without padding, a row left over': { f: conv(2, 0), ...square(16, 8, 16, 3, 16) },
  'stride 2, one pixel': { f: conv(2, 0), ...square(16, 8, 16, 1, 32) },
  'stride 3, filter 2': { f: conv(3, 0), ...square(16, 9, 16, 2, 16) },
  'strides 1 and 2': { f: conv([1, 2], 'same'), x: [16, 5, 6, 16], w: [3, 2, 16, 16] },
  'a filter of 5, padded by 2': { f: conv(1, 2), ...square(32, 5, 16, 5, 16) },
  'a filter of 4': { f: conv(2, 1), ...square(16, 8, 16, 4, 16) },
  'more padding than the filter reaches': { f: conv(1, 2), ...square(16, 5, 16, 2, 16) },
  'several blocks of images, channels and filters': { f: conv(1, 1), ...square(32, 5, 32, 3, 48) },
  'windows of padding alone': { f: conv(5, 2), ...square(16, 1, 48, 1, 16) },
  'same padding': { f: conv(2, 'same'), ...square(16, 7, 16, 3, 16) },
  'a batch that is no whole block': { f: conv(1, 1), ...square(5, 6, 16, 3, 16) },
  'one image': { f: conv(2, 1), ...square(1, 6, 32, 3, 16) },
  'one channel': { f: conv(1, 1), ...square(16, 6, 1, 3, 16) },
  'three channels, stride 2': { f: conv(2, 1), ...square(5, 8, 3, 3, 32) },
  'channels that are no whole block': { f: conv(1, 1), ...square(16, 6, 24, 3, 16) },
  'filters that are no whole block': { f: conv(1, 1), ...square(16, 6, 16, 3, 24) },
  'two convolutions with all that is between them in a network': {
    f(x, w, v) {
      const y = tf.conv2d(x, w, 1, 1);
      const mean = tf.mean(y, [0, 1, 2]);
      const scale = tf.rsqrt(tf.add(tf.mean(tf.square(tf.sub(y, mean)), [0, 1, 2]), 0.1));
      const z = tf.relu(tf.add(tf.mul(y, tf.mul(scale, v)), tf.sub(v, mean))) as Tensor4D;
      const far = tf.conv2d(tf.add(z, x) as Tensor4D, w, 1, 1);
      return tf.sum(tf.maximum(far, tf.minimum(z, tf.mul(far, 0.5))), [3]);
    },
    ...square(16, 6, 16, 3, 16),
  },
  'what moves and what does not': {
    f(x, w, v) {
      const y = tf.conv2d(x, w, 1, 1);
      const padded = tf.pad(y, [[0, 0], [1, 0], [0, 2], [0, 0]]); // biome-ignore format: a table
      const cut = tf.slice(padded, [1, 0, 1, 0], [-1, 4, -1, 16]);
      const twice = tf.concat([cut, tf.neg(cut)], 3);
      const pooled = tf.avgPool(twice as Tensor4D, 2, 2, 'valid');
      const where = tf.where(
        tf.greater(tf.reshape(tf.sin(tf.range(0, pooled.size)), pooled.shape), 0),
        pooled,
        tf.mul(pooled, 0.1),
      );
      const rest = tf.mul(where, tf.concat([v, v]));
      return tf.add(tf.mean(rest, [1, 2]), tf.max(rest, [1, 2]));
    },
    ...square(16, 6, 16, 3, 16),
  },
  'an image with one value for all channels': {
    f: (x, w) => tf.mul(tf.conv2d(x, w, 1, 1), tf.mean(x, 3, true)),
    ...square(16, 6, 16, 3, 16),
  },
};

/** The result, and the gradients of a weighted sum of it with respect to everything. */
const withGradients =
  (f: Program) =>
  (x: Tensor, w: Tensor, v: Tensor): Tensor[] => {
    const weights = (y: Tensor) => tf.reshape(tf.sin(tf.range(0, y.size)), y.shape);
    const value = (a: Tensor, b: Tensor, c: Tensor) => f(a as Tensor4D, b as Tensor4D, c);
    const grads = tf.grads((a, b, c) =>
      // Everything takes part, so that everything has a gradient.
      tf.add(tf.sum(tf.mul(value(a!, b!, c!), weights(value(a!, b!, c!)))), tf.mul(0, tf.sum(c!))),
    )([x, w, v]);
    return [value(x, w, v), ...grads];
  };

/** The primitives of a program after all passes. */
function compiled(f: (...args: never[]) => unknown, shapes: readonly (readonly number[])[]): Value[] {
  class Spec implements ArraySpec {
    readonly dtype = 'float32';
    constructor(readonly shape: readonly number[]) {}
  }
  const { graph }: { graph: Graph } = trace(f, shapes.map((shape) => new Spec(shape)) as never);
  return schedule(optimize(graph, { block }));
}

describe.skipIf(block === undefined)(suite('convolutions on blocked images'), () => {
  it.each(Object.entries(CASES))('%s: as eagerly, and as without blocks', async (_name, { f, x, w }) => {
    const inputs = [x, w, [16]].map((shape) => ({ shape, values: normal(shape) }));
    const results = [];
    for (const device of [eager, blocked, plain]) {
      const step = device.jit(withGradients(f));
      const [a, b, c] = inputs.map(({ values, shape }) => device.put(values, shape));
      results.push((await readTree(await step(a!, b!, c!))) as unknown as Float32Array[]);
    }
    const [expected, ...others] = results;
    for (const found of others) {
      expected!.forEach((values, i) => {
        const scale = Math.max(...values.map(Math.abs), 1e-3);
        const worst = Math.max(...values.map((value, j) => Math.abs(value - found[i]![j]!)));
        expect(worst / scale, `result ${i}`).toBeLessThan(1e-5);
      });
    }
  });

  it('leaves no reordering between convolutions, whose gradients are convolutions too', () => {
    const { f, x, w } = CASES['two convolutions with all that is between them in a network']!;
    const values = compiled(withGradients(f) as never, [x, w, [16]]);
    const count = (op: Value['op']) => values.filter((value) => value.op === op).length;
    expect(count('conv') + count('convInputGrad') + count('matmul')).toBe(0);
    expect(count('blockedConv')).toBeGreaterThanOrEqual(6);
    // In front: x. Behind: the result and the gradient of x. Images that change places with channels, for the gradient of a filter, are no reordering.
    const reordered = values.filter(({ op, inputs }) => op === 'block' && inputs[0]!.op !== 'reshape');
    expect(reordered.length).toBeLessThanOrEqual(2);
    expect(count('unblock')).toBeLessThanOrEqual(2);
  });

  it('makes x * scale + shift and the ReLU behind it one convolution', () => {
    const f: Program = (x, w, v) => tf.relu(tf.add(tf.mul(tf.conv2d(x, w, 1, 1), v), tf.square(v)));
    const values = compiled(f as never, [[16, 4, 4, 16], [3, 3, 16, 16], [16]]);
    const convolutions = values.filter((value) => value.op === 'blockedConv');
    expect(convolutions.map(({ attrs }) => [attrs.groups, attrs.relu])).toEqual([[1, false], [16, true]]); // biome-ignore format: a table
    expect(values.filter((value) => value.op === 'binary' && value.shape.length === 5)).toEqual([]);
  });
});

describe.skipIf(block === undefined)(suite('what is not finite'), () => {
  it.each([3, 1])('stays so through a convolution of %i pixels, a scale, a shift and a ReLU', async (k) => {
    const f: Program = (x, w, v) => tf.relu(tf.add(tf.mul(tf.conv2d(x, w, 1, 'same'), v), v));
    const step = blocked.jit(f as (x: Tensor, w: Tensor, v: Tensor) => Tensor);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const x = new Float32Array(4 * 4 * 16).fill(1);
      x[5 * 16] = bad;
      const put = (values: Float32Array, shape: number[]) => blocked.put(values, shape);
      const w = put(new Float32Array(k * k * 16 * 16).fill(0.1), [k, k, 16, 16]);
      const out = await step(put(x, [1, 4, 4, 16]), w, put(new Float32Array(16).fill(0.5), [16]));
      const reached = [...(await out.data())].filter((value) => Object.is(value, bad));
      expect(reached).toHaveLength(k * k * 16);
    }
  });
});

describe.skipIf(block === undefined)(suite('sums of scaled tensors'), () => {
  const shape = [192, 176];
  const step = (p: Tensor, m: Tensor, g: Tensor, rate: Tensor) => {
    const mean = tf.add(tf.mul(m, 0.9), tf.mul(g, tf.mul(rate, 0.1)));
    return [mean, tf.sub(tf.sub(p, tf.mul(mean, rate)), tf.add(tf.neg(g), 0.25))];
  };

  it('take a pass for each factor, whatever the shape, and give the same numbers', async () => {
    const inner = (...xs: Parameters<typeof step>) => step(...xs).map((x) => tf.square(x));
    // The mean: m, then g added. The rest: mean, with 0.25 and p + g. Outputs would have to be copied: the mean is three passes then as well.
    for (const [f, convolutions, others] of [
      [inner, 3, 3],
      [step, 1, 4],
    ] as const) {
      const values = compiled(f as never, [shape, shape, shape, []]);
      const wide = values.filter((value) => sizeOf(value.shape) === 192 * 176 && value.op !== 'reshape');
      expect(wide.filter(({ op }) => op === 'blockedConv')).toHaveLength(convolutions);
      expect(wide.filter(({ op }) => op === 'binary')).toHaveLength(others);
    }
    const inputs = [shape, shape, shape].map(normal);
    const results: Float32Array[][] = [];
    for (const device of [eager, blocked]) {
      const [p, m, g] = inputs.map((input) => device.put(input, shape));
      const out = await device.jit(step)(p!, m!, g!, device.put(Float32Array.of(0.3), []));
      results.push((await readTree(out)) as unknown as Float32Array[]);
    }
    results[0]!.forEach((expected, i) => {
      const worst = expected.reduce((w, value, j) => Math.max(w, Math.abs(value - results[1]![i]![j]!)), 0);
      expect(worst).toBeLessThan(2e-6);
    });
  });
});

describe('the size of a block', () => {
  it('is what the kernels take, or unknown', () => {
    expect([undefined, 4, 8, 16]).toContain(block);
  });

  it('is unknown where the runtime has no such kernels', async () => {
    const without = { ...ort, InferenceSession: { create: () => Promise.reject(new Error('unknown domain')) } };
    expect(await probeBlock(without as never)).toBeUndefined();
  });
});

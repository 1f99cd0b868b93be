/** The passes for a GPU give the same numbers. Their graphs run on the CPU here; those that `npm run test:webgpu` runs contain the same ops. */
import { createRng, sizeOf, type Tensor, type Tensor2D, type Tensor4D, tf } from '@cert/core';
import fc from 'fast-check';
import * as ort from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import { cpuDevice } from '../../devices/cpu.js';
import type { Device } from '../../devices/device.js';
import { eagerDevice } from '../../devices/eager.js';
import { Builder } from '../../graph/builder.js';
import type { Graph, Value } from '../../graph/ir.js';
import { schedule } from '../../graph/rewrite.js';
import { readTree } from '../../index.js';
import { CPU } from '../../onnx/emitter.js';
import { inputName, outputName, toOnnx } from '../../onnx/onnx.js';
import { optimize } from '../index.js';
import { joinElementwise } from './join-elementwise.js';

const rng = createRng(3, 'for a GPU');
const normal = (shape: readonly number[]) => Float32Array.from({ length: sizeOf(shape) }, () => rng.normal());

/** The graph of a function, as it is compiled for a CPU without blocks and for a GPU. */
async function compiled(f: (inputs: Tensor[]) => Tensor[], inputs: readonly (readonly number[])[]) {
  const graphs: Graph[] = [];
  const results: Float32Array[][] = [];
  const values = inputs.map(normal);
  const passes = (target: { readonly gpu?: boolean }) => (graph: Graph) => {
    const better = optimize(graph, target);
    graphs.push(better);
    return better;
  };
  const devices: Device[] = [
    eagerDevice(),
    await cpuDevice({ threads: 1, passes: passes({}) }),
    await cpuDevice({ threads: 1, passes: passes({ gpu: true }) }),
  ];
  for (const device of devices) {
    const args = values.map((value, i) => device.put(value, inputs[i]!));
    results.push((await readTree(await device.jit(f)(args))) as unknown as Float32Array[]);
    await device.dispose();
  }
  return { plain: graphs[0]!, gpu: graphs[1]!, eager: results[0]!, cpu: results[1]!, got: results[2]! };
}

const count = (graph: Graph, which: (value: Value) => boolean) => schedule(graph).filter(which).length;

function expectClose(got: readonly Float32Array[], want: readonly Float32Array[], tolerance: number) {
  for (const [i, values] of want.entries()) {
    const scale = values.reduce((m, x) => Math.max(m, Math.abs(x)), 1e-30);
    const worst = values.reduce((m, x, k) => Math.max(m, Math.abs(x - got[i]![k]!)), 0);
    expect(worst / scale, `result ${i}`).toBeLessThan(tolerance);
  }
}

describe('an update of many parameters', () => {
  const shapes = [[3, 3, 2, 4], [16], [16], [32], [5, 4], [10], [300, 1000], [17], [3, 6], [64], [4, 4], [9]];
  const n = shapes.length;

  /** Clipping by the norm of all gradients, and Adam. */
  const update = (inputs: Tensor[]): Tensor[] => {
    const [params, grads, means, squares] = [0, 1, 2, 3].map((i) => inputs.slice(i * n, (i + 1) * n)) as [
      Tensor[],
      Tensor[],
      Tensor[],
      Tensor[],
    ];
    const rate = inputs.at(-1)!.asScalar();
    const total = grads.map((x) => tf.sum(tf.square(x))).reduce((a, b) => tf.add(a, b));
    const clip = tf.minimum(1, tf.div(8, tf.sqrt(total)));
    const clipped = grads.map((x) => tf.mul(x, clip));
    const mean = means.map((m, i) => tf.add(tf.mul(m, 0.9), tf.mul(clipped[i]!, 0.1)));
    const square = squares.map((v, i) => tf.add(tf.mul(tf.square(v), 0.999), tf.mul(tf.square(clipped[i]!), 0.001)));
    const next = params.map((p, i) => tf.sub(p, tf.mul(tf.div(mean[i]!, tf.add(tf.sqrt(square[i]!), 1e-8)), rate)));
    return [...next, ...mean, ...square];
  };

  it('is one chain of ops for all small ones', async () => {
    const { plain, gpu, eager, got } = await compiled(update, [...shapes, ...shapes, ...shapes, ...shapes, [1]]);
    const full = (value: Value) => value.op === 'binary' && sizeOf(value.shape) > 1;
    const perTensor = count(plain, full) / n;
    expect(perTensor).toBe(13);
    // Once for the large tensor, once for all others.
    expect(count(gpu, full)).toBe(2 * perTensor);
    expect(count(gpu, ({ op }) => op === 'reduce')).toBeLessThan(6);
    expectClose(got, eager, 1e-5);
  });
});

it('joins blends whose weights differ, as those of running statistics do', async () => {
  const blend = (inputs: Tensor[]): Tensor[] =>
    inputs.slice(0, 4).map((x, i) => tf.add(tf.mul(x, 0.9), tf.mul(inputs[4 + i]!, 0.1 + i / 100)));
  const shapes = [[16], [16], [32], [64]];
  const { plain, gpu, cpu, got } = await compiled(blend, [...shapes, ...shapes]);
  const full = ({ op, shape }: Value) => op === 'binary' && sizeOf(shape) > 1;
  expect([count(plain, full), count(gpu, full)]).toEqual([12, 3]);
  expect(got).toEqual(cpu);
});

it('leaves ops of the same kind apart that need each other', async () => {
  const chain = ([x, w]: Tensor[]): Tensor[] => {
    const outputs = [tf.relu(tf.mul(x!, 2))];
    for (let i = 0; i < 3; i++) outputs.push(tf.relu(tf.mul(tf.matMul(outputs.at(-1) as Tensor2D, w as Tensor2D), 2)));
    return outputs;
  };
  const { gpu, cpu, got } = await compiled(chain, [
    [5, 4],
    [4, 4],
  ]);
  expect(count(gpu, ({ op }) => op === 'concat')).toBe(0);
  expect(got).toEqual(cpu);
});

describe('random graphs of small tensors', () => {
  const shapes = [[4], [2, 3], [5], [4]];
  /** From a list of tensors of one shape and a scalar to a new tensor. */
  const steps: readonly ((x: Tensor, older: Tensor, scalar: Tensor) => Tensor)[] = [
    (x) => tf.neg(x),
    (x, older) => tf.add(x, older),
    (x, older) => tf.mul(x, older),
    (x) => tf.mul(x, 0.5),
    (x, _, scalar) => tf.mul(x, scalar),
    (x) => tf.maximum(x, 0),
    (x) => tf.where(tf.greater(x, 0.25), x, tf.neg(x)),
    (x) => tf.reverse(x, -1),
  ];

  it('give the same bits joined', async () => {
    let joined = 0;
    const counted = (graph: Graph) => {
      const plain = optimize(graph);
      const better = joinElementwise(plain);
      if (count(better, ({ op }) => op === 'concat') > 0) joined++;
      return better;
    };
    const device = await cpuDevice({ threads: 1, passes: (graph) => optimize(graph) });
    const joining = await cpuDevice({ threads: 1, passes: counted });
    afterAll(() => Promise.all([device.dispose(), joining.dispose()]));
    await fc.assert(
      fc.asyncProperty(
        // The same steps for each tensor, now and then with one of its own, and scalars that come from other tensors.
        fc.array(fc.tuple(fc.nat(steps.length - 1), fc.nat(20), fc.nat(3), fc.nat(2)), { minLength: 1, maxLength: 10 }),
        fc.array(fc.nat(3), { maxLength: 6 }),
        async (program, kept) => {
          const f = (inputs: Tensor[]): Tensor[] => {
            const histories = inputs.map((x) => [x]);
            const outputs: Tensor[] = [];
            for (const [step, own, from, back] of program) {
              const scalar = tf.sum(histories[from]!.at(-1)!);
              for (const [i, history] of histories.entries()) {
                const older = history.at(-1 - (back % history.length))!;
                history.push(steps[own === i ? 3 : step]!(history.at(-1)!, older, scalar));
              }
              if (kept.includes(outputs.length % 4)) outputs.push(...histories.map((history) => history.at(-1)!));
            }
            return [...outputs, ...histories.map((history) => history.at(-1)!)];
          };
          const values = shapes.map(normal);
          const on = async (where: Device) => {
            const g = where.jit(f);
            const args = values.map((value, i) => where.put(value, shapes[i]!));
            const results = await g(args);
            const host = (await readTree(results)) as unknown as Float32Array[];
            for (const array of [...args, ...results]) array.dispose();
            await g.dispose();
            return host;
          };
          const [want, got] = [await on(device), await on(joining)];
          // ONNX Runtime's maximum of 0 and -0 depends on where in a vector they stand.
          const oneZero = (results: readonly Float32Array[]) => results.map((values) => values.map((x) => x + 0));
          expect(oneZero(got)).toEqual(oneZero(want));
        },
      ),
      { numRuns: 150, seed: 7 },
    );
    expect(joined).toBeGreaterThan(50);
  });
});

it.each([
  { name: 'padded', stride: 1, pad: 1 },
  { name: 'strided', stride: 2, pad: 1 },
  { name: 'without padding', stride: 1, pad: 0 },
])('filter gradients of a minibatch in parts: $name', async ({ stride, pad }) => {
  // 68 images are 17 parts of 4.
  const f = ([x, w]: Tensor[]): Tensor[] =>
    tf.grads((image: Tensor, kernel: Tensor) =>
      tf.sum(tf.sin(tf.conv2d(image as Tensor4D, kernel as Tensor4D, stride, pad))).asScalar(),
    )([x!, w!]);
  const { gpu, eager, got } = await compiled(f, [
    [68, 6, 5, 3],
    [3, 3, 3, 4],
  ]);
  expect(count(gpu, ({ op, shape }) => op === 'gather' && shape[0] === 68)).toBe(1);
  expect(count(gpu, ({ op, shape }) => op === 'matmul' && shape[0] === 17)).toBe(1);
  expectClose(got, eager, 1e-5);
});

it.each([
  { transA: false, transB: false },
  { transA: true, transB: false },
  { transA: false, transB: true },
  { transA: true, transB: true },
])('products with long sums are cut into parts: $transA, $transB', async ({ transA, transB }) => {
  const f = ([a, b, c]: Tensor[]): Tensor[] => [
    tf.matMul(a as Tensor2D, b as Tensor2D, transA, transB),
    // Too short to be cut.
    tf.matMul(c as Tensor2D, c as Tensor2D),
  ];
  const { gpu, eager, got } = await compiled(f, [
    transA ? [1536, 5] : [5, 1536],
    transB ? [7, 1536] : [1536, 7],
    [300, 300],
  ]);
  // The sum over the 6 parts is a product with ones.
  expect(schedule(gpu).flatMap(({ op, shape }) => (op === 'matmul' ? [shape] : []))).toEqual([
    [6, 5, 7],
    [1, 5 * 7],
    [300, 300],
  ]);
  expectClose(got, eager, 1e-5);
});

describe('sums', () => {
  const relative = 2e-5;

  it('over first axes, and over first and last ones, are products', async () => {
    const f = ([x]: Tensor[]): Tensor[] => [
      tf.sum(x!, [0, 2, 3]),
      tf.sum(tf.square(x!), [0, 2, 3], true),
      tf.sum(x!, [0]),
      tf.sum(x!, [0, 1]),
      tf.sum(x!, [1, 2]),
      tf.sum(x!, [0, 2]),
      tf.sum(x!, [3]),
    ];
    const { gpu, eager, got } = await compiled(f, [[6, 5, 4, 3]]);
    expect(count(gpu, ({ op }) => op === 'matmul')).toBe(4);
    expectClose(got, eager, relative);
  });

  it('over large tensors go over rows first', async () => {
    const f = ([x, prime]: Tensor[]): Tensor[] => [
      tf.sum(x!),
      tf.sum(tf.square(x!)),
      tf.max(x!),
      tf.min(x!),
      tf.mean(x!),
      tf.max(prime!),
    ];
    const { plain, gpu, eager, got } = await compiled(f, [[32, 16, 14, 14], [65_537]]);
    const reductions = (graph: Graph) => count(graph, ({ op }) => op === 'reduce');
    // The mean is a multiple of the sum. A prime number of elements has no rows.
    expect(reductions(plain)).toBe(5);
    expect(reductions(gpu)).toBe(9);
    expectClose(got, eager, 1e-4);
  });

  it('of squares are one over all small tensors, and keep terms of other kinds', async () => {
    const f = (inputs: Tensor[]): Tensor[] => {
      const squares = inputs.map((x) => tf.sum(tf.square(x)));
      const all = squares.reduce((a, b) => tf.add(a, b), tf.max(inputs[0]!));
      return [tf.add(all, 3), squares[1]!, tf.add(squares[0]!, squares[1]!)];
    };
    const { gpu, eager, got } = await compiled(f, [[3], [2, 5], [4], [600, 500], [1], [7]]);
    // The joined one, that of the large tensor in three steps, those that are read by themselves, and the maximum.
    expect(count(gpu, ({ op, attrs }) => op === 'reduce' && (attrs as { f: string }).f === 'sumSquare')).toBe(4);
    expectClose(got, eager, relative);
  });
});

it('cuts a tensor into all of its parts in one op, where the dialect has one', async () => {
  const build = new Builder();
  const x = build.input(0, [2, 9], 'float32');
  const cut = (from: number, to: number) => build.slice(x, [0, from], [2, to]);
  const outputs = [build.unary('neg', cut(4, 9)), cut(0, 1), build.unary('abs', cut(1, 4))];
  const graph = { inputs: [x], outputs };
  const values = normal([2, 9]);
  const ran: Float32Array[][] = [];
  for (const [dialect, splits, slices] of [
    [CPU, 0, 3],
    [{ ...CPU, splitsInto: 3 }, 1, 0],
    [{ ...CPU, splitsInto: 2 }, 0, 3],
  ] as const) {
    const model = toOnnx(graph, dialect);
    const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3 });
    const found = await session.run({ [inputName(0)]: new ort.Tensor('float32', values, [2, 9]) });
    ran.push(outputs.map((_, i) => found[outputName(i)]!.data as Float32Array));
    const text = new TextDecoder('latin1').decode(model);
    expect([text.split('Split').length - 1, text.split('Slice').length - 1]).toEqual([splits, slices]);
    await session.release();
  }
  expect(ran[1]).toEqual(ran[0]);
  expect(ran[2]).toEqual(ran[0]);
  // A part that is missing, or there twice: no whole.
  const rest = { inputs: [x], outputs: [cut(0, 1), cut(1, 8)] };
  expect(new TextDecoder('latin1').decode(toOnnx(rest, { ...CPU, splitsInto: 3 }))).not.toContain('Split');
  const overlap = { inputs: [x], outputs: [cut(0, 4), cut(3, 9)] };
  expect(new TextDecoder('latin1').decode(toOnnx(overlap, { ...CPU, splitsInto: 3 }))).not.toContain('Split');
});

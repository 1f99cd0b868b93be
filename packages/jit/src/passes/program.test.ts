/** Whole random programs: compiled, with each pass alone and with all of them, against eager TensorFlow.js. */
import { sizeOf, type Tensor, type Tensor4D, tf } from '@cert/core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { cpuDevice } from '../devices/cpu.js';
import { eagerDevice } from '../devices/eager.js';
import type { Graph } from '../graph/ir.js';
import { rewrite } from '../graph/rewrite.js';
import { readTree } from '../index.js';
import {
  algebra,
  convBias,
  filterGradient,
  gatheredFilterGradient,
  inputGradient,
  layout,
  optimize,
  squeeze,
  untilStable,
} from './index.js';

/** Steps of a program on a stack of images [2, h, w, c]; each takes the newest image and maybe an older one. */
const STEPS: readonly ((x: Tensor4D, older: Tensor4D, weights: Tensor4D, vector: Tensor) => Tensor)[] = [
  (x, _, w) => tf.conv2d(x, filterFor(w, x), 1, 1),
  (x, _, w) => tf.conv2d(x, filterFor(w, x), 2, 1),
  (x, _, w) => tf.conv2d(x, tf.abs(filterFor(w, x)) as Tensor4D, 1, 'valid'),
  (x, _, w) => tf.conv2d(x, filterFor(w, x).slice([1, 1, 0, 0], [1, 1, -1, -1]) as Tensor4D, 1, 0),
  (x) => tf.relu(x),
  (x, _, w, v) => tf.add(tf.conv2d(x, filterFor(w, x), 1, 1), v.slice([0], [3])),
  (x) => tf.sub(1, tf.mul(x, 0.5)),
  (x) => tf.neg(tf.neg(tf.mul(tf.mul(x, 3), 0.25))),
  (x, older) => (same(x, older) ? tf.add(x, older) : tf.sub(x, tf.mean(older))),
  (x, older) => (same(x, older) ? tf.minimum(tf.mul(x, 0.5), older) : tf.div(x, tf.add(tf.sum(tf.square(older)), 1))),
  (x, _, __, v) => tf.add(tf.mul(x, v.slice([0], [x.shape[3]])), v.slice([0], [x.shape[3]])),
  (x) => {
    const mean = tf.mean(x, [0, 1, 2]);
    return tf.div(tf.sub(x, mean), tf.sqrt(tf.add(tf.mean(tf.square(tf.sub(x, mean)), [0, 1, 2]), 0.1)));
  },
  (x) => tf.where(tf.greater(tf.reshape(tf.range(0, x.size), x.shape), 9), x, tf.mul(x, -0.3)),
  (x) => tf.mul(x, tf.onesLike(x)),
  (x) =>
    tf.pad(tf.reverse(x, [1]), [
      [0, 0],
      [1, 0],
      [0, 1],
      [0, 0],
    ]),
  (x) => tf.transpose(x, [0, 2, 1, 3]),
  (x) => tf.reshape(x, [x.shape[0], x.shape[2], x.shape[1], x.shape[3]]),
  (x) => tf.concat([x, tf.sigmoid(x)], 3),
  (x) => tf.slice(x, [0, 0, 0, 0], [-1, -1, -1, Math.ceil(x.shape[3] / 2)]),
  (x) => tf.mul(x, tf.softmax(tf.mean(x, [1, 2], true))),
  (x) => tf.avgPool(x, 2, 1, 'valid'),
  (x) => tf.sub(x, tf.max(x, [0, 3], true)),
];

const same = (a: Tensor, b: Tensor) => a.shape.join() === b.shape.join();
const filterFor = (w: Tensor4D, x: Tensor4D) => w.slice([0, 0, 0, 0], [3, 3, x.shape[3], 3]) as Tensor4D;

/** The program's result at the last image, and the gradients of a weighted sum with respect to everything. */
function run(steps: readonly number[], inputs: readonly Tensor[]): Tensor[] {
  const program = (image: Tensor, weights: Tensor, vector: Tensor): Tensor => {
    let [older, x] = [image as Tensor4D, image as Tensor4D];
    for (const step of steps) {
      if (x.shape[1] < 3 || x.shape[2] < 3 || x.shape[3] > 6) continue;
      [older, x] = [x, STEPS[step]!(x, older, weights as Tensor4D, vector) as Tensor4D];
    }
    return x;
  };
  const result = program(inputs[0]!, inputs[1]!, inputs[2]!);
  const loss = (...xs: Tensor[]) => {
    const y = program(xs[0]!, xs[1]!, xs[2]!);
    const touch = xs.map((x) => tf.mul(tf.sum(x), 0.01)).reduce((a, b) => tf.add(a, b));
    return tf.add(tf.mean(tf.mul(y, tf.reshape(tf.range(1, y.size + 1), y.shape))), touch).asScalar();
  };
  return [result, ...tf.grads(loss)([...inputs])];
}

const mandatory = (graph: Graph) => rewrite(graph, filterGradient);
const variants: { readonly [name: string]: (graph: Graph) => Graph } = {
  'no optimization': mandatory,
  'algebra alone': (graph) => mandatory(untilStable(graph, algebra)),
  'layout alone': (graph) => mandatory(untilStable(graph, layout)),
  'filter gradients of gathered windows alone': (graph) => rewrite(graph, gatheredFilterGradient()),
  'the same, a few filter elements at a time': (graph) => rewrite(graph, gatheredFilterGradient(200)),
  'input gradients alone': (graph) => mandatory(rewrite(graph, inputGradient)),
  'squeeze alone': (graph) => mandatory(untilStable(graph, squeeze)),
  'conv bias and layout alone': (graph) => {
    const now = mandatory(untilStable(graph, layout));
    return rewrite(now, convBias(now));
  },
  'all passes': optimize,
  'all passes for a GPU': (graph) => optimize(graph, { gpu: true }),
};

describe('random programs give the same compiled and eagerly', () => {
  const eager = eagerDevice();
  const shapes = [[2, 6, 5, 2], [3, 3, 6, 3], [6]];

  for (const [name, passes] of Object.entries(variants)) {
    it(name, async () => {
      const device = await cpuDevice({ threads: 1, passes });
      afterAll(() => device.dispose());
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.nat(STEPS.length - 1), { minLength: 1, maxLength: 7 }),
          fc.infiniteStream(fc.double({ min: -1, max: 1, noNaN: true })),
          async (steps, numbers) => {
            const values = shapes.map((shape) =>
              Float32Array.from({ length: sizeOf(shape) }, () => numbers.next().value as number),
            );
            const on = async (where: typeof device) => {
              const f = where.jit((inputs: Tensor[]) => run(steps, inputs));
              const args = values.map((v, i) => where.put(v, shapes[i]!));
              const out = await f(args);
              const host = (await readTree<Tensor[]>(out)) as Float32Array[];
              for (const array of [...args, ...out]) array.dispose();
              await f.dispose();
              return host;
            };
            const [want, got] = [await on(eager), await on(device)];
            for (const [i, w] of want.entries()) {
              const scale = w.reduce((m, x) => Math.max(m, Math.abs(x)), 1);
              const worst = w.reduce((m, x, k) => Math.max(m, Math.abs(x - got[i]![k]!)), 0);
              expect(worst / scale, `result ${i} of program ${steps}`).toBeLessThan(2e-5);
            }
          },
        ),
        { numRuns: name.startsWith('all passes') ? 80 : 30, seed: 11 },
      );
    });
  }
});

/** Nets whose exact range is known from an oracle that is not a bound method, to check that bounds are attained. */
import {
  add,
  affine,
  avgPool,
  batchNorm,
  concat,
  conv2d,
  dense,
  flatten,
  globalAvgPool,
  graph,
  INPUT,
  leakyRelu,
  maxPool,
  type Op,
  relu,
  reshape,
  sequential,
  sigmoid,
  sizeOf,
  type Tensor,
  tanh,
  tf,
  transpose,
} from '@cert/core';
import { type Forward, failure } from './conformance.js';
import { evaluate } from './host.js';
import { type BoundCall, forwardTensors, type HostBox, hostBounds, OUTPUT } from './host-bounds.js';
import { type NamedModel, usesOnly } from './models.js';
import { place } from './soundness.js';

/** Affine nets in which every element sees each input once: interval arithmetic is exact on them. */
export function singleLayers(ops?: readonly Op[]): NamedModel[] {
  const twice = graph([5]);
  twice.add(add(), [INPUT, INPUT]);
  const both = graph([3, 2]);
  both.add(concat(1), [both.add(affine([2, -1], [0, 1]), [INPUT]), INPUT]);
  both.add(flatten());
  const nets: NamedModel[] = [
    { name: 'dense', model: sequential([5], [dense(4)]) },
    { name: 'affine', model: sequential([3], [affine([2, -1, 0.5], [1, 0, -3]), dense(3)]) },
    { name: 'conv2d, stride 2', model: sequential([5, 5, 2], [conv2d(3, { stride: 2 }), flatten()]) },
    { name: 'conv2d, no padding', model: sequential([3, 4, 2], [conv2d(2, { kernel: 2, padding: 0 }), flatten()]) },
    { name: 'conv2d, 2 groups', model: sequential([4, 4, 4], [conv2d(2, { groups: 2 }), flatten()]) },
    { name: 'batchNorm', model: sequential([5], [dense(4), batchNorm()]) },
    { name: 'batchNorm of images', model: sequential([3, 3, 2], [conv2d(2), batchNorm(), flatten()]) },
    { name: 'avgPool', model: sequential([5, 4, 2], [avgPool(2), flatten(), dense(3)]) },
    { name: 'globalAvgPool', model: sequential([3, 3, 2], [globalAvgPool(), dense(3)]) },
    { name: 'add', model: twice.build() },
    {
      name: 'conv2d, rows unlike columns',
      model: sequential(
        [5, 4, 2],
        [conv2d(2, { kernel: [2, 3], stride: [2, 1], padding: [0, 1, 2, 0], dilation: [2, 1] }), flatten()],
      ),
    },
    {
      name: 'avgPool, padded',
      model: sequential([3, 4, 2], [avgPool([2, 3], { stride: [1, 2], padding: [1, 0, 0, 2] }), flatten()]),
    },
    {
      name: 'avgPool, padding counted',
      model: sequential([3, 3, 1], [avgPool(3, { stride: 2, padding: 1, countPadding: true }), flatten()]),
    },
    { name: 'affine of elements', model: sequential([2, 1, 2], [affine([2, -1, 0.5, 3], [1, 0, -3, 2]), flatten()]) },
    { name: 'reshape', model: sequential([2, 3, 2], [reshape([4, 3]), flatten(), dense(3)]) },
    { name: 'transpose', model: sequential([2, 3, 2], [transpose([1, 2, 0]), flatten(), dense(3)]) },
    { name: 'concat', model: both.build() },
  ];
  return nets.filter(usesOnly(ops));
}

/** Affine nets in which paths meet again: exact only for methods that keep the relation to the input. */
export function affineNets(ops?: readonly Op[]): NamedModel[] {
  const skip = graph([4, 4, 2]);
  const trunk = skip.add(conv2d(3));
  skip.add(batchNorm());
  skip.add(add(), [skip.add(conv2d(3)), trunk]);
  skip.add(globalAvgPool());
  skip.add(dense(3));
  const nets: NamedModel[] = [
    { name: 'dense, dense', model: sequential([5], [dense(6), dense(4)]) },
    { name: 'conv2d, conv2d, dense', model: sequential([4, 4, 2], [conv2d(3), conv2d(2), flatten(), dense(3)]) },
    { name: 'residual', model: skip.build() },
  ];
  return nets.filter(usesOnly(ops));
}

/** Nonlinear ops before a dense layer: monotone in every input, so that the range is attained at corners. */
export const monotoneNets = (ops?: readonly Op[]): NamedModel[] =>
  [
    { name: 'relu', model: sequential([4], [relu(), dense(3)]) },
    { name: 'leakyRelu', model: sequential([4], [leakyRelu(0.3), dense(3)]) },
    { name: 'sigmoid', model: sequential([4], [sigmoid(), dense(3)]) },
    { name: 'tanh', model: sequential([4], [tanh(), dense(3)]) },
    { name: 'maxPool', model: sequential([2, 4, 1], [maxPool(2), flatten(), dense(3)]) },
  ].filter(usesOnly(ops));

/**
 * The exact range of an affine net: f is evaluated at 0 and at the unit vectors, which gives its Jacobian J and offset; the range is
 * J c + b -+ |J| r.
 */
export async function affineRange(call: BoundCall, forward: Forward): Promise<Map<string, HostBox>> {
  const size = sizeOf(call.model.inputShape);
  const batch = call.box.lower.shape[0]!;
  const { spec, ...rest } = call;
  const basis = tf.tidy(() => tf.concat([tf.zeros([1, size]), tf.eye(size)]));
  const ranges = new Map<string, { lower: Float32Array; upper: Float32Array; shape: number[] }>();
  const { lower, upper } = await evaluate(() => ({ lower: call.box.lower, upper: call.box.upper }));
  for (let image = 0; image < batch; image++) {
    const columns = await evaluate(() => {
      const images = tf.reshape(basis, [size + 1, ...call.model.inputShape]);
      const matrix = spec && tf.tile(tf.slice(spec.matrix, [image, 0, 0], [1, -1, -1]), [size + 1, 1, 1]);
      return forwardTensors(forward, matrix ? { ...rest, spec: { matrix } } : rest, images);
    });
    for (const [node, { data, shape }] of Object.entries(columns)) {
      const elements = sizeOf(shape.slice(1));
      const range = ranges.get(node) ?? {
        lower: new Float32Array(batch * elements),
        upper: new Float32Array(batch * elements),
        shape: [batch, ...shape.slice(1)],
      };
      ranges.set(node, range);
      for (let e = 0; e < elements; e++) {
        const offset = data[e]!;
        let [low, high] = [offset, offset];
        for (let i = 0; i < size; i++) {
          const slope = data[(i + 1) * elements + e]! - offset;
          const [a, b] = [slope * lower.data[image * size + i]!, slope * upper.data[image * size + i]!];
          low += Math.min(a, b);
          high += Math.max(a, b);
        }
        range.lower[image * elements + e] = low;
        range.upper[image * elements + e] = high;
      }
    }
  }
  basis.dispose();
  return new Map(
    [...ranges].map(([node, r]) => [
      node,
      { lower: { data: r.lower, shape: r.shape }, upper: { data: r.upper, shape: r.shape } },
    ]),
  );
}

/** The exact range of a function that is monotone in every input: the extremes over all corners of the box. */
export async function cornerRange(call: BoundCall, forward: Forward): Promise<Map<string, HostBox>> {
  const size = sizeOf(call.model.inputShape);
  const nodes = [...call.model.nodes.slice(0, -1).map((node) => node.name), OUTPUT];
  const values = await evaluate(() => {
    const extremes: { [name: string]: Tensor } = {};
    for (let corner = 0; corner < 2 ** size; corner++) {
      const mask = tf.tensor(
        Array.from({ length: size }, (_, i) => (corner >> i) & 1),
        [1, ...call.model.inputShape],
        'bool',
      );
      const at = forwardTensors(forward, call, tf.where(mask, call.box.upper, call.box.lower));
      for (const node of nodes) {
        const value = at[node]!;
        const [low, high] = [`${node}/lower`, `${node}/upper`];
        extremes[low] = extremes[low] ? tf.minimum(extremes[low], value) : value;
        extremes[high] = extremes[high] ? tf.maximum(extremes[high], value) : value;
      }
    }
    return extremes;
  });
  return new Map(nodes.map((node) => [node, { lower: values[`${node}/lower`]!, upper: values[`${node}/upper`]! }]));
}

/** @throws CertError `unsound` (too tight) or `broken-contract` (too loose) where a bound is not the exact range's, at the nodes of `range` */
export async function checkExact(call: BoundCall, range: ReadonlyMap<string, HostBox>, where: string): Promise<void> {
  for (const [node, box] of await hostBounds(call, where)) {
    const exact = range.get(node);
    if (exact === undefined) continue;
    for (const side of ['lower', 'upper'] as const) {
      box[side].data.forEach((got, i) => {
        const want = exact[side].data[i]!;
        if (Math.abs(got - want) <= 1e-5 + 1e-4 * Math.abs(want)) return;
        const tight = side === 'lower' ? got > want : got < want;
        throw failure(
          tight || Number.isNaN(got) ? 'unsound' : 'broken-contract',
          call.method.name,
          `${where}, node "${node}", ${place(box[side], i)}`,
          `the ${side} bound is ${got}, but the exact bound is ${want}.`,
          'The method must return the exact range on this net; if it should not, set `exactOn` accordingly.',
        );
      });
    }
  }
}

/** Interval arithmetic in lower and upper bounds, written without @cert/bounds (which tests itself with this package). */
import {
  type BatchNormStats,
  type BoundMethod,
  INPUT,
  type IntervalTensor,
  type Node,
  type NodeOf,
  type Params,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor4D,
  tf,
  windowOf,
} from '@cert/core';
import type { Forward } from '../src/index.js';

/** The value of one node. */
export function apply(node: Node, params: Params, norm: BatchNormStats, inputs: Tensor[]): Tensor {
  const [x, y] = [inputs[0]!, inputs[1]];
  const own = params[node.name] ?? {};
  switch (node.op) {
    case 'conv2d':
      return tf.add(convolve(node, x, own.kernel!), own.bias!);
    case 'dense':
      return tf.add(tf.matMul(x as Tensor2D, own.kernel as Tensor2D), own.bias!);
    case 'batchNorm': {
      const { mean, variance } = norm[node.name]!;
      return tf.add(
        tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, node.attrs.epsilon))), own.gamma!),
        own.beta!,
      );
    }
    case 'relu':
      return tf.relu(x);
    case 'add':
      return tf.add(x, y!);
    case 'flatten':
      return tf.reshape(x, [x.shape[0]!, node.shape[0]!]);
    case 'globalAvgPool':
      return tf.mean(x, [1, 2]);
    case 'avgPool':
      return average(node, x);
    case 'maxPool': {
      const { size, stride, padding } = windowOf(node);
      // Far below all values of the suites' nets.
      return tf.maxPool(around(x, padding, -1e30) as Tensor4D, [...size], [...stride], 'valid');
    }
    case 'leakyRelu':
      return tf.maximum(x, tf.mul(x, node.attrs.slope));
    case 'sigmoid':
      return tf.sigmoid(x);
    case 'tanh':
      return tf.tanh(x);
    case 'softmax':
      return tf.softmax(x);
    case 'reshape':
      return tf.reshape(x, [x.shape[0]!, ...node.shape]);
    case 'transpose':
      return tf.transpose(x, [0, ...node.attrs.perm.map((axis) => axis + 1)]);
    case 'concat':
      return tf.concat(inputs, node.attrs.axis + 1);
    case 'affine': {
      const { scale, shift } = node.attrs;
      const shape = scale.length === node.shape.at(-1) ? [scale.length] : [...node.shape];
      return tf.add(tf.mul(x, tf.tensor([...scale], shape)), tf.tensor([...shift], shape));
    }
  }
}

const around = (x: Tensor, [top, bottom, left, right]: readonly number[], value: number): Tensor =>
  tf.pad(x, [[0, 0], [top!, bottom!], [left!, right!], [0, 0]], value); // biome-ignore format: one line a shape

/** The mean of a padded image, divided by that of an image of ones where padding does not count. */
function average(node: NodeOf<'avgPool'>, x: Tensor): Tensor {
  const { size, stride, padding } = windowOf(node);
  const mean = (image: Tensor) => tf.avgPool(around(image, padding, 0) as Tensor4D, [...size], [...stride], 'valid');
  return node.attrs.countPadding ? mean(x) : tf.div(mean(x), mean(tf.ones([1, ...x.shape.slice(1)])));
}

function convolve(node: NodeOf<'conv2d'>, x: Tensor, kernel: Tensor): Tensor {
  const { groups } = node.attrs;
  const { size, stride, padding, dilation } = windowOf(node);
  // TensorFlow.js has no gradient of a dilated convolution: every element of the kernel goes to its place, and they are added up.
  const [down, across] = dilation;
  const placed = Array.from({ length: size[0] * size[1] }, (_, i) => {
    const [y, x] = [Math.floor(i / size[1]), i % size[1]];
    const sides: [number, number][] = [
      [y * down, (size[0] - 1 - y) * down],
      [x * across, (size[1] - 1 - x) * across],
      [0, 0],
      [0, 0],
    ];
    return tf.pad(tf.slice(kernel, [y, x, 0, 0], [1, 1, -1, -1]), sides);
  });
  const dense = down === 1 && across === 1 ? kernel : placed.reduce((a, b) => tf.add(a, b));
  const one = (image: Tensor, filter: Tensor) =>
    tf.conv2d(around(image, padding, 0) as Tensor4D, filter as Tensor4D, [...stride], 'valid');
  // The gradient of a split in one part throws in TensorFlow.js.
  if (groups === 1) return one(x, dense);
  const kernels = tf.split(dense, groups, 3);
  return tf.concat(
    tf.split(x, groups, 3).map((part, g) => one(part, kernels[g]!)),
    3,
  );
}

/** The plain pass over the graph. */
export const forward: Forward = ({ model, params, norm = {} }, images) => {
  const at: { [node: string]: Tensor } = { [INPUT]: images };
  for (const node of model.nodes) {
    at[node.name] = apply(
      node,
      params,
      norm,
      node.inputs.map((name) => at[name]!),
    );
  }
  return { output: at[model.nodes.at(-1)!.name]!, at };
};

export type Step = (node: Node, params: Params, norm: BatchNormStats, inputs: IntervalTensor[]) => IntervalTensor;

const signed = (w: Tensor): [Tensor, Tensor] => [tf.relu(w), tf.minimum(w, 0)];

/** [W+ l + W- u + b, W+ u + W- l + b] for the affine ops, from the plain op with split parameters. */
export const step: Step = (node, params, norm, inputs) => {
  const own = params[node.name] ?? {};
  const values = (side: 'lower' | 'upper') => inputs.map((x) => x[side]);
  const split = (name: string, bias: string, w: Tensor): IntervalTensor => {
    const [plus, minus] = signed(w);
    const run = (weights: Tensor, b: Tensor, xs: Tensor[]) =>
      apply(node, { [node.name]: { ...own, [name]: weights, [bias]: b } }, norm, xs);
    const zero = tf.zerosLike(own[bias]!);
    return {
      lower: tf.add(run(plus, own[bias]!, values('lower')), run(minus, zero, values('upper'))),
      upper: tf.add(run(plus, own[bias]!, values('upper')), run(minus, zero, values('lower'))),
    };
  };
  switch (node.op) {
    case 'conv2d':
    case 'dense':
      return split('kernel', 'bias', own.kernel!);
    case 'batchNorm':
      return split('gamma', 'beta', own.gamma!);
    case 'affine': {
      const [a, b] = [values('lower'), values('upper')].map((xs) => apply(node, params, norm, xs)) as [Tensor, Tensor];
      return { lower: tf.minimum(a, b), upper: tf.maximum(a, b) };
    }
    default:
      return { lower: apply(node, params, norm, values('lower')), upper: apply(node, params, norm, values('upper')) };
  }
};

/** A bound method of a rule for one node. The last dense layer is multiplied by the specification first. */
export function intervalMethod(rule: Step = step, name = 'interval'): BoundMethod {
  return {
    name,
    bound({ network: { model, params, norm = {} }, box, spec }) {
      const at: { [node: string]: IntervalTensor } = { [INPUT]: box };
      for (const node of model.nodes) {
        at[node.name] = rule(
          node,
          params,
          norm,
          node.inputs.map((n) => at[n]!),
        );
      }
      const last = model.nodes.at(-1)!;
      const { [last.name]: logits, ...rest } = at;
      if (spec === undefined) return { output: logits!, at: rest };
      const rows = (matrix: Tensor, { lower, upper }: IntervalTensor): IntervalTensor => {
        const [plus, minus] = signed(matrix);
        const times = (m: Tensor, x: Tensor) => tf.sum(tf.mul(m, tf.expandDims(x, 1)), 2);
        return {
          lower: tf.add(times(plus, lower), times(minus, upper)),
          upper: tf.add(times(plus, upper), times(minus, lower)),
        };
      };
      if (last.op !== 'dense') return { output: rows(spec.matrix, logits!), at: rest };
      const { kernel, bias } = params[last.name]!;
      // sum_j C[i, r, j] W[k, j], as a broadcast product.
      const fused = tf.sum(tf.mul(tf.expandDims(spec.matrix, 2), kernel!), 3);
      const offset = tf.sum(tf.mul(spec.matrix, bias as Tensor1D), 2);
      const { lower, upper } = rows(fused, at[last.inputs[0]!]!);
      return { output: { lower: tf.add(lower, offset), upper: tf.add(upper, offset) }, at: rest };
    },
  };
}

/** Op of the model -> nodes of ONNX. */
import { type HostParams, type NodeOf, type Op, type Shape, type Window, windowOf } from '@cert/core';
import { transposedOrder } from '../onnx/order.js';
import { affineOfBatchNorm } from './fold-batch-norm.js';
import type { Attribute, GraphWriter } from './graph-writer.js';
import { asImage, asRows, inOrder, orderOf, type Stored } from './layout.js';

/** Weights of all nodes. */
interface Weights {
  readonly params: HostParams;
  readonly stats: HostParams;
}

/** Writes a node whose inputs are stored already. Returns where its output is stored. */
export type Rule<K extends Op> = (
  writer: GraphWriter,
  node: NodeOf<K>,
  inputs: readonly Stored[],
  weights: Weights,
) => Stored;

/** An op that works on each element alone, in whatever order. */
const each =
  <K extends Op>(
    op: string,
    attributes: (node: NodeOf<K>) => { readonly [name: string]: Attribute } = () => ({}),
  ): Rule<K> =>
  (writer, node, [x]) => ({ ...x!, name: writer.node(op, [x!.name], node.name, attributes(node)) });

/** x * scale + shift, one pair per channel (last axis of the model's node) or per element. Factors of 1 and terms of 0 are left out. */
function affine(
  writer: GraphWriter,
  name: string,
  x: Stored,
  scale: ArrayLike<number>,
  shift: ArrayLike<number>,
): Stored {
  const { shape, image } = x;
  const perChannel = scale.length === shape.at(-1);
  const isImage = image !== undefined && shape.length === 3;
  const channels = scale.length;
  const sides: Shape = perChannel
    ? isImage
      ? [channels, 1, 1]
      : [channels]
    : isImage
      ? [shape[2]!, shape[0]!, shape[1]!]
      : shape;
  const order = perChannel && isImage ? undefined : orderOf(x);
  const applied = (op: string, value: string, part: string, output: string, data: ArrayLike<number>, none: number) =>
    Array.from(data).every((n) => n === none)
      ? value
      : writer.node(op, [value, writer.floats(`${name}.${part}`, sides, inOrder(data, order))], output);
  const isShifted = Array.from(shift).some((n) => n !== 0);
  const scaled = applied('Mul', x.name, 'scale', isShifted ? `${name}.scaled` : name, scale, 1);
  return { ...x, name: applied('Add', scaled, 'shift', name, shift, 0) };
}

/** Attributes of windows, with pads as ONNX orders them: top, left, bottom, right. */
const windowAttributes = ({ size, stride, padding: [top, bottom, left, right] }: Window) => ({
  kernel_shape: size,
  pads: [top, left, bottom, right],
  strides: stride,
});

/** Values in one order; images are images if one of them is. */
function alike(writer: GraphWriter, values: readonly Stored[]): readonly Stored[] {
  const hasImage = values.some(({ image }) => image !== undefined);
  const rows = values[0]!.shape.length !== 3 || !hasImage;
  return values.map((value) => (rows ? asRows(writer, value) : asImage(writer, value)));
}

/** The axes of a stored value that the axes of its node are; the batch is axis 0. */
const axesOf = ({ image, shape }: Stored): readonly number[] =>
  image !== undefined && shape.length === 3 ? [2, 3, 1] : shape.map((_, axis) => axis + 1);

/** Each op with its nodes. */
export const RULES: { readonly [K in Op]?: Rule<K> } = {
  conv2d(writer, node, inputs, { params }) {
    const image = asImage(writer, inputs[0]!);
    const { kernel, bias } = params[node.name]!;
    const [height, width, channels, filters] = kernel!.shape as readonly [number, number, number, number];
    const data = inOrder(kernel!.data, transposedOrder(kernel!.shape, [3, 2, 0, 1]));
    const weight = writer.floats(`${node.name}.weight`, [filters, channels, height, width], data);
    const added = writer.floats(`${node.name}.bias`, [filters], Float32Array.from(bias!.data));
    const window = windowOf(node);
    const name = writer.node('Conv', [image.name, weight, added], node.name, {
      ...windowAttributes(window),
      dilations: window.dilation,
      group: node.attrs.groups,
    });
    return { name, shape: node.shape, image: node.shape };
  },
  dense(writer, node, inputs, { params }) {
    const x = inputs[0]!;
    const { kernel, bias } = params[node.name]!;
    const [rows, units] = kernel!.shape as readonly [number, number];
    // [out, in], as PyTorch has it; its columns are in the order of the stored input.
    const order = orderOf(x);
    const data = new Float32Array(rows * units);
    for (let unit = 0, i = 0; unit < units; unit++) {
      for (let row = 0; row < rows; row++, i++) data[i] = kernel!.data[(order?.[row] ?? row) * units + unit]!;
    }
    const weight = writer.floats(`${node.name}.weight`, [units, rows], data);
    const added = writer.floats(`${node.name}.bias`, [units], Float32Array.from(bias!.data));
    const name = writer.node('Gemm', [x.name, weight, added], node.name, { transB: 1 });
    return { name, shape: node.shape, image: undefined };
  },
  batchNorm(writer, node, inputs, { params, stats }) {
    const x = inputs[0]!;
    const isImage = x.image !== undefined && x.shape.length === 3;
    if (!isImage && x.shape.length !== 1) {
      // The channels of ONNX's operator are axis 1.
      const { scale, shift } = affineOfBatchNorm(node, params, stats);
      return affine(writer, node.name, x, scale, shift);
    }
    const order = isImage ? undefined : orderOf(x);
    const { gamma, beta } = params[node.name]!;
    const { mean, variance } = stats[node.name]!;
    const constants = Object.entries({ weight: gamma!, bias: beta!, running_mean: mean!, running_var: variance! }).map(
      ([part, { shape, data }]) => writer.floats(`${node.name}.${part}`, shape, inOrder(data, order)),
    );
    const attributes = { epsilon: { float: node.attrs.epsilon } };
    return { ...x, name: writer.node('BatchNormalization', [x.name, ...constants], node.name, attributes) };
  },
  relu: each('Relu'),
  leakyRelu: each<'leakyRelu'>('LeakyRelu', ({ attrs }) => ({ alpha: { float: attrs.slope } })),
  sigmoid: each('Sigmoid'),
  tanh: each('Tanh'),
  softmax(writer, node, inputs) {
    const x = inputs[0]!;
    return { ...x, name: writer.node('Softmax', [x.name], node.name, { axis: axesOf(x).at(-1)! }) };
  },
  add(writer, node, inputs) {
    const [a, b] = inputs as readonly [Stored, Stored];
    const [left, right] = (String(a.image) === String(b.image) ? [a, b] : alike(writer, [a, b])) as readonly [
      Stored,
      Stored,
    ];
    return { ...left, name: writer.node('Add', [left.name, right.name], node.name) };
  },
  flatten(writer, node, inputs) {
    const x = inputs[0]!;
    if (x.shape.length === 1) return x;
    return { name: writer.node('Flatten', [x.name], node.name, { axis: 1 }), shape: node.shape, image: x.image };
  },
  globalAvgPool(writer, node, inputs) {
    const image = asImage(writer, inputs[0]!);
    const pooled = writer.node('GlobalAveragePool', [image.name], `${node.name}.pooled`);
    return { name: writer.node('Flatten', [pooled], node.name, { axis: 1 }), shape: node.shape, image: undefined };
  },
  avgPool(writer, node, inputs) {
    const image = asImage(writer, inputs[0]!);
    const name = writer.node('AveragePool', [image.name], node.name, {
      ...windowAttributes(windowOf(node)),
      ...(node.attrs.countPadding && { count_include_pad: 1 }),
    });
    return { name, shape: node.shape, image: node.shape };
  },
  maxPool(writer, node, inputs) {
    const image = asImage(writer, inputs[0]!);
    const name = writer.node('MaxPool', [image.name], node.name, windowAttributes(windowOf(node)));
    return { name, shape: node.shape, image: node.shape };
  },
  reshape(writer, node, inputs) {
    const rows = asRows(writer, inputs[0]!);
    // 0 keeps the batch axis.
    const shape = writer.integers(`${node.name}.shape`, [0, ...node.shape]);
    const name = writer.node('Reshape', [rows.name, shape], node.name);
    return { name, shape: node.shape, image: undefined };
  },
  transpose(writer, node, inputs) {
    const x = inputs[0]!.shape.length === 1 ? asRows(writer, inputs[0]!) : inputs[0]!;
    const axes = axesOf(x);
    const perm = [0, ...node.attrs.perm.map((axis) => axes[axis]!)];
    const moves = perm.some((axis, i) => axis !== i);
    const name = moves ? writer.node('Transpose', [x.name], node.name, { perm }) : x.name;
    return { name, shape: node.shape, image: undefined };
  },
  concat(writer, node, inputs) {
    const values = alike(writer, inputs);
    const axis = axesOf(values[0]!)[node.attrs.axis]!;
    const names = values.map(({ name }) => name);
    const name = writer.node('Concat', names, node.name, { axis });
    return { name, shape: node.shape, image: values[0]!.image && node.shape };
  },
  affine: (writer, node, inputs) => affine(writer, node.name, inputs[0]!, node.attrs.scale, node.attrs.shift),
};

/** Ops that take images with their channels first. */
export const IMAGE_OPS: ReadonlySet<Op> = new Set<Op>(['conv2d', 'globalAvgPool', 'avgPool', 'maxPool']);

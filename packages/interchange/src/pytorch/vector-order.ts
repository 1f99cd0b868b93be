import { INPUT, type Model, type Node, type Shape } from '@cert/core';
import { imageOrder, type Order, sameOrder, simplified } from '../onnx/order.js';

/** The order in which PyTorch's code flattens images: channels, height, width, or height, width, channels. */
export type FlattenOrder = 'chw' | 'hwc';

/** A vector of PyTorch: element i is element `order[i]` of the model's node. */
export type VectorOrders = ReadonlyMap<string, Order>;

/** Ops that work on each element alone. */
const ELEMENTWISE: ReadonlySet<string> = new Set([
  'relu',
  'leakyRelu',
  'sigmoid',
  'tanh',
  'softmax',
  'batchNorm',
  'affine',
]);

/**
 * The order of each vector node in PyTorch, where images are [channels, height, width]: it differs from that of the model behind a flattened
 * image, up to the next dense layer.
 */
export function vectorOrders(model: Model, flattened: FlattenOrder): VectorOrders {
  const shapes = new Map<string, Shape>([[INPUT, model.inputShape]]);
  const orders = new Map<string, Order>();
  for (const node of model.nodes) {
    if (node.shape.length === 1) orders.set(node.name, orderOf(node, shapes, orders, flattened));
    shapes.set(node.name, node.shape);
  }
  return orders;
}

function orderOf(node: Node, shapes: ReadonlyMap<string, Shape>, orders: VectorOrders, flattened: FlattenOrder): Order {
  const [first] = node.inputs;
  const before = orders.get(first!);
  if (node.op === 'flatten') {
    const [height, width, channels] = shapes.get(first!)!;
    const isImage = shapes.get(first!)!.length === 3;
    return isImage && flattened === 'chw' ? imageOrder([channels!, height!, width!]) : before;
  }
  if (ELEMENTWISE.has(node.op)) return before;
  if (node.op === 'add') return node.inputs.every((name) => sameOrder(orders.get(name), before)) ? before : undefined;
  if (node.op !== 'concat') return undefined;
  let start = 0;
  const parts = node.inputs.map((name) => {
    const length = shapes.get(name)![0]!;
    const own = orders.get(name);
    const part = Array.from({ length }, (_, i) => start + (own === undefined ? i : own[i]!));
    start += length;
    return part;
  });
  return simplified(Int32Array.from(parts.flat()));
}

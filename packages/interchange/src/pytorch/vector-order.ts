import { INPUT, type Model, type Node, type Shape, sizeOf } from '@cert/core';
import { imageOrder, type Order, sameOrder, simplified } from '../onnx/order.js';

/** The order in which PyTorch's code flattens images: channels, height, width, or height, width, channels. */
export type FlattenOrder = 'chw' | 'hwc';

/** A vector of PyTorch: element i is element `order[i]` of the model's node. Unknown where PyTorch code of several meanings may stand for the node. */
export type VectorOrder = Order | 'unknown';

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

/** Whether elements can stand in one order only, whatever the axes are called. */
const isVector = (shape: Shape): boolean => shape.filter((length) => length > 1).length <= 1;

/**
 * The order of each vector node in PyTorch, where images are [channels, height, width]: it differs from that of the model behind a flattened
 * image, up to the next dense layer.
 */
export function vectorOrders(model: Model, flattened: FlattenOrder): ReadonlyMap<string, VectorOrder> {
  const shapes = new Map<string, Shape>([[INPUT, model.inputShape]]);
  const orders = new Map<string, VectorOrder>();
  /** Nodes whose axes are no longer height, width and channels. */
  const moved = new Set<string>();
  for (const node of model.nodes) {
    if (isVector(node.shape)) orders.set(node.name, orderOf(node, shapes, orders, moved, flattened));
    const moves = node.op === 'transpose' || node.op === 'reshape' || node.inputs.some((name) => moved.has(name));
    if (moves && node.op !== 'conv2d') moved.add(node.name);
    shapes.set(node.name, node.shape);
  }
  return orders;
}

function orderOf(
  node: Node,
  shapes: ReadonlyMap<string, Shape>,
  orders: ReadonlyMap<string, VectorOrder>,
  moved: ReadonlySet<string>,
  flattened: FlattenOrder,
): VectorOrder {
  const [first] = node.inputs;
  const [before, shape] = [orders.get(first!), shapes.get(first!)!];
  switch (node.op) {
    case 'flatten':
    case 'reshape':
    case 'transpose': {
      if (isVector(shape)) return before;
      if (node.op !== 'flatten' || moved.has(first!)) return 'unknown';
      const [height, width, channels] = shape;
      return shape.length === 3 && flattened === 'chw' ? imageOrder([channels!, height!, width!]) : undefined;
    }
    case 'add': {
      const isSame = (order: VectorOrder) => order !== 'unknown' && before !== 'unknown' && sameOrder(order, before);
      return node.inputs.every((name) => isSame(orders.get(name))) ? before : 'unknown';
    }
    case 'concat':
      return concatenated(node, shapes, orders);
    default:
      return ELEMENTWISE.has(node.op) ? before : undefined;
  }
}

function concatenated(
  { inputs }: Node,
  shapes: ReadonlyMap<string, Shape>,
  orders: ReadonlyMap<string, VectorOrder>,
): VectorOrder {
  let start = 0;
  const positions: number[] = [];
  for (const name of inputs) {
    const [length, own] = [sizeOf(shapes.get(name)!), orders.get(name)];
    if (own === 'unknown') return own;
    for (let i = 0; i < length; i++) positions.push(start + (own === undefined ? i : own[i]!));
    start += length;
  }
  return simplified(Int32Array.from(positions));
}

/** The layers of a model as PyTorch has them: names, shapes and orders of their tensors. */
import { CertError, describeValue, type Model, type Node, type NodeOf, type Shape } from '@cert/core';
import { type Order, transposedOrder } from '../onnx/order.js';
import { type FlattenOrder, type VectorOrder, vectorOrders } from './vector-order.js';

/** A tensor of a layer. */
export interface LayerTensor {
  /** Where it is in a network of `@cert/core`. */
  readonly part: 'params' | 'stats';
  readonly key: string;
  /** Its name in PyTorch, behind that of the layer. */
  readonly torch: string;
  /** Its shape in PyTorch. */
  readonly shape: Shape;
  /** Element i, in PyTorch's order, is element `order[i]` of ours. */
  readonly order: Order;
  /** What all of its numbers are where PyTorch has no such tensor (`bias=False`, `affine=False`); undefined where it must be there. */
  readonly absent?: number;
}

/** A layer with weights. */
export interface Layer {
  /** The node of the model. */
  readonly node: string;
  /** The module of PyTorch, for messages. */
  readonly kind: 'Conv2d' | 'Linear' | 'BatchNorm';
  /** Our shape of each tensor is that of the node. */
  readonly tensors: readonly LayerTensor[];
}

/**
 * The layers with weights of a model, in graph order.
 *
 * @throws CertError `missing-rule` for a node with weights of another op, and for one that reads a vector whose order in PyTorch is not known
 */
export function layersOf(model: Model, flattened: FlattenOrder): readonly Layer[] {
  const orders = vectorOrders(model, flattened);
  return model.nodes
    .filter(({ params, stats }) => Object.keys({ ...params, ...stats }).length > 0)
    .map((node) => layerOf(node, orders));
}

/** The orders of vector nodes. */
type VectorOrders = ReturnType<typeof vectorOrders>;

function layerOf(node: Node, orders: VectorOrders): Layer {
  const { name } = node;
  switch (node.op) {
    case 'conv2d':
      return { node: name, kind: 'Conv2d', tensors: [convolutionKernel(node), biasOf(node)] };
    case 'dense':
      return { node: name, kind: 'Linear', tensors: [denseKernel(node, orders), biasOf(node)] };
    case 'batchNorm':
      return { node: name, kind: 'BatchNorm', tensors: normalization(node, orders) };
    default:
      throw new CertError(
        'missing-rule',
        `The op ${describeValue(node.op)} (node ${describeValue(name)}) has weights and no PyTorch layout.`,
        'Supported: conv2d, dense and batchNorm. Convert the weights of other ops with code of your own.',
      );
  }
}

function convolutionKernel({ params }: NodeOf<'conv2d'>): LayerTensor {
  const [height, width, channels, filters] = params.kernel as readonly [number, number, number, number];
  const order = transposedOrder(params.kernel, [3, 2, 0, 1]);
  return { part: 'params', key: 'kernel', torch: 'weight', shape: [filters, channels, height, width], order };
}

function denseKernel({ name, params, inputs }: NodeOf<'dense'>, orders: VectorOrders): LayerTensor {
  const [rows, units] = params.kernel as readonly [number, number];
  const columns = known(name, orders.get(inputs[0]!));
  const order = new Int32Array(rows * units);
  for (let unit = 0, i = 0; unit < units; unit++) {
    for (let row = 0; row < rows; row++, i++) order[i] = (columns?.[row] ?? row) * units + unit;
  }
  return { part: 'params', key: 'kernel', torch: 'weight', shape: [units, rows], order };
}

/** The order of a vector that a node reads. */
function known(node: string, order: VectorOrder): Order {
  if (order !== 'unknown') return order;
  throw new CertError(
    'missing-rule',
    `The node ${describeValue(node)} reads numbers whose order in PyTorch is not known.`,
    'Vectors of images must come from flatten(), behind convolutions without transpose or reshape, and sums must be of vectors in one order.',
  );
}

const biasOf = ({ params }: NodeOf<'conv2d'> | NodeOf<'dense'>): LayerTensor => ({
  ...{ part: 'params', key: 'bias', torch: 'bias', shape: params.bias, order: undefined, absent: 0 },
});

function normalization({ name, params, stats }: NodeOf<'batchNorm'>, orders: VectorOrders): readonly LayerTensor[] {
  const order = known(name, orders.get(name));
  return [
    { part: 'params', key: 'gamma', torch: 'weight', shape: params.gamma, order, absent: 1 },
    { part: 'params', key: 'beta', torch: 'bias', shape: params.beta, order, absent: 0 },
    { part: 'stats', key: 'mean', torch: 'running_mean', shape: stats.mean, order },
    { part: 'stats', key: 'variance', torch: 'running_var', shape: stats.variance, order },
  ];
}

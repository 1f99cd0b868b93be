import { type Model, type Network, type Node, type Params, sizeOf, tf } from '@cert/core';
import { normAffine } from './natural.js';

const { add, mul } = tf;

/**
 * Returns the network with BatchNorm folded into the preceding convolutions and dense layers:
 * scale * (W x + b) + shift = (scale W) x + (scale b + shift). Bounds are equal up to rounding and faster to compute, because the scale is
 * applied to the kernel instead of every pixel. A folded layer has the name of its BatchNorm node. A pure function of tensors: gradients
 * flow to the original parameters and the statistics.
 *
 * Layers whose kernel is larger than their output (wide dense layers) are left unchanged, because folding would not save time.
 *
 * @param batch number of images to bound: with more images, folding saves time for larger kernels
 * @returns new tensors for folded layers, and the given tensors for all others
 */
export function foldBatchNorm(network: Network, batch: number): Network {
  const { model, params, norm = {} } = network;
  const folded = foldedModel(model, batch);
  const changed: { [node: string]: Params[string] } = {};
  for (const { name, op } of folded.nodes) {
    const node = model.nodes.find((one) => one.name === name)!;
    if (node.op !== 'batchNorm' || op === 'batchNorm') continue;
    const { kernel, bias } = params[node.inputs[0]!]!;
    const { gamma, beta } = params[name]!;
    const { scale, shift } = normAffine({ gamma: gamma!, beta: beta! }, norm[name]!, node.attrs.epsilon);
    changed[name] = { kernel: mul(kernel!, scale), bias: add(mul(bias!, scale), shift) };
  }
  return { ...network, model: folded, params: { ...params, ...changed } };
}

/** The model of {@link foldBatchNorm}. */
export function foldedModel(model: Model, batch: number): Model {
  const nodes: Node[] = [];
  for (const node of model.nodes) {
    const linear = node.op === 'batchNorm' ? foldable(model, node, batch) : undefined;
    if (linear !== undefined) nodes.splice(nodes.indexOf(linear), 1);
    nodes.push(linear === undefined ? node : { ...linear, name: node.name });
  }
  return { ...model, nodes };
}

/** The convolution or dense layer in front of a batch normalization, when nothing else reads it and folding pays. */
function foldable(model: Model, norm: Node, batch: number): Node | undefined {
  const [name] = norm.inputs;
  const linear = model.nodes.find((node) => node.name === name);
  if (linear?.op !== 'conv2d' && linear?.op !== 'dense') return undefined;
  const readers = model.nodes.filter((node) => node.inputs.includes(linear.name));
  return readers.length === 1 && sizeOf(linear.params.kernel) <= batch * sizeOf(linear.shape) ? linear : undefined;
}

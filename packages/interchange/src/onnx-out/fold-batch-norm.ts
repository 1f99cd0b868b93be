import { type HostParams, type HostTensor, type Node, type NodeOf, sizeOf } from '@cert/core';
import type { ImportedNetwork } from '../onnx/read-onnx.js';

type Weighted = Pick<ImportedNetwork, 'model' | 'params' | 'stats'>;

/** A batch normalization as x * scale + shift, one pair per channel, in float64. */
export function affineOfBatchNorm(
  { name, attrs }: NodeOf<'batchNorm'>,
  params: HostParams,
  stats: HostParams,
): { readonly scale: Float64Array; readonly shift: Float64Array } {
  const { gamma, beta } = params[name] as { readonly [name: string]: HostTensor };
  const { mean, variance } = stats[name] as { readonly [name: string]: HostTensor };
  const scale = Float64Array.from(gamma!.data, (g, i) => g / Math.sqrt(variance!.data[i]! + attrs.epsilon));
  const shift = Float64Array.from(beta!.data, (b, i) => b - mean!.data[i]! * scale[i]!);
  return { scale, shift };
}

/**
 * A network without BatchNorm: folded into the convolution or dense layer in front where nothing else reads that layer, which keeps its
 * name, and an affine node of the same name elsewhere.
 */
export function withoutBatchNorm({ model, params, stats }: Weighted): Weighted {
  const nodes: Node[] = [];
  const weights: { [node: string]: HostParams[string] } = { ...params };
  /** What stands for a node that is gone. */
  const instead = new Map<string, string>();
  for (const node of model.nodes) {
    const inputs = node.inputs.map((name) => instead.get(name) ?? name);
    if (node.op !== 'batchNorm') {
      nodes.push({ ...node, inputs });
      continue;
    }
    const { scale, shift } = affineOfBatchNorm(node, params, stats);
    delete weights[node.name];
    const linear = nodes.find(({ name }) => name === inputs[0]);
    const readers = model.nodes.filter((each) => each.inputs.includes(node.inputs[0]!));
    if ((linear?.op === 'conv2d' || linear?.op === 'dense') && readers.length === 1) {
      weights[linear.name] = folded(weights[linear.name]!, scale, shift);
      instead.set(node.name, linear.name);
    } else {
      const attrs = { scale: [...scale], shift: [...shift] };
      nodes.push({ name: node.name, op: 'affine', inputs, attrs, shape: node.shape, params: {}, stats: {} });
    }
  }
  return { model: { ...model, nodes }, params: weights, stats: {} };
}

/** scale * (W x + b) + shift = (scale W) x + (scale b + shift). The last axis of a kernel is that of its outputs. */
function folded(
  { kernel, bias }: { readonly [name: string]: HostTensor },
  scale: Float64Array,
  shift: Float64Array,
): HostParams[string] {
  const channels = sizeOf(bias!.shape);
  const [scaled, shifted] = [new Float32Array(kernel!.data.length), new Float32Array(channels)];
  for (let i = 0; i < scaled.length; i++) scaled[i] = kernel!.data[i]! * scale[i % channels]!;
  for (let i = 0; i < channels; i++) shifted[i] = bias!.data[i]! * scale[i]! + shift[i]!;
  return { kernel: { ...kernel!, data: scaled }, bias: { ...bias!, data: shifted } };
}

import {
  CertError,
  describeValue,
  type HostParams,
  type HostTensor,
  INPUT,
  type Model,
  type Node,
  type Shape,
  sizeOf,
} from '@cert/core';
import type { FlatTensors } from './flat-tensors.js';

/** Parameters and running statistics of a model. Plain data. */
export interface TorchWeights {
  /** Parameters, float32, in the layouts of `@cert/core`. */
  readonly params: HostParams;
  /** Running statistics of BatchNorm nodes. */
  readonly stats: HostParams;
}

/**
 * Converts the `state_dict` of a PyTorch model (see `decodeSafetensors`) to the layouts of `@cert/core`: convolutions [out, in, h, w] to
 * [h, w, in, out], dense layers [out, in] to [in, out], and after a flattened image from [channel, row, column] to [row, column, channel].
 * A layer without bias (`bias=False`) gets a zero bias. `num_batches_tracked` is ignored.
 *
 * @param state tensors by PyTorch name: `0.weight`, `0.bias`, `1.running_mean`, ...
 * @param names the prefix in `state` of each node with parameters, such as `{ conv1: '0', dense1: 'head.fc' }`. Default: prefixes in
 * numeric order (`2` before `10`) matched to nodes in graph order, which is correct for `nn.Sequential`
 * @throws CertError `shape-mismatch` naming a node and the tensor that is missing, unexpected or of the wrong shape
 */
export function fromTorch(
  model: Model,
  state: FlatTensors,
  names: { readonly [node: string]: string } = namesInOrder(model, state),
): TorchWeights {
  const params: Record<string, HostParams[string]> = {};
  const stats: Record<string, HostParams[string]> = {};
  for (const node of model.nodes) {
    if (Object.keys(node.params).length === 0) continue;
    const prefix = names[node.name];
    if (prefix === undefined) throw misfit(`no name was given for "${node.name}"`);
    const take = (name: string, shape: Shape, axes?: readonly number[], blank = false): HostTensor => {
      const found = Object.hasOwn(state, `${prefix}.${name}`) ? state[`${prefix}.${name}`] : undefined;
      if (found === undefined && blank) return { shape, data: new Float32Array(sizeOf(shape)) };
      if (found === undefined)
        throw misfit(`"${node.name}" needs ${describeValue(`${prefix}.${name}`)}, which is missing`);
      const tensor = axes === undefined ? found : permuted(apart(found, node, model), axes);
      if (sizeOf(found.shape) !== sizeOf(shape) || (axes === undefined && String(found.shape) !== String(shape))) {
        throw misfit(
          `${describeValue(`${prefix}.${name}`)} has the shape ${describeValue(found.shape)}, but "${node.name}" takes [${shape}]`,
        );
      }
      return { shape, data: Float32Array.from(tensor.data) };
    };
    const { kernel, bias, gamma, beta } = node.params as { readonly [name: string]: Shape };
    if (node.op === 'batchNorm') {
      params[node.name] = { gamma: take('weight', gamma!), beta: take('bias', beta!) };
      const { mean, variance } = node.stats as { readonly [name: string]: Shape };
      stats[node.name] = { mean: take('running_mean', mean!), variance: take('running_var', variance!) };
    } else if (node.op === 'conv2d' || node.op === 'dense') {
      params[node.name] = {
        kernel: take('weight', kernel!, [2, 3, 1, 0]),
        bias: take('bias', bias!, undefined, true),
      };
    } else {
      throw misfit(`PyTorch weights of the op "${node.op}" (node "${node.name}") are not supported`);
    }
  }
  return { params, stats };
}

/** The prefixes of the state in their order, numbers by their value, for the nodes with parameters. */
function namesInOrder(model: Model, state: FlatTensors): { readonly [node: string]: string } {
  const nodes = model.nodes.filter(({ params }) => Object.keys(params).length > 0);
  const prefixes = Object.keys(state)
    .filter((name) => name.endsWith('.weight'))
    .map((name) => name.slice(0, -'.weight'.length))
    .sort(new Intl.Collator('en', { numeric: true }).compare);
  if (prefixes.length === nodes.length) {
    return Object.fromEntries(nodes.map(({ name }, i) => [name, prefixes[i]!]));
  }
  throw misfit(
    `the file has ${prefixes.length} layers (${describeValue(prefixes)}) and the model ${nodes.length} nodes with parameters (${nodes.map(({ name }) => name).join(', ')})`,
  );
}

/** A kernel with four axes [out, in, rows, columns]; that of a dense layer behind a flattened image has rows and columns too. */
function apart(tensor: HostTensor, node: Node, model: Model): HostTensor {
  if (node.op === 'conv2d') {
    if (tensor.shape.length === 4) return checkedConvolution(tensor, node);
    throw misfit(`the kernel of "${node.name}" has the shape ${describeValue(tensor.shape)} instead of four axes`);
  }
  const [out = 0, inputs = 0] = tensor.shape;
  const [ownInputs, ownOut] = (node.params as { readonly kernel: Shape }).kernel;
  if (tensor.shape.length !== 2 || inputs !== ownInputs || out !== ownOut) {
    throw misfit(
      `the kernel of "${node.name}" has the shape ${describeValue(tensor.shape)} instead of [${ownOut},${ownInputs}]`,
    );
  }
  const before = model.nodes.find(({ name }) => name === node.inputs[0]);
  const source = before?.op === 'flatten' ? before.inputs[0] : undefined;
  const image = source === INPUT ? model.inputShape : model.nodes.find(({ name }) => name === source)?.shape;
  const [rows = 1, columns = 1, channels = inputs] = image?.length === 3 ? image : [];
  return { shape: [out, channels, rows, columns], data: tensor.data };
}

function checkedConvolution(tensor: HostTensor, node: Node): HostTensor {
  const [height, width, channels, filters] = (node.params as { readonly kernel: Shape }).kernel;
  const wanted = [filters, channels, height, width];
  if (String(tensor.shape) === String(wanted)) return tensor;
  throw misfit(`the kernel of "${node.name}" has the shape ${describeValue(tensor.shape)} instead of [${wanted}]`);
}

/** A tensor with its axes in another order: axis i of the result is axis `axes[i]` of the given one. */
function permuted({ shape, data }: HostTensor, axes: readonly number[]): HostTensor {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const target = axes.map((axis) => shape[axis]!);
  const result = new Float32Array(data.length);
  const index = target.map(() => 0);
  for (let i = 0; i < result.length; i++) {
    result[i] = data[axes.reduce((sum, axis, k) => sum + index[k]! * strides[axis]!, 0)]!;
    for (let axis = target.length - 1; axis >= 0 && ++index[axis]! === target[axis]; axis--) index[axis] = 0;
  }
  return { shape: target, data: result };
}

const misfit = (problem: string) =>
  new CertError(
    'shape-mismatch',
    `The PyTorch weights do not fit the model: ${problem}.`,
    "Build a model with the same architecture as the PyTorch model, and map nodes to PyTorch layers with names, e.g. { conv1: '0', dense1: '5' }.",
  );

import { CertError, describeValue, type HostParams, type HostTensor, type Model, type Node, sizeOf } from '@cert/core';
import type { FlatTensors } from '@cert/models';
import { type Layer, type LayerTensor, layersOf } from './layers.js';
import { type LayerNames, matchNames, misfit } from './match-names.js';
import type { FlattenOrder } from './vector-order.js';

/** Options of {@link fromStateDict} and of `toStateDict`. */
export interface StateDictOptions {
  /**
   * PyTorch layers and the nodes of the model that they are, such as `{ 'features.0': 'conv1' }`; may name only a part of them. Default:
   * see {@link fromStateDict}.
   */
  readonly names?: LayerNames;
  /**
   * The order in which the PyTorch model flattens images: `chw` (channels first, as `torch.flatten` and `nn.Flatten` do) or `hwc` (if it
   * moves channels to the end before). Default `chw`.
   */
  readonly inputOrder?: FlattenOrder;
}

/** Weights of a model, read from PyTorch. */
export interface ModelWeights {
  /** Parameters, float32, in the layouts of `@cert/core`. */
  readonly params: HostParams;
  /** Running statistics of BatchNorm nodes. */
  readonly stats: HostParams;
  /** The PyTorch layer of each node. */
  readonly names: { readonly [node: string]: string };
}

/**
 * Converts the `state_dict` of a PyTorch model (see {@link readStateDict}) to the weights of a model with the same architecture.
 *
 * Layouts: convolutions [out, in, h, w] become [h, w, in, out], dense layers [out, in] become [in, out], and the weights behind a flattened
 * image are moved from [channel, row, column] to [row, column, channel]. A layer without bias (`bias=False`) gets a zero bias, a BatchNorm
 * with `affine=False` the scale 1 and the shift 0.
 *
 * Layers without an entry in `names` are matched by kind and shape. Several layers of one kind and shape are matched by name
 * (`layer1.0.conv1` is the node `layer1_0_conv1`), or by the numbers in their names and the order of the graph (`2` before `10`), as in an
 * `nn.Sequential`. Names that leave a choice are an error.
 *
 * @throws CertError `shape-mismatch` naming a tensor with expected and found shape, and layers that are missing, unused, or cannot be told
 * apart; `bad-argument` for `names` that do not exist; `not-finite` naming a tensor with NaN or infinity; `missing-rule` for a node with
 * weights that is no convolution, dense layer or BatchNorm, and for one that reads a vector whose order in PyTorch is not known
 */
export function fromStateDict(
  model: Model,
  state: FlatTensors,
  { names = {}, inputOrder = 'chw' }: StateDictOptions = {},
): ModelWeights {
  checkInputOrder(inputOrder);
  const layers = layersOf(model, inputOrder);
  const matched = matchNames(layers, state, names);
  const weights = { params: {}, stats: {} } as { [part in 'params' | 'stats']: { [node: string]: HostParams[string] } };
  const used = new Set<string>();
  for (const layer of layers) {
    const node = model.nodes.find(({ name }) => name === layer.node)!;
    for (const tensor of layer.tensors) {
      const name = `${matched.get(layer.node)!}.${tensor.torch}`;
      used.add(name);
      const read = readTensor(layer, tensor, node, name, state);
      const { part, key } = tensor;
      weights[part][node.name] = { ...weights[part][node.name], [key]: read };
    }
  }
  const unused = Object.keys(state).filter((name) => !used.has(name) && !name.endsWith('num_batches_tracked'));
  if (unused.length > 0) {
    const some = unused.slice(0, 8).map((name) => `${describeValue(name)} ${describeValue(state[name]!.shape)}`);
    throw misfit(
      `the model has no place for ${some.join(', ')}${unused.length > 8 ? ` and ${unused.length - 8} more` : ''}`,
      'Remove these tensors from the state_dict, or add the layers to the model.',
    );
  }
  return { ...weights, names: Object.fromEntries(matched) };
}

function readTensor(layer: Layer, tensor: LayerTensor, node: Node, name: string, state: FlatTensors): HostTensor {
  const { part, key, shape: wanted, order, absent } = tensor;
  const shape: readonly number[] = Object.entries(node[part]).find(([own]) => own === key)![1];
  const found = Object.hasOwn(state, name) ? state[name]! : undefined;
  const data = new Float32Array(sizeOf(shape));
  if (found === undefined) {
    if (absent !== undefined) return { shape, data: data.fill(absent) };
    throw misfit(`"${layer.node}" (${layer.kind}) needs ${describeValue(name)} of shape [${wanted}], which is missing`);
  }
  if (String(found.shape) !== String(wanted)) {
    throw misfit(
      `${describeValue(name)} has the shape ${describeValue(found.shape)}, but "${layer.node}" (${layer.kind}) needs [${wanted}]`,
    );
  }
  if (found.data instanceof Int32Array) {
    throw misfit(
      `${describeValue(name)} holds whole numbers`,
      'Save weights as floating-point numbers; quantized models are not supported.',
    );
  }
  found.data.forEach((value, i) => {
    if (!Number.isFinite(value)) {
      throw new CertError(
        'not-finite',
        `The PyTorch tensor ${describeValue(name)} has ${value} at ${i}.`,
        'Use a state_dict whose weights are finite. float16 overflows above 65504: save as float32.',
      );
    }
    data[order === undefined ? i : order[i]!] = value;
  });
  return { shape, data };
}

/** @throws CertError `bad-argument` for another order than the two */
export function checkInputOrder(order: unknown): void {
  if (order === 'chw' || order === 'hwc') return;
  throw new CertError('bad-argument', `inputOrder is ${describeValue(order)}.`, 'Give chw or hwc.');
}

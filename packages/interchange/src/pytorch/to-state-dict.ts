import { CertError, checkModel, checkParams, describeValue, type HostTensor } from '@cert/core';
import type { FlatTensors } from '@cert/models';
import { checkFinite } from '../check-finite.js';
import type { ImportedNetwork } from '../onnx/read-onnx.js';
import { inOrder } from '../onnx-out/layout.js';
import { checkInputOrder, type StateDictOptions } from './from-state-dict.js';
import { layersOf } from './layers.js';

/**
 * Returns the weights of a network as the `state_dict` of a PyTorch model: the reverse of {@link fromStateDict}. Write the result with
 * `encodeSafetensors` of `@cert/models`; in Python, `model.load_state_dict(safetensors.torch.load_file(...))` takes it.
 *
 * A layer has the name of its node (`conv1.weight`, `bn1.running_mean`) unless `names` has an entry for the node. Input normalization
 * (`affine`) has no weights: the PyTorch model must normalize in its own code.
 *
 * @returns float32 tensors in the layouts of PyTorch, every layer with its bias
 * @throws CertError `bad-argument` for `names` of nodes that do not exist, and for two layers with one name; `missing-rule` for a node with
 * weights that is no convolution, dense layer or BatchNorm, and for one that reads a vector whose order in PyTorch is not known;
 * `shape-mismatch` for weights that do not fit the model; `not-finite` naming a weight that is NaN or infinite
 */
export function toStateDict(
  { model, params, stats }: Pick<ImportedNetwork, 'model' | 'params' | 'stats'>,
  { names = {}, inputOrder = 'chw' }: StateDictOptions = {},
): FlatTensors {
  checkInputOrder(inputOrder);
  checkModel(model);
  checkParams(model, params);
  checkParams(model, stats, 'stats');
  checkFinite(params);
  checkFinite(stats);
  const layers = layersOf(model, inputOrder);
  const nodes = new Set(layers.map(({ node }) => node));
  const prefixes = new Map<string, string>();
  for (const [prefix, node] of Object.entries(names)) {
    if (!nodes.has(node) || prefixes.has(node)) {
      const problem = prefixes.has(node) ? 'is mapped twice' : 'is no node with weights';
      throw new CertError(
        'bad-argument',
        `names: ${describeValue(node)} ${problem}.`,
        `Map each PyTorch layer to one of: ${[...nodes].slice(0, 20).join(', ')}.`,
      );
    }
    prefixes.set(node, prefix);
  }
  const tensors = new Map<string, HostTensor>();
  for (const { node, tensors: parts } of layers) {
    for (const { part, key, torch, shape, order } of parts) {
      const name = `${prefixes.get(node) ?? node}.${torch}`;
      if (tensors.has(name)) {
        throw new CertError('bad-argument', `Two tensors would have the name "${name}".`, 'Rename a layer with names.');
      }
      const { data } = (part === 'params' ? params : stats)[node]![key]!;
      tensors.set(name, { shape, data: inOrder(data, order) });
    }
  }
  return Object.fromEntries(tensors);
}

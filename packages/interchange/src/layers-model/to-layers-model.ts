import {
  CertError,
  checkModel,
  checkParams,
  type HostParams,
  type HostTensor,
  INPUT,
  type Model,
  type Node,
  type Shape,
} from '@cert/core';
import { LAYERS, type LayerSource, type LayerToWrite } from './layers-of-nodes.js';

/** A weight in `model.json`. */
export interface LayersWeightSpec {
  /** Name of the layer and of the weight: `conv1/kernel`. */
  readonly name: string;
  /** The shape of the weight. */
  readonly shape: number[];
  /** All weights are float32. */
  readonly dtype: 'float32';
}

/** The content of `model.json`, as plain data. */
export interface LayersModelJson {
  /** A LayersModel, whose graph consists of layers. */
  readonly format: 'layers-model';
  /** The program that wrote it. */
  readonly generatedBy: string;
  /** No converter was used. */
  readonly convertedBy: null;
  /** The layers and how they are connected, as Keras writes them. */
  readonly modelTopology: { readonly [key: string]: unknown };
  /** Weight files, and the weights in them in their order. */
  readonly weightsManifest: { readonly paths: string[]; readonly weights: LayersWeightSpec[] }[];
}

/** A network in the layers format of TensorFlow.js. */
export interface ExportedLayersModel {
  /** The content of `model.json`. */
  readonly json: LayersModelJson;
  /** The content of the weight file that `json` names, float32. */
  readonly weights: Uint8Array;
  /** Notes on nodes that became other layers than their own; usually empty. */
  readonly notes: readonly string[];
}

/** Options of {@link toLayersModel}. */
export interface ToLayersModelOptions {
  /** End with a softmax, for applications that expect probabilities. Default false: the outputs are logits. */
  readonly softmax?: boolean;
  /** Path of the weight file in `model.json`; default `weights.bin`. */
  readonly weightsPath?: string;
}

/**
 * Writes a network as a TensorFlow.js LayersModel, which `tf.loadLayersModel` of `@tensorflow/tfjs-layers` 4.22 loads. Outputs equal those of
 * the network up to float32 rounding. Layers have the names of the nodes; input normalization becomes a Rescaling layer. TensorFlow.js is not
 * needed. Parameters and running statistics are those on the host.
 *
 * @throws CertError `missing-rule` naming the node that no layer computes; `shape-mismatch` for weights of another model; `not-finite` naming a
 * weight with NaN or infinity
 */
export function toLayersModel(
  { model, params, stats }: { readonly model: Model; readonly params: HostParams; readonly stats: HostParams },
  { softmax = false, weightsPath = 'weights.bin' }: ToLayersModelOptions = {},
): ExportedLayersModel {
  checkModel(model);
  checkParams(model, params);
  checkParams(model, stats, 'stats');
  checkFinite(params);
  checkFinite(stats);
  const names = new Set([INPUT, ...model.nodes.map(({ name }) => name)]);
  const notes: string[] = [];
  const byName = new Map(model.nodes.map((node) => [node.name, node]));
  const layers: LayerToWrite[] = [];
  const shapeOf = (name: string): Shape => (name === INPUT ? model.inputShape : byName.get(name)!.shape);
  for (const node of model.nodes) {
    layers.push(
      ...layersOf(node, {
        params: params[node.name] ?? {},
        stats: stats[node.name] ?? {},
        shapes: node.inputs.map(shapeOf),
        nodeOf: (name) => byName.get(name),
        uniqueName: (base) => unique(base, names),
        note: (text) => notes.push(text),
      }),
    );
  }
  if (softmax) {
    const name = unique('softmax', names);
    layers.push({ name, className: 'Activation', config: { activation: 'softmax' }, inputs: [layers.at(-1)!.name] });
  }
  const tensors = layers.flatMap((layer) =>
    Object.entries(layer.weights ?? {}).map(([name, tensor]) => ({ name: `${layer.name}/${name}`, tensor })),
  );
  const json: LayersModelJson = {
    format: 'layers-model',
    generatedBy: 'cert',
    convertedBy: null,
    modelTopology: topologyOf(model, layers),
    weightsManifest: [
      {
        paths: [weightsPath],
        weights: tensors.map(({ name, tensor }) => ({ name, shape: [...tensor.shape], dtype: 'float32' })),
      },
    ],
  };
  return { json, weights: bytesOf(tensors.map(({ tensor }) => tensor)), notes };
}

/** The layers of a node; the last one has its name. */
function layersOf(node: Node, source: LayerSource): readonly LayerToWrite[] {
  const table: { readonly [op: string]: ((node: never, source: LayerSource) => readonly LayerToWrite[]) | undefined } =
    LAYERS;
  const rule = Object.hasOwn(LAYERS, node.op) ? table[node.op] : undefined;
  if (rule !== undefined) return rule(node as never, source);
  throw new CertError(
    'missing-rule',
    `TensorFlow.js has no layer for the op "${node.op}" (node "${node.name}").`,
    `Replace the node by nodes of these ops: ${Object.keys(LAYERS).join(', ')}.`,
  );
}

function unique(base: string, names: Set<string>): string {
  let name = base;
  for (let i = 2; names.has(name); i++) name = `${base}_${i}`;
  names.add(name);
  return name;
}

function checkFinite(tree: HostParams): void {
  for (const [node, tensors] of Object.entries(tree)) {
    for (const [name, { data }] of Object.entries(tensors)) {
      const at = data.findIndex((value) => !Number.isFinite(value));
      if (at === -1) continue;
      throw new CertError(
        'not-finite',
        `The weight "${node}.${name}" has ${data[at]} at ${at}.`,
        'Export an earlier checkpoint, with finite weights.',
      );
    }
  }
}

function topologyOf({ inputShape }: Model, layers: readonly LayerToWrite[]): LayersModelJson['modelTopology'] {
  const input = {
    name: INPUT,
    class_name: 'InputLayer',
    config: { batch_input_shape: [null, ...inputShape], dtype: 'float32', sparse: false, name: INPUT },
    inbound_nodes: [],
  };
  const written = layers.map(({ name, className, config, inputs }) => ({
    name,
    class_name: className,
    config: { name, trainable: true, dtype: 'float32', ...config },
    inbound_nodes: [inputs.map((from) => [from, 0, 0, {}])],
  }));
  return {
    class_name: 'Functional',
    config: {
      name: 'cert_model',
      layers: [input, ...written],
      input_layers: [[INPUT, 0, 0]],
      output_layers: [[layers.at(-1)!.name, 0, 0]],
    },
    keras_version: 'tfjs-layers 4.22.0',
    backend: 'tensor_flow.js',
  };
}

function bytesOf(tensors: readonly HostTensor[]): Uint8Array {
  const count = tensors.reduce((sum, { data }) => sum + data.length, 0);
  const view = new DataView(new ArrayBuffer(4 * count));
  let at = 0;
  for (const { data } of tensors) {
    for (const value of data) {
      view.setFloat32(at, value, true);
      at += 4;
    }
  }
  return new Uint8Array(view.buffer);
}

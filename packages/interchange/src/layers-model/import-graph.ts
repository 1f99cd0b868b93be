import {
  checkParams,
  describeValue,
  flatten,
  graph,
  type HostParams,
  INPUT,
  type Model,
  type Shape,
  sizeOf,
  softmax,
} from '@cert/core';
import { MOST_ELEMENTS, MOST_IN_ALL } from '../graph/limits.js';
import { imageOrder } from '../onnx/order.js';
import { badLayer, badModel } from './errors.js';
import { plain } from './layout.js';
import { type Progress, runLayers, stepOf } from './run-layers.js';
import type { Step } from './step.js';
import type { Container, LayerSpec } from './topology.js';
import type { Value } from './value.js';
import type { WeightSource } from './weights.js';

/** A network imported from TensorFlow.js. */
export interface ImportedLayersModel {
  /** Its graph. Nodes have the names of the layers; the activation of a layer is a node of its own. The last node has one number per output. */
  readonly model: Model;
  /** Weights and biases, float32. */
  readonly params: HostParams;
  /** Means and variances of BatchNormalization layers. */
  readonly stats: HostParams;
  /** The shape of one input in the source, without the batch, such as [32, 32, 3]. */
  readonly inputShape: Shape;
  /**
   * For each element of the source's input, row-major, its position in the model's input. Images are [height, width, channels] in both,
   * except for networks of channels-first images.
   */
  readonly inputOrder: Int32Array;
  /** Whether the source ends in a softmax that the model leaves out: the outputs of the model are logits. */
  readonly softmaxDropped: boolean;
  /** Notes on changes made by the import; usually empty. */
  readonly notes: readonly string[];
}

/** Options of the import. */
export interface LayersImportOptions {
  /**
   * Keep a softmax at the end as a node. Default false: the softmax is left out, the outputs are logits, and a note says so. Bound methods
   * do not support softmax, and it does not change which output is the largest.
   */
  readonly keepSoftmax?: boolean;
}

/** Builds the model of a topology with its weights. */
export function importGraph(
  container: Container,
  weights: WeightSource,
  { keepSoftmax = false }: LayersImportOptions,
): ImportedLayersModel {
  const { shape, channelsFirst } = inputOf(container);
  const modelShape = channelsFirst ? [shape[1]!, shape[2]!, shape[0]!] : shape;
  const builder = graph(modelShape);
  const names = new Set<string>([INPUT]);
  const notes = new Set<string>();
  let elements = 0;
  let last = INPUT;
  const progressIn = (layer: LayerSpec): Pick<Step, 'place'> => ({
    place(node, inputs, suffix) {
      const name = builder.add(node, inputs, uniqueName(`${layer.name}${suffix}`, names));
      const size = sizeOf(builder.shapeOf(name));
      elements += size;
      if (size > MOST_ELEMENTS || elements > MOST_IN_ALL) throw badLayer(layer, 'which computes too many numbers');
      last = name;
      return name;
    },
  });
  const output: LayerSpec = { name: 'output', className: 'output', config: {}, calls: [] };
  const params: Progress['params'] = {};
  const stats: Progress['stats'] = {};
  const progress: Progress = {
    ...progressIn(output),
    shapeOf: (name) => builder.shapeOf(name),
    ...{ params, stats, weights, notes, calls: 0 },
  };
  const input: Value = { node: INPUT, shape, channelsFirst };
  const [result, ...others] = runLayers(container, [input], progress, progressIn);
  if (result === undefined || others.length > 0) throw onlyOne(container);
  const { softmax: softmaxLayer, ...logits } = result;
  if (logits.node === INPUT) {
    throw badModel('has an output that does not depend on any layer', 'Give a network with at least one layer.');
  }
  const final = stepOf(output, progress, [logits]);
  const { node } = plain(final, logits);
  // The output is the last node.
  const vector = final.shapeOf(node).length === 1 && node === last ? node : final.place(flatten(), [node], '');
  if (softmaxLayer !== undefined && keepSoftmax) final.place(softmax(), [vector], '_softmax');
  if (softmaxLayer !== undefined && !keepSoftmax) {
    notes.add(`The softmax of the layer "${softmaxLayer}" was left out: the outputs are logits.`);
  }
  weights.finish();
  const model = builder.build();
  checkParams(model, params);
  checkParams(model, stats, 'stats');
  const order = channelsFirst ? imageOrder(shape as [number, number, number]) : undefined;
  return {
    ...{ model, params, stats, inputShape: shape },
    inputOrder: order ?? Int32Array.from({ length: sizeOf(shape) }, (_, i) => i),
    softmaxDropped: softmaxLayer !== undefined && !keepSoftmax,
    notes: [...notes],
  };
}

const onlyOne = ({ inputs, outputs }: Container) =>
  badModel(
    `has ${inputs.length} inputs and ${outputs.length} outputs`,
    'Give a network with one input and one output, such as a model of one of the outputs.',
  );

/** The shape of the one input, and whether the layers that read it have channels first. */
function inputOf(container: Container): { readonly shape: Shape; readonly channelsFirst: boolean } {
  const { inputs, outputs, layers } = container;
  if (inputs.length !== 1 || outputs.length !== 1) throw onlyOne(container);
  const layer = layers.find(({ name }) => name === inputs[0]!.layer);
  const given = layer?.config.batch_input_shape ?? layer?.config.batch_shape;
  if (!Array.isArray(given) || given.length < 2) {
    throw badModel(
      `has no shape of its input ${describeValue(inputs[0]!.layer)}: ${describeValue(given ?? null)}`,
      'Build the model with an inputShape before you save it.',
    );
  }
  const shape: unknown[] = given.slice(1);
  if (!shape.every((n): n is number => Number.isSafeInteger(n) && (n as number) > 0)) {
    throw badModel(
      `has the input shape [${given.map((n) => n ?? 'null')}]`,
      'Build the model with a fixed inputShape: only the batch may be variable.',
    );
  }
  if (!(sizeOf(shape) <= MOST_ELEMENTS)) throw badModel(`has the input shape [${given}], which is too large`);
  return { shape, channelsFirst: shape.length === 3 && startsChannelsFirst(container) };
}

/** Whether the first layers that have an order of axes have channels first. */
function startsChannelsFirst({ layers }: Container): boolean {
  for (const { config, container } of layers) {
    if (container !== undefined) return startsChannelsFirst(container);
    if (config.data_format === 'channels_first') return true;
    if (config.data_format === 'channels_last') return false;
  }
  return false;
}

/** A name that checkpoints can hold, and that no node has. */
function uniqueName(base: string, taken: Set<string>): string {
  const safe = base.replaceAll('.', '_');
  // Parameters are kept in objects, which have names from the start.
  const start = safe in {} ? `${safe}_` : safe;
  let name = start;
  for (let i = 2; taken.has(name); i++) name = `${start}_${i}`;
  taken.add(name);
  return name;
}

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
import { configOf, type Json } from './config.js';
import { badLayer, badModel, unsupported } from './errors.js';
import { plain } from './layout.js';
import { RULES } from './rules/rules.js';
import type { Step } from './step.js';
import type { Call, Container, LayerSpec, TensorRef } from './topology.js';
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

/** Calls of layers, nested ones included, above which a model is refused. */
const MOST_CALLS = 10_000;

/** What is made so far. */
interface Progress {
  readonly place: Step['place'];
  readonly shapeOf: Step['shapeOf'];
  readonly params: { [node: string]: HostParams[string] };
  readonly stats: { [node: string]: HostParams[string] };
  readonly weights: WeightSource;
  readonly notes: Set<string>;
  calls: number;
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
  const [result, ...others] = run(container, [input], progress, progressIn);
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

/** A call of a layer, with the layer. */
interface Task {
  readonly layer: LayerSpec;
  readonly index: number;
  readonly call: Call;
}

const keyOf = (layer: string, call: number) => JSON.stringify([layer, call]);

/** Runs the layers of a model on values, in an order in which each call comes after what it reads. */
function run(
  container: Container,
  args: readonly Value[],
  progress: Progress,
  progressIn: (layer: LayerSpec) => Pick<Step, 'place'>,
): readonly Value[] {
  const { layers, inputs, outputs } = container;
  const values = new Map<string, readonly Value[]>();
  inputs.forEach(({ layer, call }, i) => {
    values.set(keyOf(layer, call), [checkedInput(layers, layer, args[i]!)]);
  });
  const valueAt = ({ layer, call, tensor }: TensorRef): Value => {
    const value = values.get(keyOf(layer, call))?.[tensor];
    if (value !== undefined) return value;
    throw badModel(`reads output ${tensor} of call ${call} of the layer ${describeValue(layer)}, which does not exist`);
  };
  for (const { layer, index, call } of ordered(container)) {
    const key = keyOf(layer.name, index);
    if (values.has(key)) continue;
    if (++progress.calls > MOST_CALLS) throw badModel(`calls more than ${MOST_CALLS} layers`);
    const given = call.inputs.map(valueAt);
    checkArguments(layer, call.kwargs);
    if (layer.container !== undefined) {
      if (given.length !== layer.container.inputs.length) {
        throw badLayer(
          layer,
          `which is called with ${given.length} inputs instead of ${layer.container.inputs.length}`,
        );
      }
      values.set(key, run(layer.container, given, progress, progressIn));
      continue;
    }
    const rule = Object.hasOwn(RULES, layer.className) ? RULES[layer.className] : undefined;
    if (rule === undefined) {
      throw unsupported(
        layer,
        'the class is not supported',
        `Use only the layers ${['InputLayer', ...Object.keys(RULES)].sort().join(', ')}.`,
      );
    }
    const step = stepOf(layer, { ...progress, ...progressIn(layer) }, given);
    if (index > 0) {
      progress.notes.add(
        `The layer "${layer.name}" is used ${layer.calls.length} times: each use has a copy of its weights, and training changes each alone.`,
      );
    }
    values.set(key, [rule(step)]);
    step.config.finish();
  }
  return outputs.map(valueAt);
}

/** The value given to an input of a model, if it has the shape that the input says. */
function checkedInput(layers: readonly LayerSpec[], name: string, value: Value): Value {
  const layer = layers.find((each) => each.name === name);
  if (layer === undefined) throw badModel(`has no layer ${describeValue(name)}, which its inputs name`);
  if (layer.className !== 'InputLayer') throw badLayer(layer, 'which is an input, but no InputLayer');
  const shape = layer.config.batch_input_shape ?? layer.config.batch_shape;
  if (
    Array.isArray(shape) &&
    (shape.length !== value.shape.length + 1 ||
      shape.slice(1).some((n: unknown, i) => n !== null && n !== value.shape[i]))
  ) {
    throw badLayer(
      layer,
      `which takes [${shape.map((n: unknown) => n ?? 'null')}] but is given [batch,${value.shape}]`,
    );
  }
  configOf(layer).finish();
  return value;
}

/** Null, or a list of it, such as the masks of a layer that is given none. */
const isNothing = (value: unknown): boolean =>
  value === null || value === undefined || (Array.isArray(value) && value.every(isNothing));

/** Refuses arguments of a call that change what a layer computes. */
function checkArguments(layer: LayerSpec, kwargs: Json): void {
  for (const [name, value] of Object.entries(kwargs)) {
    if (isNothing(value) || (name === 'training' && value === false)) continue;
    throw unsupported(
      layer,
      `it is called with ${describeValue(name)}: ${describeValue(value)}`,
      'Call the layer with tensors only, for inference.',
    );
  }
}

/** The calls that the outputs depend on, each behind those that it reads. */
function ordered({ layers, outputs, inputs }: Container): readonly Task[] {
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  const given = new Set(inputs.map(({ layer, call }) => keyOf(layer, call)));
  const tasks: Task[] = [];
  const state = new Map<string, 'open' | 'done'>();
  // A list in place of recursion: networks may be thousands of layers deep.
  const open = outputs.map(({ layer, call }) => ({ layer, call })).reverse();
  while (open.length > 0) {
    const { layer: name, call: index } = open.at(-1)!;
    const key = keyOf(name, index);
    const layer = byName.get(name);
    const call = layer?.calls[index];
    if (state.get(key) === 'done' || given.has(key)) {
      open.pop();
      continue;
    }
    if (layer === undefined || call === undefined) {
      throw badModel(`reads call ${index} of the layer ${describeValue(name)}, which does not exist`);
    }
    if (state.get(key) === 'open') {
      // Everything that it reads is done.
      state.set(key, 'done');
      tasks.push({ layer, index, call });
      open.pop();
      continue;
    }
    state.set(key, 'open');
    for (const ref of call.inputs.toReversed()) {
      const before = keyOf(ref.layer, ref.call);
      if (state.get(before) === 'open') throw badLayer(layer, 'which depends on its own output');
      if (state.get(before) !== 'done') open.push({ layer: ref.layer, call: ref.call });
    }
  }
  return tasks;
}

function stepOf(layer: LayerSpec, progress: Progress, inputs: readonly Value[]): Step {
  const { place, shapeOf, params, stats, weights, notes } = progress;
  return {
    ...{ layer, inputs, place, shapeOf },
    config: configOf(layer),
    setParams(node, tensors) {
      params[node] = tensors;
    },
    setStats(node, tensors) {
      stats[node] = tensors;
    },
    weights: (names, shape) => weights.take(layer, names, shape),
    shapeOfWeights: (name) => weights.shapeOf(layer, name),
    note: (text) => notes.add(text),
  };
}

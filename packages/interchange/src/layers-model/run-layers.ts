import { describeValue, type HostParams } from '@cert/core';
import { keyOf, ordered } from './call-order.js';
import { configOf, type Json } from './config.js';
import { badLayer, badModel, unsupported } from './errors.js';
import { RULES } from './rules/rules.js';
import type { Step } from './step.js';
import type { Container, LayerSpec, TensorRef } from './topology.js';
import type { Value } from './value.js';
import type { WeightSource } from './weights.js';

/** Calls of layers, nested ones included, above which a model is refused. */
const MOST_CALLS = 10_000;

/** What is made so far. */
export interface Progress {
  readonly place: Step['place'];
  readonly shapeOf: Step['shapeOf'];
  readonly params: { [node: string]: HostParams[string] };
  readonly stats: { [node: string]: HostParams[string] };
  readonly weights: WeightSource;
  readonly notes: Set<string>;
  calls: number;
}

/** Runs the layers of a model on values, in an order in which each call comes after what it reads. */
export function runLayers(
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
      const before = Object.keys(progress.params).length;
      values.set(key, runLayers(layer.container, given, progress, progressIn));
      if (index > 0 && Object.keys(progress.params).length > before) noteCopies(layer, progress);
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
    const before = Object.keys(progress.params).length;
    values.set(key, [rule(step)]);
    if (index > 0 && Object.keys(progress.params).length > before) noteCopies(layer, progress);
    step.config.finish();
  }
  return outputs.map(valueAt);
}

function noteCopies({ name, calls }: LayerSpec, { notes }: Progress): void {
  notes.add(
    `The layer "${name}" is used ${calls.length} times: each use has a copy of its weights, and training changes each alone.`,
  );
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

/** A call of a layer at work. */
export function stepOf(layer: LayerSpec, progress: Progress, inputs: readonly Value[]): Step {
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

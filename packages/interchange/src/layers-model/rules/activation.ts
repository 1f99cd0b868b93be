import { describeValue, type Layer, leakyRelu, type Op, relu, sigmoid, tanh } from '@cert/core';
import { clipped } from '../../graph/clip.js';
import { isJson } from '../config.js';
import { unsupported } from '../errors.js';
import { plain, solid } from '../layout.js';
import { axisOf, onlyInput, type Step } from '../step.js';
import type { Value } from '../value.js';
import type { Rules } from './rule.js';

/** A node that works on each element alone. */
function each<K extends Op>(step: Step, layer: Layer<K>, value: Value, suffix: string): Value {
  const own = solid(step, value);
  return { ...own, node: step.place(layer, [own.node], suffix) };
}

function clip(step: Step, value: Value, low: number, high: number, suffix: string): Value {
  const own = solid(step, value);
  const channels = step.shapeOf(own.node).at(-1)!;
  const node = clipped((layer, inputs) => step.place(layer, inputs, suffix), own.node, channels, [low, high]);
  return { ...own, node };
}

/** A softmax over all values, which stays a mark: where it is the output, it is left out. */
function softmaxOf(step: Step, given: Value, axis: number): Value {
  const value = plain(step, given);
  const { shape } = value;
  const length = shape[axisOf(step, axis, shape.length)]!;
  if (shape.some((n) => n !== 1 && n !== length) || shape.filter((n) => n !== 1).length > 1) {
    throw unsupported(
      step.layer,
      `its softmax is over axis ${axis} of [${shape}]`,
      'Softmax is supported only over all outputs, at the end of the network.',
    );
  }
  return { ...value, softmax: step.layer.name };
}

const ACTIVATIONS: { readonly [name: string]: (step: Step, value: Value, suffix: string) => Value } = {
  linear: (_step, value) => value,
  relu: (step, value, suffix) => each(step, relu(), value, suffix),
  relu6: (step, value, suffix) => clip(step, value, 0, 6, suffix),
  sigmoid: (step, value, suffix) => each(step, sigmoid(), value, suffix),
  tanh: (step, value, suffix) => each(step, tanh(), value, suffix),
  softmax: (step, value) => softmaxOf(step, value, -1),
};

/** The name of an activation, which newer versions of Keras wrap in an object. */
function nameOf(value: unknown): unknown {
  if (!isJson(value)) return value ?? 'linear';
  return value.class_name === 'function' ? value.config : value.class_name;
}

/**
 * The value behind the activation of a layer, its setting "activation".
 *
 * @param suffix of the name of its node
 */
export function activated(step: Step, value: Value, suffix = '_activation'): Value {
  const name = nameOf(step.config.value('activation'));
  const rule = typeof name === 'string' && Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (rule !== undefined) return rule(step, value, suffix);
  throw unsupported(
    step.layer,
    `its activation is ${describeValue(name ?? null)}`,
    `Supported activations: ${Object.keys(ACTIVATIONS).join(', ')}.`,
  );
}

function rectified(step: Step): Value {
  const { config, layer } = step;
  const most = config.optionalNumber('max_value');
  const [slope, threshold] = [config.number('negative_slope', 0), config.number('threshold', 0)];
  const value = onlyInput(step);
  if (threshold !== 0 || slope !== 0 || (most !== undefined && most < 0)) {
    throw unsupported(
      layer,
      `its threshold is ${threshold}, its slope ${slope} and its maximum ${most ?? 'none'}`,
      'Supported: a maximum of at least 0. TensorFlow.js 4.22 ignores a threshold and a slope: use a LeakyReLU layer for a slope.',
    );
  }
  return most === undefined ? each(step, relu(), value, '') : clip(step, value, 0, most, '');
}

function leaky(step: Step, value: Value, slope: number): Value {
  if (slope === 0) return each(step, relu(), value, '');
  if (!(slope > 0 && slope < 1)) {
    throw unsupported(step.layer, `its slope is ${slope}`, 'Slopes >= 0 and < 1 are supported.');
  }
  return each(step, leakyRelu(slope), value, '');
}

/** Layers that work on each element, and softmax. */
export const activations: Rules = {
  Activation: (step) => activated(step, onlyInput(step), ''),
  ReLU: rectified,
  LeakyReLU(step) {
    const slope = step.config.number('alpha', 0.3);
    const renamed = step.config.optionalNumber('negative_slope');
    if (renamed !== undefined && renamed !== slope) {
      throw unsupported(
        step.layer,
        `its slope is ${renamed}, which TensorFlow.js 4.22 ignores: it takes ${slope}`,
        'Newer versions of Keras renamed "alpha" to "negative_slope". Set "alpha" in model.json to the slope.',
      );
    }
    return leaky(step, onlyInput(step), slope);
  },
  Softmax: (step) => softmaxOf(step, onlyInput(step), step.config.number('axis', -1)),
};

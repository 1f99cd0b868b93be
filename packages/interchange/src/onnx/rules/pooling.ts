import { avgPool, batchNorm, globalAvgPool, maxPool } from '@cert/core';
import { compact, type Pair, reach } from '../../graph/windows.js';
import { zeroPadding } from '../../graph/zero-padding.js';
import { badNode, unsupported } from '../attributes.js';
import { countOf, sameNumbers } from '../order.js';
import {
  asImage,
  asVector,
  axisIn,
  computedInput,
  constantInput,
  inOnnxOrder,
  integers,
  optionalConstant,
  place,
  type Step,
  scalar,
  weights,
} from '../step.js';
import type { Computed } from '../values.js';
import { imageAt } from './linear.js';
import type { Rules } from './rule.js';
import { type Window, windowOf } from './window.js';

/** A pooling window in which the last place may reach over the end of the image. */
interface PoolWindow extends Window {
  /** Whether places behind the padding of the file were added. */
  readonly extended: boolean;
}

function poolWindow(step: Step, image: Pair): PoolWindow {
  const window = windowOf(step, image);
  if (step.attributes.int('ceil_mode', 0) === 0) return { ...window, extended: false };
  const [top, bottom, left, right] = window.padding;
  const extra = (axis: 0 | 1, begin: number, end: number): number => {
    const [stride, length] = [window.stride[axis], reach(window.size[axis], window.dilation[axis])];
    const room = image[axis] + begin + end - length;
    let last = Math.ceil(room / stride);
    // A window that would begin behind the image is left out.
    if (last * stride >= image[axis] + begin) last--;
    return Math.max(0, last * stride - room);
  };
  const [below, behind] = [extra(0, top, bottom), extra(1, left, right)];
  return { ...window, padding: [top, bottom + below, left, right + behind], extended: below > 0 || behind > 0 };
}

/** The padding where there is any. */
const paddingOf = ({ padding }: Window) => (padding.some((n) => n > 0) ? { padding: compact(padding) } : {});

function maximum(step: Step): Computed {
  const value = asImage(step, computedInput(step, 0));
  const window = poolWindow(step, [value.shape[2]!, value.shape[3]!]);
  checkNotDilated(step, window);
  const layer = maxPool(compact(window.size), { stride: compact(window.stride), ...paddingOf(window) });
  return imageAt(step, place(step, layer, [value.node]));
}

function checkNotDilated(step: Step, { dilation }: Window): void {
  if (dilation.every((n) => n === 1)) return;
  throw unsupported(
    step.node,
    `its windows have the dilation [${dilation}]`,
    'Only pooling without dilation is supported.',
  );
}

function average(step: Step): Computed {
  const value = asImage(step, computedInput(step, 0));
  const window = poolWindow(step, [value.shape[2]!, value.shape[3]!]);
  checkNotDilated(step, window);
  const countPadding = step.attributes.int('count_include_pad', 0) !== 0;
  if (countPadding && window.extended) {
    throw unsupported(
      step.node,
      'it counts padding, and its last window extends beyond the padded input (ceil_mode)',
      'Export the network without ceil_mode: runtimes disagree on the result.',
    );
  }
  const padding = paddingOf(window);
  const layer = avgPool(compact(window.size), {
    stride: compact(window.stride),
    ...padding,
    ...(countPadding && 'padding' in padding && { countPadding }),
  });
  return imageAt(step, place(step, layer, [value.node]));
}

function globalAverage(step: Step, keep = true): Computed {
  const value = asImage(step, computedInput(step, 0));
  const channels = value.shape[1]!;
  const node = place(step, globalAvgPool(), [value.node]);
  return { kind: 'computed', node, shape: keep ? [1, channels, 1, 1] : [1, channels], order: undefined };
}

function globalMaximum(step: Step): Computed {
  const value = asImage(step, computedInput(step, 0));
  return imageAt(step, place(step, maxPool([value.shape[2]!, value.shape[3]!]), [value.node]));
}

function reduceMean(step: Step): Computed {
  const { attributes, node } = step;
  const { shape } = computedInput(step, 0);
  const given = optionalConstant(step, 1);
  if (given !== undefined && attributes.has('axes')) throw badNode(node, 'which has its axes twice');
  const axes = (given === undefined ? attributes.ints('axes') : integers(step, given)) ?? [];
  const sorted = axes.map((axis) => axisIn(step, axis, shape.length)).sort((a, b) => a - b);
  if (shape.length !== 4 || !sameNumbers(sorted, [2, 3])) {
    throw unsupported(
      node,
      `it takes the mean over the axes [${sorted}] of [${shape}]`,
      'Only means over height and width of [1, channels, height, width] are supported.',
    );
  }
  return globalAverage(step, attributes.int('keepdims', 1) !== 0);
}

/** Zeros around an image. Padding by nothing is no node. */
function pad(step: Step): Computed {
  const { node, attributes, opset } = step;
  const value = computedInput(step, 0);
  const mode = attributes.text('mode', 'constant');
  const pads = opset < 11 ? [...(attributes.ints('pads') ?? [])] : integers(step, constantInput(step, 1));
  const given = opset < 11 ? undefined : optionalConstant(step, 2);
  const fill = given === undefined ? attributes.float('value', 0) : scalar(step, given);
  if (step.inputs[3] !== undefined) {
    throw unsupported(node, 'it names axes', 'Give pads for all axes.');
  }
  const rank = value.shape.length;
  if (pads.length !== 2 * rank) throw badNode(node, `which has ${pads.length} pads for ${rank} axes`);
  if (pads.every((n) => n === 0)) return value;
  const [top, left, bottom, right] = [pads[2]!, pads[3]!, pads[rank + 2]!, pads[rank + 3]!];
  const others = pads.filter((_, i) => i % rank < 2);
  if (mode !== 'constant' || fill !== 0 || rank !== 4 || others.some((n) => n !== 0) || pads.some((n) => n < 0)) {
    throw unsupported(
      node,
      `it pads [${value.shape}] by [${pads.slice(0, 8)}], ${mode.slice(0, 20)}`,
      'Only zero padding of height and width of [1, channels, height, width] is supported.',
    );
  }
  if (pads.some((n) => n > 2 ** 24)) throw badNode(node, `whose pads are [${pads}]`);
  const image = asImage(step, value);
  const { layer, params } = zeroPadding(image.shape[1]!, [top, bottom, left, right]);
  const name = place(step, layer, [image.node]);
  step.params[name] = params;
  return imageAt(step, name);
}

function normalization(step: Step): Computed {
  const { node, attributes } = step;
  // Before version 14 more outputs than one are what says so.
  const trains = attributes.int('training_mode', 0) !== 0 || node.outputs.slice(1).some((name) => name !== '');
  if (trains || attributes.int('spatial', 1) !== 1) {
    throw unsupported(node, 'it is in training mode, or not per channel', 'Export the network for inference.');
  }
  const given = computedInput(step, 0);
  const { shape } = given;
  const channels = shape[1];
  if (channels === undefined) throw badNode(node, `whose input has the shape [${shape}]`);
  const [gamma, beta, mean, variance] = [1, 2, 3, 4].map((i) => {
    const constant = constantInput(step, i);
    if (!sameNumbers(constant.shape, [channels])) {
      throw badNode(node, `whose input ${i} has the shape [${constant.shape}] for ${channels} channels`);
    }
    return weights(step, constant);
  }) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const epsilon = attributes.float('epsilon', Math.fround(1e-5));
  if (!variance.every((v) => v + epsilon > 0)) throw badNode(node, 'which has a variance that is not positive');
  const value = shape.length === 4 ? asImage(step, given) : asVector(step, inOnnxOrder(step, given));
  if (shape.length !== 4 && countOf(shape) !== channels) {
    throw unsupported(
      node,
      `its input has the shape [${shape}]`,
      'Only BatchNorm of [1, features] and [1, channels, height, width] is supported.',
    );
  }
  // ONNX's momentum is the weight of the old statistics.
  const momentum = Math.min(1, Math.max(0, 1 - attributes.float('momentum', 0.9)));
  const name = place(step, batchNorm({ epsilon, momentum }), [value.node]);
  const tensor = (data: Float32Array) => ({ shape: [channels], data });
  step.params[name] = { gamma: tensor(gamma), beta: tensor(beta) };
  step.stats[name] = { mean: tensor(mean), variance: tensor(variance) };
  return { ...value, node: name };
}

const WINDOW = ['auto_pad', 'ceil_mode', 'dilations', 'kernel_shape', 'pads', 'strides'];

/** Ops on windows and channels of images. */
export const pooling: Rules = {
  MaxPool: { attributes: [...WINDOW, 'storage_order'], inputs: [1, 1], apply: maximum },
  AveragePool: { attributes: [...WINDOW, 'count_include_pad'], inputs: [1, 1], apply: average },
  GlobalAveragePool: { attributes: [], inputs: [1, 1], apply: (step) => globalAverage(step) },
  GlobalMaxPool: { attributes: [], inputs: [1, 1], apply: globalMaximum },
  ReduceMean: { attributes: ['axes', 'keepdims', 'noop_with_empty_axes'], inputs: [1, 2], apply: reduceMean },
  Pad: { attributes: ['mode', 'pads', 'value'], inputs: [1, 4], apply: pad },
  BatchNormalization: {
    attributes: ['epsilon', 'momentum', 'spatial', 'training_mode'],
    inputs: [5, 5],
    apply: normalization,
  },
};

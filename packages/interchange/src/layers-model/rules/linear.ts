import { conv2d, dense, type HostTensor, reshape } from '@cert/core';
import { compact, type Pair, reach, samePadding } from '../../graph/windows.js';
import type { Zeros } from '../../graph/zero-padding.js';
import { badLayer, unsupported } from '../errors.js';
import { asImage, imageAt, plain, reshaped, valueAt } from '../layout.js';
import { onlyInput, readsChannelsFirst, type Step } from '../step.js';
import type { Value } from '../value.js';
import { activated } from './activation.js';
import type { Rules } from './rule.js';

/** A window as a layer describes it. */
interface Window {
  readonly size: Pair;
  readonly stride: Pair;
  readonly dilation?: Pair;
}

/**
 * The padding of a window at the top, bottom, left and right of an image, from the setting "padding".
 *
 * @param image its height and width
 */
export function paddingOf(step: Step, image: Pair, { size, stride, dilation = [1, 1] }: Window): Zeros {
  const padding = step.config.text('padding', 'valid');
  if (padding === 'valid') return [0, 0, 0, 0];
  if (padding !== 'same') {
    throw unsupported(step.layer, `its padding is "${padding.slice(0, 40)}"`, 'Supported: "valid" and "same".');
  }
  const ends = (axis: 0 | 1) => samePadding(image[axis], stride[axis], reach(size[axis], dilation[axis]));
  return [...ends(0), ...ends(1)];
}

const zeroBias = (length: number): HostTensor => ({ shape: [length], data: new Float32Array(length) });

/** The bias of a layer, zeros where it has none. */
const biasOf = (step: Step, length: number): HostTensor =>
  step.config.flag('use_bias', true) ? step.weights(['bias'], [length]) : zeroBias(length);

/** An image with the windows of a convolution: what the node of the model pads by. */
function windowed(step: Step) {
  const { config } = step;
  const channelsFirst = readsChannelsFirst(step);
  const image = asImage(step, onlyInput(step), channelsFirst);
  const [height, width, channels] = step.shapeOf(image.node) as [number, number, number];
  const [top, bottom, left, right] = image.zeros ?? [0, 0, 0, 0];
  const window = {
    size: config.pair('kernel_size'),
    stride: config.pair('strides', [1, 1]),
    dilation: config.pair('dilation_rate', [1, 1]),
  };
  // Zeros around zeros are more zeros.
  const own = paddingOf(step, [height + top + bottom, width + left + right], window);
  const padding = compact([top + own[0], bottom + own[1], left + own[2], right + own[3]] as const);
  const options = {
    kernel: compact(window.size),
    stride: compact(window.stride),
    padding,
    ...(window.dilation.some((n) => n !== 1) && { dilation: compact(window.dilation) }),
  };
  return { image, channels, channelsFirst, size: window.size, options };
}

function convolution(step: Step): Value {
  const { image, channels, channelsFirst, size, options } = windowed(step);
  const [filters, groups] = [step.config.count('filters'), step.config.count('groups', 1)];
  if (channels % groups !== 0 || filters % groups !== 0) {
    throw badLayer(step.layer, `which has ${groups} groups for ${channels} channels and ${filters} filters`);
  }
  const kernel = step.weights(['kernel'], [...size, channels / groups, filters]);
  const bias = biasOf(step, filters);
  const node = step.place(conv2d(filters, { ...options, groups }), [image.node], '');
  step.setParams(node, { kernel, bias });
  return activated(step, imageAt(step, node, channelsFirst));
}

/** A convolution of each channel, with the same kernels as one of as many groups as channels. */
function depthwise(step: Step, suffix: string) {
  const { image, channels, channelsFirst, size, options } = windowed(step);
  // TensorFlow.js does not write the multiplier of separable convolutions.
  const multiplier = step.config.count('depth_multiplier', step.shapeOfWeights('depthwise_kernel')?.[3] ?? 1);
  const filters = channels * multiplier;
  const { data } = step.weights(['depthwise_kernel', 'kernel'], [...size, channels, multiplier]);
  const node = step.place(conv2d(filters, { ...options, groups: channels }), [image.node], suffix);
  const kernel = { shape: [...size, 1, filters], data };
  return { node, kernel, filters, channelsFirst };
}

function depthwiseConvolution(step: Step): Value {
  const { node, kernel, filters, channelsFirst } = depthwise(step, '');
  // Of a depthwise convolution "groups" and "filters" say nothing new.
  step.config.ignore('groups', 'filters');
  step.setParams(node, { kernel, bias: biasOf(step, filters) });
  return activated(step, imageAt(step, node, channelsFirst));
}

function separableConvolution(step: Step): Value {
  const { node, kernel, filters, channelsFirst } = depthwise(step, '_depthwise');
  step.config.ignore('groups');
  step.setParams(node, { kernel, bias: zeroBias(filters) });
  const outputs = step.config.count('filters');
  const pointwise = step.weights(['pointwise_kernel'], [1, 1, filters, outputs]);
  const bias = biasOf(step, outputs);
  const result = step.place(conv2d(outputs, { kernel: 1, padding: 0 }), [node], '');
  step.setParams(result, { kernel: pointwise, bias });
  return activated(step, imageAt(step, result, channelsFirst));
}

/** A product with a matrix along the last axis: of an image it is a convolution with a 1x1 kernel. */
function product(step: Step): Value {
  const value = plain(step, onlyInput(step));
  const { shape } = value;
  const units = step.config.count('units');
  const inputs = shape.at(-1)!;
  if (shape.length > 3) {
    throw unsupported(step.layer, `its input has the shape [${shape}]`, 'Up to three axes are supported: add Flatten.');
  }
  const kernel = step.weights(['kernel'], [inputs, units]);
  const bias = biasOf(step, units);
  if (shape.length === 1) {
    const node = step.place(dense(units), [value.node], '');
    step.setParams(node, { kernel, bias });
    return activated(step, valueAt(step, node));
  }
  const image = shape.length === 3 ? value.node : step.place(reshape([1, ...shape]), [value.node], '_rows');
  const node = step.place(conv2d(units, { kernel: 1, padding: 0 }), [image], '');
  step.setParams(node, { kernel: { ...kernel, shape: [1, 1, inputs, units] }, bias });
  return activated(step, reshaped(step, valueAt(step, node), [...shape.slice(0, -1), units]));
}

/** Products with weights. */
export const linear: Rules = {
  Conv2D: convolution,
  DepthwiseConv2D: depthwiseConvolution,
  SeparableConv2D: separableConvolution,
  Dense: product,
};

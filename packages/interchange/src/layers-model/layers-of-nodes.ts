import {
  CertError,
  type HostTensor,
  type Node,
  type NodeOf,
  type Op,
  reachOf,
  type Shape,
  sizeOf,
  windowOf,
} from '@cert/core';
import { samePadding } from '../graph/windows.js';
import type { Zeros } from '../graph/zero-padding.js';

/** A layer as it is written. */
export interface LayerToWrite {
  readonly name: string;
  readonly className: string;
  readonly config: { readonly [key: string]: unknown };
  /** Names of layers. */
  readonly inputs: readonly string[];
  readonly weights?: { readonly [name: string]: HostTensor };
}

/** What the layers of a node are made of. */
export interface LayerSource {
  readonly params: { readonly [name: string]: HostTensor };
  readonly stats: { readonly [name: string]: HostTensor };
  /** Shapes of the inputs. */
  readonly shapes: readonly Shape[];
  /** A node by its name; undefined for the input. */
  nodeOf(name: string): Node | undefined;
  /** A name for a layer in front of the one of the node. */
  uniqueName(base: string): string;
  /** What the reader of the result should know. */
  note(text: string): void;
}

const noLayer = (node: Node, problem: string, cure: string) =>
  new CertError(
    'missing-rule',
    `TensorFlow.js has no layer for the node "${node.name}" (${node.op}): ${problem}.`,
    cure,
  );

/** The one layer of a node, under its name. */
const single = (
  { name, inputs }: Node,
  className: string,
  config: LayerToWrite['config'] = {},
  weights: LayerToWrite['weights'] = {},
): readonly LayerToWrite[] => [{ name, className, config, inputs, weights }];

/** A window in the settings of a layer, with a layer of zeros in front where neither `valid` nor `same` pads like it. */
function windowed(node: NodeOf<'conv2d'> | NodeOf<'avgPool'> | NodeOf<'maxPool'>, source: LayerSource) {
  const window = windowOf(node);
  const { stride, padding, dilation } = window;
  const [height, width] = source.shapes[0] as readonly [number, number, number];
  const reach = reachOf(window);
  const same = [...samePadding(height, stride[0], reach[0]), ...samePadding(width, stride[1], reach[1])];
  const kind = padding.every((n) => n === 0) ? 'valid' : padding.every((n, i) => n === same[i]) ? 'same' : 'zeros';
  if (stride.some((n) => n > 1) && dilation.some((n) => n > 1)) {
    throw noLayer(node, `it has the stride [${stride}] and the dilation [${dilation}]`, 'Set one of them to 1.');
  }
  return { ...window, kind };
}

/** Layers behind a layer of zeros. */
function padded(node: Node, source: LayerSource, [top, bottom, left, right]: Zeros, layers: readonly LayerToWrite[]) {
  const name = source.uniqueName(`${node.name}_zeros`);
  const config = {
    padding: [
      [top, bottom],
      [left, right],
    ],
    data_format: 'channels_last',
  };
  const zeros: LayerToWrite = { name, className: 'ZeroPadding2D', config, inputs: node.inputs };
  return [zeros, ...layers.map((layer) => ({ ...layer, inputs: [name] }))];
}

function convolution(node: NodeOf<'conv2d'>, source: LayerSource): readonly LayerToWrite[] {
  const { size, stride, dilation, padding, kind } = windowed(node, source);
  const channels = source.shapes[0]![2]!;
  const filters = node.shape[2]!;
  const { groups } = node.attrs;
  const kernel = source.params.kernel!;
  const bias = source.params.bias!;
  const config = {
    kernel_size: [...size],
    strides: [...stride],
    padding: kind === 'same' ? 'same' : 'valid',
    data_format: 'channels_last',
    dilation_rate: [...dilation],
    activation: 'linear',
    use_bias: true,
  };
  const layers = () => {
    // TensorFlow moves the windows of a depthwise convolution by as many rows as columns.
    if (groups > 1 && groups === channels && stride[0] === stride[1]) {
      const own = { ...config, depth_multiplier: filters / channels };
      const depthwise = { data: kernel.data, shape: [...size, channels, filters / channels] };
      return single(node, 'DepthwiseConv2D', own, { depthwise_kernel: depthwise, bias });
    }
    if (groups > 1) {
      source.note(
        `The ${groups} groups of the convolution "${node.name}" were written as one, with zeros between them.`,
      );
    }
    const full = groups === 1 ? kernel : withoutGroups(kernel, groups, channels);
    return single(node, 'Conv2D', { filters, ...config }, { kernel: full, bias });
  };
  return kind === 'zeros' ? padded(node, source, padding, layers()) : layers();
}

/** A kernel over all channels, with zeros where a group reads none. */
function withoutGroups({ shape, data }: HostTensor, groups: number, channels: number): HostTensor {
  const [height, width, own, filters] = shape as [number, number, number, number];
  const full = new Float32Array(height * width * channels * filters);
  for (let place = 0; place < height * width; place++) {
    for (let channel = 0; channel < own; channel++) {
      for (let filter = 0; filter < filters; filter++) {
        const group = Math.floor((filter * groups) / filters);
        const to = (place * channels + group * own + channel) * filters + filter;
        full[to] = data[(place * own + channel) * filters + filter]!;
      }
    }
  }
  return { shape: [height, width, channels, filters], data: full };
}

const poolConfig = (size: readonly number[], stride: readonly number[], same: boolean) => ({
  pool_size: [...size],
  strides: [...stride],
  padding: same ? 'same' : 'valid',
  data_format: 'channels_last',
});

function average(node: NodeOf<'avgPool'>, source: LayerSource): readonly LayerToWrite[] {
  const { size, stride, padding, kind } = windowed(node, source);
  const { countPadding = false } = node.attrs;
  const layers = single(node, 'AveragePooling2D', poolConfig(size, stride, kind === 'same' && !countPadding));
  if (kind === 'valid' || (kind === 'same' && !countPadding)) return layers;
  if (countPadding) return padded(node, source, padding, layers);
  throw noLayer(
    node,
    `its padding [${padding}] is not counted, and is not that of "same"`,
    'Use the padding of "same" (the larger half at the end), no padding, or countPadding.',
  );
}

/** Ops that only move or select the values of their input. */
const PASSING: readonly Op[] = ['maxPool', 'avgPool', 'globalAvgPool', 'flatten', 'reshape', 'transpose'];

/** Whether a node surely has no negative values. */
function isNonNegative(name: string, source: LayerSource): boolean {
  for (let node = source.nodeOf(name); node !== undefined; node = source.nodeOf(node.inputs[0]!)) {
    if (node.op === 'relu' || node.op === 'sigmoid' || node.op === 'softmax') return true;
    if (!PASSING.includes(node.op)) return false;
  }
  return false;
}

function maximum(node: NodeOf<'maxPool'>, source: LayerSource): readonly LayerToWrite[] {
  const { size, stride, padding, kind } = windowed(node, source);
  const layers = single(node, 'MaxPooling2D', poolConfig(size, stride, kind === 'same'));
  if (kind !== 'zeros') return layers;
  if (isNonNegative(node.inputs[0]!, source)) return padded(node, source, padding, layers);
  throw noLayer(
    node,
    `its padding [${padding}] is not that of "same", and its input may be negative`,
    'Use the padding of "same" (the larger half at the end), no padding, or a ReLU in front of the maximum.',
  );
}

/** x * scale + shift. The numbers of an image that differ from element to element have the shape of the image. */
function rescaling(node: NodeOf<'affine'>): readonly LayerToWrite[] {
  const { scale, shift } = node.attrs;
  const nested = (numbers: readonly number[]): unknown => {
    if (numbers.every((n) => n === numbers[0])) return numbers[0];
    return numbers.length === sizeOf(node.shape) ? nest(numbers, node.shape) : numbers;
  };
  return single(node, 'Rescaling', { scale: nested(scale), offset: nested(shift) });
}

/** A list of numbers as lists in lists. */
function nest(numbers: readonly number[], [, ...rest]: Shape): readonly unknown[] {
  if (rest.length === 0) return numbers;
  const size = sizeOf(rest);
  return Array.from({ length: numbers.length / size }, (_, i) => nest(numbers.slice(i * size, (i + 1) * size), rest));
}

const activation = (name: string) => (node: Node) => single(node, 'Activation', { activation: name });

/** The layers of each op. The last one has the name of the node; others stand in front of it. */
export const LAYERS = {
  conv2d: convolution,
  dense: (node, { params }) =>
    single(
      node,
      'Dense',
      { units: node.shape[0], activation: 'linear', use_bias: true },
      { kernel: params.kernel!, bias: params.bias! },
    ),
  batchNorm(node, { params, stats }) {
    // There the momentum is the weight of the old statistics.
    const config = {
      axis: -1,
      momentum: 1 - node.attrs.momentum,
      epsilon: node.attrs.epsilon,
      center: true,
      scale: true,
    };
    const weights = {
      ...{ gamma: params.gamma!, beta: params.beta! },
      ...{ moving_mean: stats.mean!, moving_variance: stats.variance! },
    };
    return single(node, 'BatchNormalization', config, weights);
  },
  relu: activation('relu'),
  leakyRelu: (node) => single(node, 'LeakyReLU', { alpha: node.attrs.slope }),
  sigmoid: activation('sigmoid'),
  tanh: activation('tanh'),
  softmax: activation('softmax'),
  add: (node) => single(node, 'Add'),
  concat: (node) => single(node, 'Concatenate', { axis: node.attrs.axis + 1 }),
  // Flatten of TensorFlow.js refuses what is flat.
  flatten: (node, { shapes: [shape] }) =>
    shape!.length === 1
      ? single(node, 'Reshape', { target_shape: [...node.shape] })
      : single(node, 'Flatten', { data_format: 'channels_last' }),
  reshape: (node) => single(node, 'Reshape', { target_shape: [...node.attrs.shape] }),
  transpose: (node) => single(node, 'Permute', { dims: node.attrs.perm.map((axis) => axis + 1) }),
  globalAvgPool: (node) => single(node, 'GlobalAveragePooling2D', { data_format: 'channels_last' }),
  avgPool: average,
  maxPool: maximum,
  affine: rescaling,
} satisfies { readonly [K in Op]?: (node: NodeOf<K>, source: LayerSource) => readonly LayerToWrite[] };

/** Networks written for TensorFlow.js, loaded there, and read back. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { naturalPass, runningNorm } from '@cert/bounds';
import {
  add,
  affine,
  avgPool,
  batchNorm,
  buildParams,
  type Conv2dOptions,
  conv2d,
  createRng,
  dense,
  flatten,
  globalAvgPool,
  graph,
  type HostParams,
  type Layer,
  leakyRelu,
  type Model,
  maxPool,
  normalize,
  paramSpecs,
  relu,
  sequential,
  sigmoid,
  sizeOf,
  softmax,
  statSpecs,
  type Tensor,
  tf,
  toTensors,
  transpose,
} from '@cert/core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { loaded, predicted } from '../../test/layers-models.js';
import { readLayersModel } from './read-layers-model.js';
import { type ExportedLayersModel, toLayersModel } from './to-layers-model.js';

interface Network {
  readonly model: Model;
  readonly params: HostParams;
  readonly stats: HostParams;
}

/** A model with random weights. */
function withWeights(model: Model): Network {
  const make = ({
    node,
    name,
    shape,
  }: {
    readonly node: string;
    readonly name: string;
    readonly shape: readonly number[];
  }) => {
    const rng = createRng(0, node, name);
    const from = name === 'variance' ? 0.5 : -0.5;
    return { shape, data: Float32Array.from({ length: sizeOf(shape) }, () => from + rng.uniform()) };
  };
  return { model, params: buildParams(paramSpecs(model), make), stats: buildParams(statSpecs(model), make) };
}

const net = (inputShape: readonly number[], layers: readonly unknown[]) =>
  withWeights(sequential(inputShape, layers as Layer[]));

const image = [7, 6, 4];
/** Layers on an image in front of a dense one. */
const onImage = (...layers: readonly unknown[]) => net(image, [...layers, flatten(), dense(3)]);

function outputsOf({ model, params, stats }: Network, x: Tensor): Float32Array {
  const network = { model, params: toTensors(params), norm: runningNorm(toTensors(stats)) };
  return naturalPass(network, x).output.dataSync() as Float32Array;
}

/** Loads what was written in TensorFlow.js, and compares outputs. */
async function matches(network: Network, exported: ExportedLayersModel): Promise<void> {
  const source = await loaded(exported.json, exported.weights);
  const x = tf.randomUniform([5, ...network.model.inputShape], -1, 2, 'float32', 7);
  const [ours, theirs] = [outputsOf(network, x), predicted(source, x)];
  const largest = ours.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  ours.forEach((value, i) => {
    expect(Math.abs(value - theirs[i]!)).toBeLessThanOrEqual(1e-5 * largest);
  });
}

const classes = ({ json }: ExportedLayersModel): string[] =>
  (json.modelTopology as { config: { layers: { class_name: string }[] } }).config.layers
    .map(({ class_name: name }) => name)
    .slice(1);

const conv = (filters: number, options: Conv2dOptions) => conv2d(filters, options);

const NETWORKS: { readonly [name: string]: () => readonly [network: Network, classes: readonly string[]] } = {
  'no padding': () => [onImage(conv(3, { padding: 0 })), ['Conv2D', 'Flatten', 'Dense']],
  'the padding of "same"': () => [
    onImage(conv(3, { padding: 1 }), relu()),
    ['Conv2D', 'Activation', 'Flatten', 'Dense'],
  ],
  'a stride with padding on every side': () => [
    onImage(conv(3, { padding: 1, stride: 2 })),
    // A height of 7 is padded by "same" on both sides, a width of 6 only at the end.
    ['ZeroPadding2D', 'Conv2D', 'Flatten', 'Dense'],
  ],
  'a stride with the padding of "same"': () => [
    onImage(conv(3, { padding: [1, 1, 0, 1], stride: 2 })),
    ['Conv2D', 'Flatten', 'Dense'],
  ],
  dilation: () => [
    onImage(conv(3, { kernel: [2, 3], padding: 2, dilation: [1, 2] })),
    ['ZeroPadding2D', 'Conv2D', 'Flatten', 'Dense'],
  ],
  'a depthwise convolution': () => [
    onImage(conv(8, { groups: 4 }), sigmoid()),
    ['DepthwiseConv2D', 'Activation', 'Flatten', 'Dense'],
  ],
  'BatchNorm and leaky ReLU': () => [
    onImage(conv(3, {}), batchNorm({ momentum: 0.25, epsilon: 0.1 }), leakyRelu(0.2), globalAvgPool(), flatten()),
    ['Conv2D', 'BatchNormalization', 'LeakyReLU', 'GlobalAveragePooling2D', 'Reshape', 'Reshape', 'Dense'],
  ],
  normalization: () => [
    onImage(normalize([0.1, 0.2, 0.3, 0.4], [1, 0.5, 0.25, 2]), conv(3, {})),
    ['Rescaling', 'Conv2D', 'Flatten', 'Dense'],
  ],
  'one normalization for all channels, and none of a list': () => [
    net([4], [affine([2, 2, 2, 2], [1, 1, 1, 1]), affine([1, 2, 3, 4], [0, 0, 0, 0]), dense(2)]),
    ['Rescaling', 'Rescaling', 'Dense'],
  ],
  'a normalization of each element': () => [
    onImage(
      affine(
        Array.from({ length: 168 }, (_, i) => 1 + i / 100),
        Array.from({ length: 168 }, (_, i) => i / 10),
      ),
    ),
    ['Rescaling', 'Flatten', 'Dense'],
  ],
  'pooling as in "same"': () => [
    onImage(avgPool(2, { padding: [0, 1, 0, 0] }), maxPool(3, { stride: 1, padding: 1 })),
    ['AveragePooling2D', 'MaxPooling2D', 'Flatten', 'Dense'],
  ],
  'a mean that counts padding': () => [
    onImage(avgPool(3, { stride: 2, padding: 1, countPadding: true })),
    ['ZeroPadding2D', 'AveragePooling2D', 'Flatten', 'Dense'],
  ],
  'a maximum of what is not negative': () => [
    onImage(relu(), avgPool(1), maxPool(3, { stride: 2, padding: 1 })),
    ['Activation', 'AveragePooling2D', 'ZeroPadding2D', 'MaxPooling2D', 'Flatten', 'Dense'],
  ],
  'a transposition and a softmax': () => [
    onImage(transpose([2, 0, 1]), flatten(), dense(3), softmax(), flatten()),
    ['Permute', 'Flatten', 'Dense', 'Activation', 'Reshape', 'Reshape', 'Dense'],
  ],
};

describe.each(Object.entries(NETWORKS))('%s', (name, build) => {
  it('is loaded with the same outputs', async () => {
    const [network, expected] = build();
    const exported = toLayersModel(network);
    expect([classes(exported), exported.notes]).toEqual([expected, []]);
    await matches(network, exported);
  });

  // A softmax in between is not imported.
  it.runIf(!name.includes('softmax'))('is read back with the same weights and outputs', () => {
    const [network] = build();
    const { json, weights } = toLayersModel(network);
    const back = readLayersModel(JSON.stringify(json), weights);
    expect(back.params).toMatchObject(network.params);
    expect(back.stats).toEqual(network.stats);
    const x = tf.randomUniform([2, ...network.model.inputShape], -1, 2, 'float32', 7);
    expect(outputsOf(back, x)).toEqual(outputsOf(network, x));
  });
});

it('keeps the nodes of a network that TensorFlow.js can hold', () => {
  const builder = graph([6, 6, 2]);
  builder.add(normalize([0.5, 0.4], [0.2, 0.3]), ['input'], 'normalize');
  builder.add(conv(3, { padding: 1, stride: 2 }), ['normalize'], 'conv');
  builder.add(batchNorm({ momentum: 0.25 }), ['conv'], 'norm');
  builder.add(relu(), ['norm'], 'act');
  builder.add(add(), ['act', 'conv'], 'sum');
  builder.add(flatten(), ['sum'], 'flat');
  builder.add(dense(4), ['flat'], 'logits');
  const network = withWeights(builder.build());
  const { json, weights } = toLayersModel(network);
  const { model, params, stats } = readLayersModel(json, weights);
  expect({ model, params, stats }).toEqual(network);
});

it('writes groups that TensorFlow.js does not have as one convolution, and says so', async () => {
  const network = onImage(conv(6, { groups: 2, stride: [1, 2] }), conv(6, { groups: 6, stride: [2, 1] }));
  const exported = toLayersModel(network);
  expect(exported.notes).toEqual([
    'The 2 groups of the convolution "conv2d1" were written as one, with zeros between them.',
    'The 6 groups of the convolution "conv2d2" were written as one, with zeros between them.',
  ]);
  await matches(network, exported);
});

it('adds a softmax on request, which the reader leaves out', async () => {
  const network = net([3], [dense(4)]);
  const { json, weights } = toLayersModel(network, { softmax: true });
  const x = tf.randomUniform([2, 3], -1, 1, 'float32', 1);
  const theirs = predicted(await loaded(json, weights), x);
  const ours = tf.softmax(tf.tensor2d(outputsOf(network, x), [2, 4])).dataSync();
  theirs.forEach((value, i) => {
    expect(value).toBeCloseTo(ours[i]!, 6);
  });
  const back = readLayersModel(json, weights);
  expect([back.softmaxDropped, back.params]).toEqual([true, network.params]);
  const kept = readLayersModel(json, weights, { keepSoftmax: true });
  expect([kept.softmaxDropped, kept.model.nodes.at(-1)!.op, kept.notes]).toEqual([false, 'softmax', []]);
});

it('writes files that tf.loadLayersModel fetches', async () => {
  const network = onImage(conv(3, { padding: 1, stride: 2 }), relu());
  const { json, weights } = toLayersModel(network, { weightsPath: 'shard.bin' });
  const files: { readonly [path: string]: string | Uint8Array } = {
    '/net/model.json': JSON.stringify(json),
    '/net/shard.bin': weights,
  };
  const server = createServer((request, response) => response.end(files[request.url!]));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const source = await tfl.loadLayersModel(`http://127.0.0.1:${port}/net/model.json`);
    const x = tf.randomUniform([2, ...image], 0, 1, 'float32', 1);
    const [ours, theirs] = [outputsOf(network, x), predicted(source, x)];
    ours.forEach((value, i) => {
      expect(theirs[i]).toBeCloseTo(value, 4);
    });
  } finally {
    server.close();
  }
});

it('gives layers names that nothing else has', () => {
  const builder = graph([5, 5, 1]);
  builder.add(conv(2, { padding: 2 }), ['input'], 'a');
  builder.add(conv(2, { padding: 1 }), ['a'], 'a_zeros');
  builder.add(flatten(), ['a_zeros'], 'softmax');
  const { json } = toLayersModel(withWeights(builder.build()), { softmax: true });
  const { layers } = (json.modelTopology as { config: { layers: { name: string }[] } }).config;
  expect(layers.map(({ name }) => name)).toEqual(['input', 'a_zeros_2', 'a', 'a_zeros', 'softmax', 'softmax_2']);
});

describe('is refused', () => {
  it.each([
    [
      'a maximum of what may be negative',
      onImage(maxPool(3, { stride: 2, padding: 1 })),
      /"maxPool1" \(maxPool\): its padding \[1,1,1,1\] is not that of "same", and its input may be negative\.\nUse /,
    ],
    [
      'a mean that does not count other padding',
      onImage(avgPool(3, { stride: 2, padding: 1 })),
      /"avgPool1" \(avgPool\): its padding \[1,1,1,1\] is not counted/,
    ],
    [
      'a stride with a dilation',
      onImage(conv(3, { stride: 2, dilation: 2 })),
      /"conv2d1" \(conv2d\): it has the stride \[2,2\] and the dilation \[2,2\]/,
    ],
  ])('%s', (_name, network, message) => {
    expect(() => toLayersModel(network)).toThrow(message);
  });

  it('an op without a layer', () => {
    const network = net([3], [dense(2)]);
    const node = { name: 'odd', op: 'gelu', inputs: ['dense1'], attrs: {}, shape: [2], params: {}, stats: {} };
    const model = { ...network.model, nodes: [...network.model.nodes, node] } as unknown as Model;
    expect(() => toLayersModel({ ...network, model })).toThrow(
      /^TensorFlow\.js has no layer for the op "gelu" \(node "odd"\)\.\nReplace the node by nodes of these ops: conv2d, /,
    );
  });

  it('weights of another model, or that are not finite', () => {
    const network = net([3], [dense(2)]);
    expect(() => toLayersModel({ ...network, params: {} })).toThrow(/no tensor at "dense1\.kernel"/);
    const bias = { shape: [2], data: Float32Array.of(0, Number.POSITIVE_INFINITY) };
    const params = { dense1: { ...network.params.dense1!, bias } };
    expect(() => toLayersModel({ ...network, params })).toThrow(/^The weight "dense1\.bias" has Infinity at 1\.\n/);
  });
});

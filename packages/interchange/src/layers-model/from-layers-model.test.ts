/** Every class of layers against `predict` of TensorFlow.js, in memory, from files, and written back. */
import { naturalPass, runningNorm } from '@cert/bounds';
import { tf, toTensors } from '@cert/core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { checkBounds } from '../../test/check-bounds.js';
import { chain, functional, layers, loaded, on, saved } from '../../test/layers-models.js';
import { fromLayersModel } from './from-layers-model.js';
import { readLayersModel } from './read-layers-model.js';
import { toLayersModel } from './to-layers-model.js';

const { add, concatenate, conv2d, dense, flatten, zeroPadding2d } = layers;
const image = [7, 6, 3];
/** A layer on images, in front of a dense one. */
const onImage = (...middle: tfl.layers.Layer[]) => chain(image, [...middle, flatten(), dense({ units: 4 })]);
const onVector = (...middle: tfl.layers.Layer[]) => chain([5], [dense({ units: 6 }), ...middle, dense({ units: 3 })]);

const first = { dataFormat: 'channelsFirst' } as const;

const MODELS: { readonly [name: string]: () => tfl.LayersModel } = {
  'Conv2D, valid': () => onImage(conv2d({ filters: 4, kernelSize: 3 })),
  'Conv2D, same': () => onImage(conv2d({ filters: 4, kernelSize: [3, 2], padding: 'same' })),
  'Conv2D, same, stride 2': () => onImage(conv2d({ filters: 4, kernelSize: 3, strides: 2, padding: 'same' })),
  'Conv2D, same, strides [3, 2], kernel [4, 5]': () =>
    onImage(conv2d({ filters: 4, kernelSize: [4, 5], strides: [3, 2], padding: 'same' })),
  'Conv2D, stride larger than the kernel': () =>
    onImage(conv2d({ filters: 4, kernelSize: 1, strides: 3, padding: 'same' })),
  'Conv2D, dilation, no bias, relu': () =>
    onImage(
      conv2d({ filters: 4, kernelSize: 2, dilationRate: [2, 3], padding: 'same', useBias: false, activation: 'relu' }),
    ),
  DepthwiseConv2D: () => onImage(layers.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, activation: 'tanh' })),
  'DepthwiseConv2D, same, stride 2': () =>
    onImage(layers.depthwiseConv2d({ kernelSize: 2, strides: 2, padding: 'same', useBias: false })),
  SeparableConv2D: () =>
    onImage(
      layers.separableConv2d({ filters: 5, kernelSize: 3, depthMultiplier: 2, padding: 'same', activation: 'relu' }),
    ),
  'Dense, no bias, sigmoid': () => onVector(dense({ units: 4, useBias: false, activation: 'sigmoid' })),
  'Dense on images': () => onImage(dense({ units: 4, activation: 'relu' })),
  'Dense on rows': () => chain([4, 3], [dense({ units: 5 }), flatten(), dense({ units: 2 })]),
  BatchNormalization: () => onImage(conv2d({ filters: 4, kernelSize: 3 }), layers.batchNormalization()),
  'BatchNormalization without scale and center': () =>
    onVector(layers.batchNormalization({ scale: false, center: false, epsilon: 0.1, momentum: 0.7 })),
  'Activation relu, sigmoid, tanh, linear, relu6': () =>
    onVector(
      ...(['relu', 'sigmoid', 'tanh', 'linear', 'relu6'] as const).map((activation) =>
        layers.activation({ activation }),
      ),
    ),
  ReLU: () => onVector(layers.reLU()),
  'ReLU with a maximum': () => onVector(layers.reLU({ maxValue: 0.5 })),
  'ReLU with a large maximum': () => onVector(layers.reLU({ maxValue: 20 })),
  LeakyReLU: () => onVector(layers.leakyReLU(), layers.leakyReLU({ alpha: 0.1 })),
  MaxPooling2D: () => onImage(layers.maxPooling2d({ poolSize: [2, 3], strides: [2, 1] })),
  'MaxPooling2D, same': () => onImage(layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' })),
  'AveragePooling2D, same': () => onImage(layers.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same' })),
  'AveragePooling2D, valid': () => onImage(layers.averagePooling2d({ poolSize: [2, 3], strides: [1, 2] })),
  GlobalAveragePooling2D: () => chain(image, [layers.globalAveragePooling2d({}), dense({ units: 2 })]),
  GlobalMaxPooling2D: () => chain(image, [layers.globalMaxPooling2d({}), dense({ units: 2 })]),
  'ZeroPadding2D, convolution': () =>
    onImage(
      zeroPadding2d({
        padding: [
          [1, 2],
          [0, 3],
        ],
      }),
      conv2d({ filters: 4, kernelSize: 3, strides: 2, padding: 'same' }),
    ),
  'ZeroPadding2D twice, maximum': () =>
    onImage(zeroPadding2d({ padding: 1 }), zeroPadding2d({ padding: [1, 2] }), layers.maxPooling2d({ poolSize: 2 })),
  Rescaling: () => onImage(layers.rescaling({ scale: 1 / 127.5, offset: -1 })),
  Reshape: () => onImage(layers.reshape({ targetShape: [3, 7, 6] }), conv2d({ filters: 2, kernelSize: 3 })),
  Permute: () => onImage(layers.permute({ dims: [2, 1, 3] }), layers.permute({ dims: [3, 1, 2] })),
  Dropout: () =>
    onVector(
      layers.dropout({ rate: 0.5 }),
      layers.gaussianDropout({ rate: 0.3 }),
      layers.gaussianNoise({ stddev: 1 }),
      layers.alphaDropout({ rate: 0.3 }),
    ),
  'Add, of three': () =>
    functional([5], (x) => {
      const [a, b] = [on(dense({ units: 4 }), x), on(dense({ units: 4, activation: 'relu' }), x)];
      return on(dense({ units: 3 }), on(add(), [a, b, a]));
    }),
  Average: () => functional([5], (x) => on(layers.average(), [on(dense({ units: 4 }), x), on(dense({ units: 4 }), x)])),
  'Concatenate, channels and rows': () =>
    functional(image, (x) => {
      const [a, b] = [2, 3].map((filters) => on(conv2d({ filters, kernelSize: 3 }), x)) as [
        tfl.SymbolicTensor,
        tfl.SymbolicTensor,
      ];
      const wide = on(concatenate(), [a, b]);
      return on(dense({ units: 3 }), on(flatten(), on(concatenate({ axis: 1 }), [wide, wide])));
    }),
  'a residual block': () =>
    functional(image, (x) => {
      const conv = () => conv2d({ filters: 3, kernelSize: 3, padding: 'same', useBias: false });
      const inner = on(layers.batchNormalization(), on(conv(), x));
      const outer = on(conv(), on(layers.activation({ activation: 'relu' }), inner));
      const sum = on(layers.reLU(), on(add(), [x, outer]));
      return on(dense({ units: 10 }), on(layers.globalAveragePooling2d({}), sum));
    }),
  'a softmax at the end': () => chain([5], [dense({ units: 4, activation: 'softmax' })]),
  'a Softmax layer and dropout at the end': () =>
    chain([5], [dense({ units: 4 }), layers.softmax(), layers.dropout({ rate: 0.1 })]),
  'an image at the end': () => chain(image, [conv2d({ filters: 2, kernelSize: 3 })]),
  'a dropout at the end': () => chain([5], [dense({ units: 4 }), layers.dropout({ rate: 0.5 })]),
  'a layer used twice': () => {
    const shared = dense({ units: 5, activation: 'tanh', name: 'shared' });
    return functional([5], (x) => on(dense({ units: 2 }), on(shared, on(shared, x))));
  },
  'a model in a model': () => {
    const inside = chain([4], [dense({ units: 4, activation: 'relu' }), dense({ units: 4 })]);
    return functional([4], (x) => on(dense({ units: 3 }), on(inside, on(inside, x))));
  },
  'a functional model in a chain': () => {
    const inside = functional([4], (x) => on(add(), [x, on(dense({ units: 4 }), x)]));
    const outer = tfl.sequential();
    outer.add(inside);
    outer.add(dense({ units: 3 }));
    return outer;
  },
  'channels first': () =>
    chain(
      [3, 7, 6],
      [
        conv2d({ filters: 4, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu', ...first }),
        layers.leakyReLU(),
        layers.maxPooling2d({ poolSize: 2, strides: 1, ...first }),
        zeroPadding2d({ padding: 1, ...first }),
        layers.depthwiseConv2d({ kernelSize: 2, ...first }),
        flatten(),
        dense({ units: 3 }),
      ],
    ),
  'channels first, flattened channels last': () =>
    chain([3, 7, 6], [conv2d({ filters: 4, kernelSize: 3, ...first }), flatten({ ...first }), dense({ units: 3 })]),
  'channels first between channels last': () =>
    onImage(layers.averagePooling2d({ poolSize: 2, ...first }), conv2d({ filters: 2, kernelSize: 2 })),
  'channels first, joined': () =>
    functional([3, 7, 6], (x) => {
      const conv = () => on(conv2d({ filters: 3, kernelSize: 3, padding: 'same', ...first }), x);
      const joined = on(concatenate({ axis: 2 }), [
        on(concatenate({ axis: 1 }), [conv(), conv()]),
        on(concatenate({ axis: 1 }), [x, conv()]),
      ]);
      return on(layers.globalAveragePooling2d({ ...first }), on(dense({ units: 5 }), joined));
    }),
};

describe.each(Object.entries(MODELS))('%s', (_name, build) => {
  it('computes what predict computes, in memory and from files', async () => {
    const source = build();
    const imported = await fromLayersModel(source);
    expect(imported.difference).toBeLessThanOrEqual(1e-5);
    const { json, weights } = await saved(source);
    const { difference: _, ...rest } = imported;
    expect(readLayersModel(JSON.stringify(json), weights)).toEqual(rest);
    expect(readLayersModel(json, { 'weights.bin': weights })).toEqual(rest);
  });

  it('has bounds that contain its outputs', async () => {
    checkBounds(await fromLayersModel(build()));
  });

  it('is written as a model that TensorFlow.js loads, with the same outputs, and read back', async () => {
    const imported = await fromLayersModel(build());
    const { json, weights, notes } = toLayersModel(imported, { softmax: imported.softmaxDropped });
    expect(notes).toEqual([]);
    const back = await fromLayersModel(await loaded(json, weights));
    expect(back.difference).toBeLessThanOrEqual(1e-5);
    expect(back.softmaxDropped).toBe(imported.softmaxDropped);
    const x = tf.randomUniform([3, ...imported.model.inputShape], -1, 1, 'float32', 3);
    const [ours, theirs] = [imported, back].map(({ model, params, stats }) =>
      naturalPass({ model, params: toTensors(params), norm: runningNorm(toTensors(stats)) }, x).output.dataSync(),
    );
    expect(theirs).toEqual(ours);
  });
});

describe('batch normalization of channels-first images', () => {
  const build = () => chain([2, 1, 2], [layers.batchNormalization({ axis: 1, epsilon: 0 }), flatten()]);

  it('is imported by channel', async () => {
    const source = build();
    const [gamma, beta, mean, variance] = source.getWeights().map((tensor) => tensor.dataSync());
    const { json, weights } = await saved(source);
    const { model, params, stats, inputOrder, notes } = readLayersModel(json, weights);
    expect(model.inputShape).toEqual([2, 1, 2]);
    expect([...inputOrder]).toEqual([0, 1, 2, 3]);
    const x = [0.5, -1, 2, 3];
    const network = { model, params: toTensors(params), norm: runningNorm(toTensors(stats)) };
    const output = naturalPass(network, tf.tensor(x, [1, 2, 1, 2])).output.dataSync();
    const expected = x.map((value, i) => {
      const c = Math.floor(i / 2);
      return (gamma![c]! * (value - mean![c]!)) / Math.sqrt(variance![c]!) + beta![c]!;
    });
    expected.forEach((value, i) => {
      expect(output[i]).toBeCloseTo(value, 5);
    });
    expect(notes).toEqual([expect.stringContaining('channels-first')]);
  });

  it('is reported where the CPU backend computes it otherwise', async () => {
    await expect(fromLayersModel(build())).rejects.toThrow(
      /^The outputs of the imported network differ .* by \d[\s\S]*CPU backend/,
    );
  });
});

it('says where predict fails, and imports such a model from its files', async () => {
  // TensorFlow.js 4.22 adds the bias along the wrong axis.
  const source = chain(
    [3, 5, 5],
    [layers.separableConv2d({ filters: 2, kernelSize: 2, ...first }), flatten(), dense({ units: 2 })],
  );
  await expect(fromLayersModel(source)).rejects.toThrow(
    /^The import could not be compared, because predict of the TensorFlow\.js model fails: [^\n]+\nRepair the model\. /,
  );
  const { json, weights } = await saved(source);
  expect(readLayersModel(json, weights).model.classes).toBe(2);
});

it('uses the one instance of TensorFlow.js of @cert/core', () => {
  const [weight] = chain([2], [dense({ units: 1 })]).weights;
  expect(weight!.read()).toBeInstanceOf(tf.Variable);
  expect(weight!.read().constructor).toBe(tf.Variable);
});

it('says where weights were copied, and only there', async () => {
  const copies = async (name: string) => (await fromLayersModel(MODELS[name]!())).notes;
  expect(await copies('a layer used twice')).toEqual([
    'The layer "shared" is used 2 times: each use has a copy of its weights, and training changes each alone.',
  ]);
  expect(await copies('a model in a model')).toEqual([
    expect.stringMatching(/^The layer "sequential.*" is used 2 times: /),
  ]);
  const relu = layers.reLU({ name: 'relu' });
  const twice = functional([4], (x) => on(dense({ units: 3 }), on(relu, on(dense({ units: 4 }), on(relu, x)))));
  expect((await fromLayersModel(twice)).notes).toEqual([]);
});

it('leaves no tensors behind', async () => {
  const source = MODELS['a residual block']!();
  await fromLayersModel(source);
  const before = tf.memory().numTensors;
  await fromLayersModel(source);
  expect(tf.memory().numTensors).toBe(before);
});

/** `model.json` as TensorFlow.js, Keras 2 and Keras 3 write it, and what is refused. */
import { naturalPass, runningNorm } from '@cert/bounds';
import { CertError, type HostTensor, type Tensor, tf, toTensors } from '@cert/core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { chain, functional, layers, loaded, on, predicted, type SavedModel, saved } from '../../test/layers-models.js';
import { fromLayersModel } from './from-layers-model.js';
import type { ImportedLayersModel } from './import-graph.js';
import { readLayersModel, weightPathsOf } from './read-layers-model.js';

type Json = Record<string, unknown>;

/** A layer of a hand-written model. */
interface TestLayer {
  readonly className: string;
  readonly config?: Json;
  readonly weights?: { readonly [name: string]: HostTensor };
}

const tensor = (shape: readonly number[], start = 1): HostTensor => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i + start)),
});

/** The files of a chain of layers, as Keras writes them. */
function keras(
  inputShape: readonly (number | null)[],
  given: readonly TestLayer[],
): { json: Json; weights: Uint8Array } {
  const named = given.map((layer, i) => ({ ...layer, name: `layer${i}` }));
  const tensors = named.flatMap(({ name, weights = {} }) =>
    Object.entries(weights).map(([key, { shape, data }]) => ({ name: `${name}/${key}`, shape, data })),
  );
  const input = { class_name: 'InputLayer', config: { batch_input_shape: [null, ...inputShape], name: 'x' } };
  const json = {
    format: 'layers-model',
    modelTopology: {
      keras_version: '2.15.0',
      model_config: {
        class_name: 'Sequential',
        config: {
          name: 'net',
          layers: [
            input,
            ...named.map(({ className, name, config }) => ({
              class_name: className,
              config: { name, trainable: true, dtype: 'float32', ...config },
            })),
          ],
        },
      },
    },
    weightsManifest: [
      { paths: ['a.bin'], weights: tensors.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })) },
    ],
  };
  const data = Float32Array.from(tensors.flatMap((each) => [...each.data]));
  return { json, weights: new Uint8Array(data.buffer) };
}

const read = ({ json, weights }: { readonly json: unknown; readonly weights: Uint8Array }) =>
  readLayersModel(json, weights);

/** The outputs of an imported network for one input in the order of the file. */
function outputsOf({ model, params, stats, inputOrder }: ImportedLayersModel, input: readonly number[]): number[] {
  const x = new Float32Array(input.length);
  input.forEach((value, i) => {
    x[inputOrder[i]!] = value;
  });
  const network = { model, params: toTensors(params), norm: runningNorm(toTensors(stats)) };
  return [...naturalPass(network, tf.tensor(x, [1, ...model.inputShape])).output.dataSync()];
}

const close = (found: readonly number[], expected: readonly number[]) => {
  expect(found.length).toBe(expected.length);
  found.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i]!, 4);
  });
};

/** The error of a reading. */
function failure(run: () => unknown): CertError {
  try {
    run();
  } catch (error) {
    if (error instanceof CertError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const dense = (units: number, inputs: number, config: Json = {}): TestLayer => ({
  className: 'Dense',
  config: { units, activation: 'linear', use_bias: true, ...config },
  weights: { kernel: tensor([inputs, units]), bias: tensor([units]) },
});

describe('layers that TensorFlow.js does not have', () => {
  it('grouped convolution', () => {
    const kernel = tensor([1, 1, 1, 4]);
    const conv: TestLayer = {
      className: 'Conv2D',
      config: { filters: 4, kernel_size: [1, 1], groups: 2, use_bias: false },
      weights: { kernel },
    };
    const imported = read(keras([1, 1, 2], [conv, { className: 'Flatten' }]));
    close(
      outputsOf(imported, [2, -3]),
      [0, 1, 2, 3].map((filter) => [2, -3][filter < 2 ? 0 : 1]! * kernel.data[filter]!),
    );
  });

  it('Normalization, with moments in the weights', () => {
    const layer: TestLayer = {
      className: 'Normalization',
      config: { axis: [-1], mean: null, variance: null, invert: false },
      weights: {
        mean: { shape: [2], data: Float32Array.of(1, 2) },
        variance: { shape: [2], data: Float32Array.of(4, 0) },
        count: { shape: [], data: Float32Array.of(7) },
      },
    };
    close(outputsOf(read(keras([2], [layer])), [3, 2]), [1, 0]);
  });

  it('Normalization, with moments in the settings', () => {
    const layer = { className: 'Normalization', config: { axis: -1, mean: [[1, 2]], variance: [[4, 16]] } };
    close(outputsOf(read(keras([2], [layer])), [3, 10]), [1, 2]);
    const all = { className: 'Normalization', config: { axis: [], mean: 1, variance: 4 } };
    close(outputsOf(read(keras([2], [all])), [3, 1]), [1, 0]);
  });

  it('Rescaling with a number for each channel, and for each element', () => {
    const channels = { className: 'Rescaling', config: { scale: [2, 3], offset: 1 } };
    close(outputsOf(read(keras([2, 1, 2], [channels])), [1, 1, 2, 2]), [3, 4, 5, 7]);
    const elements = { className: 'Rescaling', config: { scale: [[[1, 2]], [[3, 4]]], offset: [0, 1] } };
    close(outputsOf(read(keras([2, 1, 2], [elements])), [1, 1, 1, 1]), [1, 3, 3, 5]);
  });

  it('Identity', () => {
    const relu = { className: 'ReLU', config: { negative_slope: 0, max_value: null, threshold: 0 } };
    close(outputsOf(read(keras([2], [{ className: 'Identity' }, relu])), [-8, 2]), [0, 2]);
  });

  it('means with kept axes, over channels first and last', () => {
    const pool = (data_format: string) => ({
      className: 'GlobalAveragePooling2D',
      config: { data_format, keepdims: true },
    });
    const imported = read(keras([2, 2, 1], [pool('channels_last'), { className: 'Flatten' }, dense(1, 1)]));
    expect(imported.model.nodes.map(({ shape }) => shape)).toEqual([[1], [1, 1, 1], [1], [1]]);
    close(outputsOf(read(keras([2, 1, 2], [pool('channels_first')])), [1, 3, 10, 20]), [2, 15]);
  });
});

describe('settings that TensorFlow.js understands in a way of its own', () => {
  const flatten = { className: 'Flatten' };
  const rescaling = (scale: unknown, offset: unknown = 0) => ({ className: 'Rescaling', config: { scale, offset } });
  const flattenFirst = { className: 'Flatten', config: { data_format: 'channels_first' } };
  const first = { data_format: 'channels_first', pool_size: 1, strides: 1 };

  it.each<[string, readonly number[], readonly TestLayer[]]>([
    ['Flatten of rows, channels first', [2, 3], [flattenFirst, dense(2, 6)]],
    ['Flatten of an image, channels first', [2, 3, 4], [flattenFirst, dense(2, 24)]],
    ['Flatten of four axes, channels first', [2, 3, 2, 2], [{ className: 'ReLU' }, flattenFirst, dense(2, 24)]],
    ['LeakyReLU with both names of the slope', [2], [{ className: 'LeakyReLU', config: { negative_slope: 0.3 } }]],
    [
      'LeakyReLU with both names of another slope',
      [2],
      [{ className: 'LeakyReLU', config: { alpha: 0.1, negative_slope: 0.1 } }],
    ],
    ['Rescaling with one number in a list', [2, 2], [rescaling([3], [[1]]), flatten]],
    ['Rescaling of each column', [2, 2], [rescaling([2, 3], [[0.5, 1]]), flatten]],
    ['Rescaling of each row', [2, 2], [rescaling([[2], [3]], 1), flatten]],
    ['Rescaling of each row of an image', [2, 3, 2], [rescaling([[[2]], [[3]]], [1, -1]), flatten]],
    ['Rescaling of each column of an image', [2, 3, 2], [rescaling([[[1], [2], [3]]], [[1], [0], [2]]), flatten]],
    [
      'Rescaling of each element',
      [2, 2],
      [
        rescaling(
          [
            [1, 2],
            [3, 4],
          ],
          [[5], [6]],
        ),
        flatten,
      ],
    ],
    ['Rescaling of one example', [2], [rescaling([[2, 3]])]],
    [
      'Rescaling of an image with its channels first',
      [2, 2, 3],
      [{ className: 'MaxPooling2D', config: first }, rescaling([[[2]], [[3]]], [1, 2, 3]), flatten],
    ],
  ])('%s', async (_, inputShape, given) => {
    const files = keras(inputShape, given);
    const theirs = await loaded(files.json as SavedModel['json'], files.weights);
    const x = tensor(inputShape, 2);
    close(outputsOf(read(files), [...x.data]), [...predicted(theirs, tf.tensor(x.data, [1, ...inputShape]))]);
  });
});

/** A model as Keras 3 writes it. */
function asKeras3({ json, weights }: SavedModel): { json: Json; weights: Uint8Array } {
  const dtype = { module: 'keras', class_name: 'DTypePolicy', config: { name: 'float32' }, registered_name: null };
  const tensorOf = (ref: unknown[]) => ({
    class_name: '__keras_tensor__',
    config: { shape: [null], dtype: 'float32', keras_history: ref.slice(0, 3) },
  });
  const layerOf = (layer: Json): Json => {
    const { batch_input_shape: shape, activation, ...config } = layer.config as Json;
    const calls = (layer.inbound_nodes as unknown[][][]).map((call) => ({
      args: call.length === 1 ? [tensorOf(call[0]!)] : [call.map(tensorOf)],
      kwargs: { mask: call.length === 1 ? null : call.map(() => null) },
    }));
    return {
      ...layer,
      module: 'keras.layers',
      config: {
        ...config,
        dtype,
        quantization_config: null,
        ...(shape !== undefined && { batch_shape: shape }),
        ...(activation !== undefined && {
          activation: { module: 'builtins', class_name: 'function', config: activation, registered_name: 'function' },
        }),
      },
      build_config: { input_shape: [null, 3] },
      inbound_nodes: calls,
    };
  };
  const { config } = (json as { modelTopology: Json }).modelTopology as { config: Json };
  const topology = {
    keras_version: '3.5.0',
    model_config: {
      class_name: 'Functional',
      config: {
        ...config,
        layers: (config.layers as Json[]).map(layerOf),
        input_layers: (config.input_layers as unknown[])[0],
        output_layers: (config.output_layers as unknown[])[0],
      },
    },
  };
  return { json: { ...json, modelTopology: topology }, weights };
}

const residual = () =>
  functional([4, 4, 2], (x) => {
    const conv = on(layers.conv2d({ filters: 2, kernelSize: 3, padding: 'same', activation: 'relu' }), x);
    const sum = on(layers.add(), [x, conv]);
    return on(layers.dense({ units: 3, activation: 'softmax' }), on(layers.flatten(), sum));
  });

it('reads the layers of Keras 3 as those of Keras 2', async () => {
  const files = await saved(residual());
  expect(read(asKeras3(files))).toEqual(read(files));
});

it('finds weights whose names begin with the name of the model', async () => {
  const files = await saved(residual());
  const [{ paths, weights }] = files.json.weightsManifest as [{ paths: string[]; weights: { name: string }[] }];
  const renamed = weights.map((weight) => ({ ...weight, name: `functional_1/${weight.name}` }));
  expect(read({ ...files, json: { ...files.json, weightsManifest: [{ paths, weights: renamed }] } })).toEqual(
    read(files),
  );
});

it('ignores weights of an optimizer', async () => {
  const source = chain([3], [layers.dense({ units: 2 })]);
  const files = await saved(source);
  const [{ weights }] = files.json.weightsManifest as unknown as [{ weights: object[] }];
  const all = [...weights, { name: 'Variable', shape: [2], dtype: 'int32', group: 'optimizer' }];
  const json = { ...files.json, weightsManifest: [{ paths: ['w'], weights: all }] };
  const bytes = new Uint8Array(files.weights.length + 8);
  bytes.set(files.weights);
  expect(readLayersModel(json, bytes)).toEqual(read(files));
});

it('reads weights in several groups and files', async () => {
  const files = await saved(residual());
  const [{ weights }] = files.json.weightsManifest as unknown as [{ weights: object[] }];
  const json = {
    ...files.json,
    weightsManifest: [
      { paths: ['a', 'b'], weights: weights.slice(0, 2) },
      { paths: ['c'], weights: weights.slice(2) },
    ],
  };
  expect(weightPathsOf(json)).toEqual(['a', 'b', 'c']);
  const conv = (3 * 3 * 2 * 2 + 2) * 4;
  const parts = { a: files.weights.slice(0, 7), b: files.weights.slice(7, conv), c: files.weights.slice(conv) };
  expect(readLayersModel(JSON.stringify(json), parts)).toEqual(read(files));
  expect(readLayersModel(json, files.weights)).toEqual(read(files));
  expect(failure(() => readLayersModel(json, { a: parts.a, c: parts.c })).message).toBe(
    'The weight file "b" of the TensorFlow.js model is missing.\nGive all files that model.json names under "paths".',
  );
  expect(failure(() => readLayersModel(json, { ...parts, b: parts.a })).message).toMatch(
    /has 14 bytes of weights instead of 152/,
  );
});

describe('quantized weights are converted as TensorFlow.js does', () => {
  const bytesOf = {
    uint8: (values: readonly number[]) => Uint8Array.from(values),
    uint16: (values: readonly number[]) => new Uint8Array(Uint16Array.from(values).buffer),
    float16: (values: readonly number[]) => new Uint8Array(Uint16Array.from(values).buffer),
  };
  it.each([
    ['uint8', { scale: 0.013, min: -1.5 }, [0, 1, 128, 255]],
    ['uint16', { scale: 0.0001, min: -2 }, [0, 1, 40_000, 65_535]],
    // 1, -2, the largest, the smallest, and the smallest normal number.
    ['float16', {}, [0x3c00, 0xc000, 0x7bff, 0x0001]],
  ] as const)('%s', async (dtype, quantization, values) => {
    const weights = [
      { name: 'd/kernel', shape: [2, 2], dtype: 'float32', quantization: { dtype, ...quantization } },
      { name: 'd/bias', shape: [2], dtype: 'float32' },
    ];
    const bytes = new Uint8Array([...bytesOf[dtype](values), ...new Uint8Array(Float32Array.of(1, 2).buffer)]);
    const { json } = keras([2], [{ className: 'Dense', config: { name: 'd', units: 2, activation: 'linear' } }]);
    const imported = readLayersModel({ ...json, weightsManifest: [{ paths: ['w'], weights }] }, bytes);
    expect(imported.notes).toEqual([`Weights stored as ${dtype} were converted to float32, as TensorFlow.js does.`]);
    const theirs = await tfl.loadLayersModel(
      tf.io.fromMemory({
        modelTopology: json.modelTopology as object,
        weightSpecs: weights as never,
        weightData: bytes.buffer,
      }),
    );
    expect(imported.params.d!.kernel!.data).toEqual(theirs.getWeights()[0]!.dataSync());
  });

  it('and float16 without finite values is refused', () => {
    const { json } = keras([1], [{ className: 'Dense', config: { name: 'd', units: 1, use_bias: false } }]);
    const weights = [{ name: 'd/kernel', shape: [1, 1], dtype: 'float32', quantization: { dtype: 'float16' } }];
    const manifest = { ...json, weightsManifest: [{ paths: ['w'], weights }] };
    for (const bits of [0x7c00, 0x7e00]) {
      const bytes = new Uint8Array(Uint16Array.of(bits).buffer);
      expect(failure(() => readLayersModel(manifest, bytes)).problem).toMatch(/"d\/kernel" has (Infinity|NaN) at 0/);
    }
  });
});

describe('is refused with its layer and a cure', () => {
  const conv = (config: Json): TestLayer => ({
    className: 'Conv2D',
    config: { filters: 2, kernel_size: 3, ...config },
    weights: { kernel: tensor([3, 3, 1, 2]), bias: tensor([2]) },
  });
  const image = [5, 5, 1];
  const vector = [3];
  const cases: readonly [name: string, shape: readonly (number | null)[], layers: readonly TestLayer[], RegExp][] = [
    [
      'an unknown class',
      vector,
      [{ className: 'LSTM' }],
      /^The import does not support the layer "layer0" \(LSTM\): the class is not supported\.\nUse only the layers Activation, /,
    ],
    [
      'a class with the name of a method',
      vector,
      [{ className: 'toString' }],
      /\(toString\): the class is not supported/,
    ],
    [
      'an unknown activation',
      vector,
      [dense(2, 3, { activation: 'swish' })],
      /"layer0" \(Dense\): its activation is "swish"\.\nSupported activations: linear, relu/,
    ],
    [
      'a softmax in between',
      vector,
      [dense(2, 3, { activation: 'softmax' }), dense(2, 2)],
      /"layer1" \(Dense\): it reads the softmax of the layer "layer0"/,
    ],
    ['a softmax along another axis', image, [{ className: 'Softmax' }], /its softmax is over axis -1 of \[5,5,1\]/],
    ['an unknown setting', vector, [dense(2, 3, { mystery: 3 })], /it has the setting "mystery": 3/],
    ['another precision', vector, [dense(2, 3, { dtype: 'mixed_float16' })], /it computes in "mixed_float16"/],
    ['another padding', image, [conv({ padding: 'causal' })], /its padding is "causal"/],
    ['groups that do not fit', image, [conv({ groups: 3 })], /which has 3 groups for 1 channels and 2 filters/],
    ['a convolution of a vector', vector, [conv({})], /its input has the shape \[3\] without the batch/],
    ['a dense layer on too many axes', [1, 1, 1, 3], [dense(2, 3)], /its input has the shape \[1,1,1,3\]/],
    ['a slope that is too large', vector, [{ className: 'LeakyReLU', config: { alpha: 1.5 } }], /its slope is 1\.5/],
    [
      'a threshold',
      vector,
      [{ className: 'ReLU', config: { threshold: 1 } }],
      /its threshold is 1, its slope 0 and its maximum none/,
    ],
    [
      'a wrong type',
      vector,
      [dense(2, 3, { units: '2' })],
      /whose setting "units" is "2" instead of a whole number from 1/,
    ],
    ['no units', vector, [dense(2, 3, { units: null })], /whose setting "units" is null instead of/],
    [
      'a kernel of three lengths',
      image,
      [conv({ kernel_size: [3, 3, 3] })],
      /whose setting "kernel_size" is \[3,3,3\] instead of one or two/,
    ],
    ['a flag that is none', image, [conv({ use_bias: 1 })], /whose setting "use_bias" is 1 instead of true or false/],
    ['an order of axes that is none', image, [conv({ data_format: 'NHWC' })], /whose setting "data_format" is "NHWC"/],
    [
      'a reshape of another size',
      vector,
      [{ className: 'Reshape', config: { target_shape: [2, -1] } }],
      /which reshapes \[3\] to \[2,-1\]/,
    ],
    [
      'a permutation that is none',
      image,
      [{ className: 'Permute', config: { dims: [1, 1, 2] } }],
      /whose order of axes is \[1,1,2\]/,
    ],
    [
      'an odd zero padding',
      image,
      [{ className: 'ZeroPadding2D', config: { padding: [1, -1] } }],
      /whose setting "padding" is \[1,-1\]/,
    ],
    [
      'a zero padding without end',
      image,
      [{ className: 'ZeroPadding2D', config: { padding: 65_000 } }, { className: 'MaxPooling2D' }],
      /which computes too many numbers/,
    ],
    ['a kernel larger than the image', [2, 2, 1], [conv({})], /Node "layer0" \(conv2d\) does not fit its inputs/],
    [
      'an axis that is none',
      vector,
      [{ className: 'BatchNormalization', config: { axis: 2 } }],
      /its axis is 2 for 2 axes/,
    ],
    [
      'a normalization of rows',
      image,
      [{ className: 'BatchNormalization', config: { axis: 2 } }],
      /it normalizes axis 2 of \[batch,5,5,1\]/,
    ],
    [
      'a normalization of two axes',
      image,
      [{ className: 'Normalization', config: { axis: [1, 3] } }],
      /its axes are \[1,3\]/,
    ],
    ['an inverted normalization', vector, [{ className: 'Normalization', config: { invert: true } }], /it is inverted/],
    [
      'a rescaling of another size',
      vector,
      [{ className: 'Rescaling', config: { scale: [1, 2] } }],
      /it has 2 numbers for an input of shape \[3\]/,
    ],
    [
      'a rescaling with one list for all elements',
      [2, 2],
      [{ className: 'Rescaling', config: { scale: [1, 2, 3, 4] } }],
      /it has 4 numbers for an input of shape \[2,2\]/,
    ],
    [
      'a rescaling of more rows',
      [2, 2],
      [{ className: 'Rescaling', config: { offset: [[1], [2], [3]] } }],
      /it has 3x1 numbers for an input of shape \[2,2\]/,
    ],
    [
      'a rescaling that makes an example two',
      vector,
      [{ className: 'Rescaling', config: { scale: [[1], [2]] } }],
      /it has 2x1 numbers for an input of shape \[3\]/,
    ],
    [
      'a rescaling with more axes',
      vector,
      [{ className: 'Rescaling', config: { scale: [[[1]]] } }],
      /it has 1x1x1 numbers for an input of shape \[3\]/,
    ],
    [
      'a rescaling with lists of different lengths',
      [2, 2],
      [{ className: 'Rescaling', config: { scale: [[1], [2, 3]] } }],
      /whose setting "scale" is \[\[1\],\[2,3\]\] instead of lists of equal lengths/,
    ],
    [
      'a rescaling with a number beside a list',
      vector,
      [{ className: 'Rescaling', config: { scale: [1, [2], 3] } }],
      /instead of lists of equal lengths/,
    ],
    [
      'a rescaling without numbers',
      vector,
      [{ className: 'Rescaling', config: { offset: [[]] } }],
      /whose setting "offset" is \[\[\]\] instead of numbers/,
    ],
    [
      'a ReLU with a slope',
      vector,
      [{ className: 'ReLU', config: { negative_slope: 0.5 } }],
      /its threshold is 0, its slope 0\.5 and its maximum none\.\n.*TensorFlow\.js 4\.22 ignores/,
    ],
    [
      'a LeakyReLU as the newer Keras writes it',
      vector,
      [{ className: 'LeakyReLU', config: { negative_slope: 0.25 } }],
      /its slope is 0\.25, which TensorFlow\.js 4\.22 ignores: it takes 0\.3/,
    ],
    [
      'a LeakyReLU with two slopes',
      vector,
      [{ className: 'LeakyReLU', config: { alpha: 0.1, negative_slope: 0.3 } }],
      /its slope is 0\.3, which TensorFlow\.js 4\.22 ignores: it takes 0\.1/,
    ],
    [
      'an infinite rescaling',
      vector,
      [{ className: 'Rescaling', config: { scale: 1e300 } }],
      /whose numbers are not finite in float32/,
    ],
    [
      'batch renormalization',
      vector,
      [{ className: 'BatchNormalization', config: { renorm: true } }],
      /it renormalizes/,
    ],
  ];
  it.each(cases)('%s', (_name, shape, given, message) => {
    const error = failure(() => read(keras(shape, given)));
    expect(error.message).toMatch(message);
    expect(error.cure.length).toBeGreaterThan(10);
    expect(['missing-rule', 'bad-file', 'bad-model']).toContain(error.code);
  });

  it.each([
    [
      'a missing weight',
      [{ ...dense(2, 3), weights: { kernel: tensor([3, 2]) } }],
      /"layer0" \(Dense\), whose weight "bias" of shape \[2\] is missing/,
    ],
    [
      'a weight of another shape',
      [{ ...dense(2, 3), weights: { kernel: tensor([2, 3]), bias: tensor([2]) } }],
      /whose weight "layer0\/kernel" has the shape \[2,3\] instead of \[3,2\]/,
    ],
    [
      'a weight that is not finite',
      [
        {
          ...dense(2, 3),
          weights: { kernel: tensor([3, 2]), bias: { shape: [2], data: Float32Array.of(1, Number.NaN) } },
        },
      ],
      /whose weight "layer0\/bias" has NaN at 1/,
    ],
    [
      'a weight without a layer',
      [{ ...dense(2, 3, { use_bias: false }) }],
      /has a weight "layer0\/bias" of shape \[2\] that no layer uses/,
    ],
    [
      'a negative variance',
      [
        {
          className: 'BatchNormalization',
          weights: {
            gamma: tensor([3]),
            beta: tensor([3]),
            moving_mean: tensor([3]),
            moving_variance: { shape: [3], data: Float32Array.of(1, -1, 1) },
          },
        },
      ],
      /which has a variance that is not positive/,
    ],
  ] as readonly [string, readonly TestLayer[], RegExp][])('%s', (_name, given, message) => {
    const error = failure(() => read(keras(vector, given)));
    expect([error.code, error.message]).toEqual(['bad-file', expect.stringMatching(message)]);
  });

  it('a weight that is missing, where another layer has one whose name ends like it', () => {
    const { json, weights } = keras([2], [dense(2, 2), { ...dense(2, 2), weights: {} }]);
    const text = JSON.stringify(json).replaceAll('layer0', 'a/layer1');
    const error = failure(() => readLayersModel(text, weights));
    expect([error.code, error.problem]).toEqual([
      'bad-file',
      'The TensorFlow.js model has the layer "layer1" (Dense), whose weight "kernel" is missing: "a/layer1/kernel" is that of another layer.',
    ]);
  });

  it.each([
    ['no object', 7, /is 7 instead of an object/],
    ['no JSON', '{"a": 1,', /is not JSON/],
    ['a key twice', '{"modelTopology": {}, "modelTopology": {}}', /is not JSON: the key/],
    ['a graph model', { format: 'graph-model', modelTopology: {} }, /is a graph model[\s\S]*tfjs_layers_model/],
    ['no topology', { weightsManifest: [] }, /has no "modelTopology"/],
    ['a subclassed model', { modelTopology: { class_name: 'MyNet', config: {} } }, /of the class "MyNet"/],
    ['no layers', { modelTopology: { class_name: 'Sequential', config: { layers: [] } } }, /has no layers/],
  ])('%s', (_name, json, message) => {
    const error = failure(() => readLayersModel(json, new Uint8Array()));
    expect([error.code, error.message]).toEqual(['bad-file', expect.stringMatching(message)]);
  });

  it('an input without a fixed shape', () => {
    expect(failure(() => read(keras([null, 5, 1], [conv({})]))).message).toMatch(
      /has the input shape \[null,null,5,1\]\.\nBuild the model with a fixed inputShape/,
    );
    const { json, weights } = keras([3], [dense(2, 3)]);
    const text = JSON.stringify(json).replace('"batch_input_shape":[null,3],', '');
    expect(failure(() => readLayersModel(text, weights)).message).toMatch(/has no shape of its input "x"/);
  });

  it('bytes of weights that are too few, and data types that are not supported', () => {
    const { json, weights } = keras([3], [dense(2, 3)]);
    expect(failure(() => readLayersModel(json, weights.slice(4))).message).toMatch(
      /has 28 bytes of weights instead of 32/,
    );
    const text = JSON.stringify(json);
    for (const dtype of ['float16', 'string', 'bool']) {
      const error = failure(() => readLayersModel(text.replaceAll('"float32"}', `"${dtype}"}`), weights));
      expect([error.code, error.message]).toEqual([
        'missing-rule',
        expect.stringMatching(`the weight "layer0/kernel" of the data type "${dtype}"`),
      ]);
    }
  });

  it('two inputs, two outputs, and calls with arguments', async () => {
    const [a, b] = [tfl.input({ shape: [3] }), tfl.input({ shape: [3] })];
    const sum = on(layers.add(), [a, b]);
    const model = (inputs: tfl.SymbolicTensor[], outputs: tfl.SymbolicTensor[]) => tfl.model({ inputs, outputs });
    const two = /has 2 inputs and 1 outputs\.\nGive a network with one input and one output/;
    await expect(fromLayersModel(model([a, b], [sum]))).rejects.toThrow(two);
    const outputs = [on(layers.dense({ units: 2 }), a), on(layers.dense({ units: 2 }), a)];
    await expect(fromLayersModel(model([a], outputs))).rejects.toThrow(/has 1 inputs and 2 outputs/);
    const files = await saved(residual());
    const text = JSON.stringify(files.json).replace(/(\["flatten[^"]*",0,0,)\{\}/, '$1{"training":true}');
    expect(failure(() => readLayersModel(text, files.weights)).message).toMatch(/it is called with "training": true/);
  });

  it('broadcasting, concatenation of other shapes, a custom layer and a model that is not built', async () => {
    const added = functional([4, 4, 2], (x) => on(layers.add(), [x, on(layers.dense({ units: 1 }), x)]));
    await expect(fromLayersModel(added)).rejects.toThrow(/its inputs have the shapes \[4,4,2\] and \[4,4,1\]/);
    class Doubled extends tfl.layers.Layer {
      static className = 'Doubled';
      override call(inputs: Tensor | Tensor[]): Tensor {
        return tf.mul(Array.isArray(inputs) ? inputs[0]! : inputs, 2);
      }
    }
    const custom = chain([3], [new Doubled({ name: 'twice' }), layers.dense({ units: 2 })]);
    await expect(fromLayersModel(custom)).rejects.toThrow(/^The import does not support the layer "twice" \(Doubled\)/);
    await expect(fromLayersModel(tfl.sequential())).rejects.toThrow(/^The TensorFlow\.js model has no layers/);
  });

  it('a graph that reads itself or nothing', async () => {
    const files = await saved(residual());
    const text = JSON.stringify(files.json);
    const [flattened] = /flatten_[^"]*/.exec(text)!;
    const [added] = /add_[^"]*/.exec(text)!;
    const loop = text.replace(new RegExp(`\\["${added}",0,0,`), `["${flattened}",0,0,`);
    expect(failure(() => readLayersModel(loop, files.weights)).message).toMatch(/which depends on its own output/);
    const nothing = text.replace(new RegExp(`\\["${added}",0,0,`), '["nobody",0,0,');
    expect(failure(() => readLayersModel(nothing, files.weights)).message).toMatch(
      /call 0 of the layer "nobody", which does not exist/,
    );
  });
});

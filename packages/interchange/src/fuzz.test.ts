/**
 * The readers on damaged files: a CertError that names the problem, or a value that keeps its promises. `npm run fuzz` tries 10,000 files a
 * reader; FUZZ_SEED begins another sequence.
 */
import {
  batchNorm,
  checkModel,
  checkParams,
  conv2d,
  dense,
  flatten,
  type HostTensor,
  type Rng,
  relu,
  sequential,
  sizeOf,
} from '@cert/core';
import { encodeSafetensors } from '@cert/models';
import { describe, expect, it } from 'vitest';
import { mutateBytes } from '../../../fuzz/mutate-bytes.js';
import { mutateJson } from '../../../fuzz/mutate-json.js';
import { CASES, survives } from '../../../fuzz/survives.js';
import { buildOnnx, type TestGraph, type TestTensor } from '../test/build-onnx.js';
import { withRandomWeights } from '../test/random-weights.js';
import {
  fromStateDict,
  readInstances,
  readLayersModel,
  readOnnx,
  readStateDict,
  readVnnlib,
  toStateDict,
} from './index.js';

const tensor = (...shape: number[]): TestTensor => ({
  shape,
  data: Array.from({ length: sizeOf(shape) }, (_, i) => Math.fround(Math.sin(i + shape.length))),
});
const ints = (...data: number[]): TestTensor => ({ shape: [data.length], data, type: 'int64' });

const GRAPH: TestGraph = {
  input: ['batch', 2, 5, 5],
  constants: {
    mean: tensor(2, 1, 1),
    kernel: tensor(3, 2, 3, 3),
    scale: { ...tensor(3), listed: true },
    variance: { shape: [3], data: [1, 2, 3] },
    shape: ints(0, -1),
    weights: { ...tensor(4, 12), type: 'float64' },
    bias: tensor(4),
  },
  constantsAsInputs: true,
  nodes: [
    { op: 'Sub', inputs: ['x', 'mean'], name: 'a' },
    {
      op: 'Conv',
      inputs: ['a', 'kernel'],
      name: 'b',
      attributes: { strides: [1, 1], pads: [0, 1, 1, 0], dilations: [1, 1], group: 1 },
    },
    { op: 'BatchNormalization', inputs: ['b', 'scale', 'scale', 'scale', 'variance'], name: 'c' },
    { op: 'LeakyRelu', inputs: ['c'], name: 'd', attributes: { alpha: { float: 0.1 } } },
    { op: 'MaxPool', inputs: ['d'], name: 'e', attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
    { op: 'Concat', inputs: ['e', 'e'], name: 'f', attributes: { axis: 1 } },
    { op: 'AveragePool', inputs: ['f'], name: 'g', attributes: { kernel_shape: [1, 2], auto_pad: 'SAME_UPPER' } },
    { op: 'Add', inputs: ['f', 'g'], name: 'h' },
    { op: 'GlobalAveragePool', inputs: ['h'], name: 'i' },
    { op: 'Concat', inputs: ['i', 'i'], name: 'j', attributes: { axis: 1 } },
    { op: 'Reshape', inputs: ['j', 'shape'], name: 'k' },
    { op: 'Gemm', inputs: ['k', 'weights', 'bias'], name: 'l', attributes: { transB: 1, alpha: { float: 0.5 } } },
  ],
};
const CONV = buildOnnx(GRAPH);

/** A file whose graph is damaged and whose encoding is whole; undefined where the damage leaves nothing to encode. */
function damagedGraph(rng: Rng): Uint8Array | undefined {
  const text = mutateJson(GRAPH, rng);
  // The writer would allocate what these say.
  if (text.length > 30_000 || text.includes('"length"')) return undefined;
  try {
    return buildOnnx(JSON.parse(text));
  } catch {
    return undefined;
  }
}

const LAYERS_WEIGHTS = {
  'conv/kernel': [3, 2, 2, 4],
  'conv/bias': [4],
  'norm/gamma': [4],
  'norm/beta': [4],
  'norm/moving_mean': [4],
  'norm/moving_variance': [4],
  'inner/kernel': [4, 4],
  'inner/bias': [4],
  'out/kernel': [8, 3],
};

/** A layer of a TensorFlow.js model, with the layers that it reads. */
const layer = (className: string, name: string, inputs: readonly string[], config: object = {}) => ({
  class_name: className,
  name,
  config: { name, trainable: true, dtype: 'float32', ...config },
  inbound_nodes: inputs.length === 0 ? [] : [inputs.map((from) => [from, 0, 0, {}])],
});

const LAYERS = {
  format: 'layers-model',
  modelTopology: {
    class_name: 'Functional',
    config: {
      name: 'net',
      layers: [
        layer('InputLayer', 'x', [], { batch_input_shape: [null, 6, 5, 2] }),
        layer('Rescaling', 'scale', ['x'], { scale: [0.5, 0.25], offset: -0.1 }),
        layer('ZeroPadding2D', 'zeros', ['scale'], {
          padding: [
            [1, 0],
            [0, 2],
          ],
        }),
        layer('Conv2D', 'conv', ['zeros'], {
          ...{ filters: 4, kernel_size: [3, 2], strides: [2, 1], padding: 'same', data_format: 'channels_last' },
          ...{ dilation_rate: 1, groups: 1, activation: 'relu6', use_bias: true },
        }),
        layer('BatchNormalization', 'norm', ['conv'], { axis: [3], momentum: 0.9, epsilon: 0.1 }),
        layer('MaxPooling2D', 'max', ['norm'], { pool_size: 2, strides: null, padding: 'same' }),
        layer('AveragePooling2D', 'mean', ['max'], { pool_size: [1, 2], strides: 1, padding: 'same' }),
        layer('Add', 'sum', ['max', 'mean']),
        layer('Sequential', 'model', ['sum'], {
          layers: [
            layer('Dense', 'inner', [], { units: 4, activation: { class_name: 'function', config: 'tanh' } }),
            layer('LeakyReLU', 'leaky', [], { alpha: 0.2 }),
          ],
        }),
        layer('GlobalAveragePooling2D', 'pooled', ['model'], { keepdims: true }),
        layer('Permute', 'turned', ['pooled'], { dims: [3, 1, 2] }),
        layer('Concatenate', 'both', ['turned', 'turned'], { axis: 1 }),
        layer('Reshape', 'flat', ['both'], { target_shape: [-1] }),
        layer('Dense', 'out', ['flat'], { units: 3, activation: 'softmax', use_bias: false }),
      ],
      input_layers: [['x', 0, 0]],
      output_layers: [['out', 0, 0]],
    },
  },
  weightsManifest: [
    {
      paths: ['weights.bin'],
      weights: Object.entries(LAYERS_WEIGHTS).map(([name, shape]) => ({ name, shape, dtype: 'float32' })),
    },
  ],
};

const LAYERS_BYTES = new Uint8Array(
  Float32Array.from(
    Object.entries(LAYERS_WEIGHTS).flatMap(([name, shape]) =>
      Array.from(tensor(...shape).data, (value) => (name.endsWith('variance') ? 1 + value * value : value)),
    ),
  ).buffer,
);

const VNNLIB = `; a property
(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
(assert (<= X_0 0.5)) (assert (>= X_0 -2.5e-1))
(assert (or (and (<= X_1 1) (>= X_1 (- 1))) (and (<= X_1 3) (>= X_1 2) (<= Y_0 Y_1))))
(assert (>= (+ (* 2 Y_0) (- Y_1)) 0.125))
`;

const VNNLIB_2 = `(vnnlib-version <2.0>)
(declare-network N (declare-input X real [1,2]) (declare-output Y real [2]))
(assert (and (>= X[0,0] 0) (<= X[0,0] 1) (= X[0,1] 2)))
(assert (or (<= Y[0] Y[1]) (> Y[1] 4.5)))
`;

const CSV = 'onnx,vnnlib,timeout,note\na.onnx,"b, c.vnnlib",60,"x ""y"""\nd.onnx,e.vnnlib.gz,1.5,\n';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A text with damaged bytes. */
const damagedBytes = (text: string) => (rng: Rng) => decoder.decode(mutateBytes(encoder.encode(text), rng));

const WORDS = ['(', ')', 'X_0', 'Y_1', '1e308', '-0', '+', '*', '-', 'or', 'and', '<=', '1e999', '0', ';', '[0]', '"'];

/** A text whose words were moved, doubled, taken out or replaced. */
const damagedWords = (text: string) => (rng: Rng) => {
  const words = text.split(/([()\s,]+)/);
  for (let changes = 1 + rng.int(3); changes > 0; changes--) {
    const [at, from] = [rng.int(words.length), rng.int(words.length)];
    const word = rng.int(2) === 0 ? words[from]! : ` ${WORDS[rng.int(WORDS.length)]!} `;
    words.splice(at, rng.int(2), ...Array.from({ length: rng.int(3) }, () => word));
  }
  return words.join('');
};

/** A safetensors file whose header is damaged as JSON and whose data are whole. */
function damagedHeader(bytes: Uint8Array): (rng: Rng) => Uint8Array {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header: unknown = JSON.parse(decoder.decode(bytes.subarray(8, 8 + length)));
  return (rng) => {
    const json = encoder.encode(mutateJson(header, rng));
    const file = new Uint8Array(8 + json.length + bytes.length - 8 - length);
    new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
    file.set(json, 8);
    file.set(bytes.subarray(8 + length), 8 + json.length);
    return file;
  };
}

const checkNetwork = (bytes: Uint8Array): void => checkImported(readOnnx(bytes));

const checkLayers = (json: unknown, bytes: Uint8Array): void => checkImported(readLayersModel(json, bytes));

function checkImported({
  model,
  params,
  stats,
  inputShape,
  inputOrder,
}: Pick<ReturnType<typeof readOnnx>, 'model' | 'params' | 'stats' | 'inputShape' | 'inputOrder'>): void {
  checkModel(model);
  checkParams(model, params);
  checkParams(model, stats, 'stats');
  expect(sizeOf(inputShape)).toBe(sizeOf(model.inputShape));
  expect([...inputOrder].sort((a, b) => a - b)).toEqual(Array.from({ length: sizeOf(inputShape) }, (_, i) => i));
  for (const tensors of [...Object.values(params), ...Object.values(stats)]) {
    for (const { data } of Object.values(tensors)) expect(data.every(Number.isFinite)).toBe(true);
  }
}

function checkProperty(text: string): void {
  const { inputs, outputs, cases } = readVnnlib(text);
  for (const { lower, upper, outputs: inequalities } of cases) {
    expect([lower.length, upper.length]).toEqual([inputs, inputs]);
    expect(lower.every((l, i) => Number.isFinite(l) && Number.isFinite(upper[i]) && l <= upper[i]!)).toBe(true);
    for (const { coefficients, bound } of inequalities) {
      expect(coefficients.length).toBe(outputs);
      expect([...coefficients, bound].every(Number.isFinite)).toBe(true);
    }
  }
}

function checkInstances(csv: string): void {
  for (const { onnx, vnnlib, timeout } of readInstances(csv)) {
    expect([onnx, vnnlib].every((path) => path.length > 0)).toBe(true);
    expect(timeout).toBeGreaterThan(0);
  }
}

describe(`readers survive ${CASES} damaged files`, { timeout: 60_000 + 100 * CASES }, () => {
  it('ONNX', () => survives('onnx', (rng) => mutateBytes(CONV, rng), checkNetwork));
  it('ONNX, its graph', () => survives('onnx graph', damagedGraph, (bytes) => bytes && checkNetwork(bytes)));
  it('TensorFlow.js, model.json', () => {
    checkLayers(LAYERS, LAYERS_BYTES);
    return survives(
      'layers json',
      (rng) => mutateJson(LAYERS, rng),
      (text) => checkLayers(text, LAYERS_BYTES),
    );
  });
  it('TensorFlow.js, weights', () =>
    survives(
      'layers weights',
      (rng) => mutateBytes(LAYERS_BYTES, rng),
      (bytes) => checkLayers(LAYERS, bytes),
    ));
  it.each([
    ['VNN-LIB 1.0', VNNLIB],
    ['VNN-LIB 2.0', VNNLIB_2],
  ])('%s', async (name, text) => {
    await survives(`${name} bytes`, damagedBytes(text), checkProperty);
    await survives(`${name} words`, damagedWords(text), checkProperty);
  });
  it('instances', async () => {
    await survives('instances bytes', damagedBytes(CSV), checkInstances);
    await survives('instances words', damagedWords(CSV), checkInstances);
  });

  const model = sequential([4, 4, 1], [conv2d(2), batchNorm(), relu(), flatten(), dense(3)]);
  const names = { 0: 'conv2d1', 1: 'batchNorm1', 4: 'dense1' };
  const state = encodeSafetensors({ tensors: toStateDict(withRandomWeights(model), { names }), metadata: {} });
  it.each<[string, (rng: Rng) => Uint8Array]>([
    ['bytes', (rng) => mutateBytes(state, rng)],
    ['header', damagedHeader(state)],
  ])('PyTorch state, %s', (part, damage) =>
    survives(`torch ${part}`, damage, (bytes) => {
      const given = readStateDict(bytes);
      const { params, stats } = fromStateDict(model, given);
      checkParams(model, params);
      checkParams(model, stats, 'stats');
      const sorted = ({ data }: HostTensor) => [...data].sort();
      expect(sorted(params.dense1!.kernel!)).toEqual(sorted(given['4.weight']!));
    }),
  );
});

/** Exported networks run in ONNX Runtime and read back, with the outputs of the natural pass. */
import { naturalPass, runningNorm } from '@cert/bounds';
import {
  add,
  affine,
  avgPool,
  batchNorm,
  concat,
  conv2d,
  createRng,
  dense,
  flatten,
  type GraphBuilder,
  globalAvgPool,
  graph,
  INPUT,
  leakyRelu,
  type Model,
  maxPool,
  type Op,
  relu,
  reshape,
  sequential,
  sigmoid,
  sizeOf,
  softmax,
  tanh,
  tf,
  toTensors,
  transpose,
} from '@cert/core';
import { cnn6, cnn7, dmLarge, mlp, resnext, smallConv, wideResnet8 } from '@cert/models';
import onnxProto from 'onnx-proto';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { matchesRuntime } from '../../test/compare.js';
import { withRandomWeights } from '../../test/random-weights.js';
import { exportedInputOrder, type ImportedNetwork, readOnnx, type ToOnnxOptions, toOnnx } from '../index.js';

type Network = Pick<ImportedNetwork, 'model' | 'params' | 'stats'>;

const color = { inputShape: [16, 16, 3], classes: 10, normalize: { mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.3] } };

/** Every architecture, small. */
const ARCHITECTURES: { readonly [name: string]: Model } = {
  'mlp of features': mlp({ inputShape: [7], classes: 3, hidden: [5, 4] }),
  'mlp of images': mlp({ inputShape: [4, 5, 3], classes: 3, hidden: [6], batchNorm: true }),
  'normalized mlp of images': mlp({ ...color, inputShape: [4, 5, 3], hidden: [6] }),
  smallConv: smallConv({ inputShape: [10, 12, 1], classes: 4 }),
  cnn6: cnn6({ ...color, width: 4, dense: 16 }),
  cnn7: cnn7({ ...color, width: 4, dense: 16 }),
  dmLarge: dmLarge({ ...color, inputShape: [12, 12, 3] }),
  wideResnet8: wideResnet8({ ...color, stem: 4, widths: [8, 8, 8], dense: 16 }),
  resnext: resnext({ ...color, stem: 8, bottleneck: 4, dense: 16 }),
};

const build = (shape: readonly number[], make: (g: GraphBuilder) => void): Model => {
  const g = graph(shape);
  make(g);
  return g.build();
};

/** Ops of core, in places where the order of an image and that of its vector differ. */
const OPS: { readonly [name: string]: Model } = {
  windows: sequential(
    [7, 6, 4],
    [
      conv2d(6, { kernel: [2, 3], stride: [1, 2], padding: [0, 1, 2, 0], groups: 2, dilation: [2, 1] }),
      leakyRelu(0.2),
      avgPool([2, 1], { stride: 1, padding: [1, 0, 0, 0] }),
      avgPool(2, { padding: 1, countPadding: true }),
      maxPool(2, { stride: [2, 1], padding: [1, 0, 0, 1] }),
      flatten(),
      dense(3),
    ],
  ),
  'batchNorm and affine of a flattened image': sequential(
    [3, 2, 2],
    [
      conv2d(3),
      flatten(),
      batchNorm(),
      affine(
        Array.from({ length: 18 }, (_, i) => 1 + i / 10),
        Array.from({ length: 18 }, (_, i) => i / 7),
      ),
      tanh(),
      dense(3),
    ],
  ),
  'affine per pixel': sequential(
    [2, 3, 2],
    [
      affine(
        Array.from({ length: 12 }, (_, i) => 1 + i / 10),
        Array.from({ length: 12 }, (_, i) => i / 7),
      ),
      conv2d(2),
      globalAvgPool(),
    ],
  ),
  'an image as the output': sequential([2, 2, 2], [conv2d(3), flatten()]),
  'batchNorm alone': sequential([2, 3, 2], [batchNorm(), relu(), flatten(), dense(2)]),
  'batchNorm that is read twice': build([4, 4, 2], (g) => {
    const conv = g.add(conv2d(2), [INPUT]);
    const norm = g.add(batchNorm(), [conv]);
    g.add(add(), [norm, conv]);
    g.add(flatten());
    g.add(dense(3));
  }),
  'batchNorm of three axes that are no image': sequential([12], [reshape([2, 3, 2]), batchNorm(), flatten(), dense(2)]),
  moved: build([3, 2, 2], (g) => {
    const branch = g.add(relu(), [g.add(conv2d(1), [INPUT])]);
    g.add(concat(2, 3), [branch, INPUT, branch]);
    g.add(transpose([2, 0, 1]));
    g.add(reshape([4, 6]));
    g.add(transpose([1, 0]));
    g.add(reshape([3, 4, 2]));
    g.add(conv2d(2));
    g.add(flatten());
    g.add(dense(3));
  }),
  'concat of vectors': build([3, 2, 2], (g) => {
    const image = g.add(flatten(), [g.add(conv2d(2), [INPUT])]);
    const pooled = g.add(globalAvgPool(), [INPUT]);
    g.add(concat(0, 3), [image, pooled, g.add(sigmoid(), [image])]);
    g.add(dense(4));
  }),
  'sum of vectors': build([2, 3, 2], (g) => {
    const flat = g.add(flatten(), [g.add(conv2d(2), [INPUT])]);
    g.add(add(), [flat, g.add(dense(12), [flat])]);
    g.add(dense(3));
  }),
  'concat of rows': build([6], (g) => {
    const image = g.add(reshape([1, 3, 2]), [INPUT]);
    g.add(concat(1), [image, image]);
    g.add(flatten());
    g.add(dense(2));
  }),
};

/** The outputs of a network for an input in the order of the model. */
async function naturalOutputs({ model, params, stats }: Network, input: Float32Array): Promise<Float32Array> {
  const tensors = toTensors({ params, stats });
  const images = tf.tensor(input, [1, ...model.inputShape]);
  const { output } = naturalPass({ model, params: tensors.params, norm: runningNorm(tensors.stats) }, images);
  return Float32Array.from(await output.data());
}

/** Compares ONNX Runtime on an exported network with the natural pass, to 1e-5 relative to the largest output. */
async function runsAlike(network: Network, options: ToOnnxOptions, input: (i: number) => number): Promise<Uint8Array> {
  const bytes = toOnnx(network, options);
  const { inputShape, classes } = network.model;
  const own = Float32Array.from({ length: sizeOf(inputShape) }, (_, i) => input(i));
  const order = exportedInputOrder(network.model, options.layout ?? 'nchw');
  const [height, width, channels] = inputShape;
  const shape = inputShape.length === 3 && options.layout !== 'nhwc' ? [channels!, height!, width!] : inputShape;
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
  expect([session.inputNames, session.outputNames]).toEqual([['input'], ['output']]);
  const batch = options.batch === 1 ? 1 : 2;
  const inFile = Float32Array.from(order, (position) => own[position]!);
  const feed = Float32Array.from({ length: batch * inFile.length }, (_, i) => inFile[i % inFile.length]!);
  const result = await session.run({ input: new Tensor('float32', feed, [batch, ...shape]) });
  await session.release();
  const [got, wanted] = [result.output!.data as Float32Array, await naturalOutputs(network, own)];
  expect(result.output!.dims).toEqual([batch, classes]);
  const scale = Math.max(...wanted.map(Math.abs));
  expect(scale).toBeGreaterThan(0);
  got.forEach((value, j) => {
    const far = Math.abs(value - wanted[j % classes]!);
    expect(far, `output ${j}: ${value} for ${wanted[j % classes]}`).toBeLessThanOrEqual(1e-5 * scale);
  });
  return bytes;
}

const VARIANTS: readonly ToOnnxOptions[] = [
  {},
  { foldBatchNorm: true, batch: 1 },
  { layout: 'nhwc' },
  { layout: 'nhwc', foldBatchNorm: true, batch: 1 },
];

const opsIn = (bytes: Uint8Array) =>
  onnxProto.onnx.ModelProto.decode(bytes).graph!.node!.map(({ opType }) => opType ?? '');

describe.each(Object.entries({ ...ARCHITECTURES, ...OPS }))('%s', (name, model) => {
  const network = withRandomWeights(model);
  it.each(VARIANTS)('runs in ONNX Runtime and reads back: %j', async (options) => {
    const rng = createRng(0, name);
    const bytes = await runsAlike(network, options, () => rng.uniform());
    if (options.foldBatchNorm) expect(opsIn(bytes)).not.toContain('BatchNormalization');
    const read = await matchesRuntime(bytes, name, { inputs: 1 });
    expect(read.notes).toEqual([]);
    // Where the reader sees an image, its model has the input of ours.
    expect(read.inputOrder.length).toBe(sizeOf(model.inputShape));
    if (model.nodes.some(({ op }) => op === 'conv2d') && model.inputShape.length === 3) {
      expect(read.model.inputShape).toEqual(model.inputShape);
      expect(read.inputOrder).toEqual(exportedInputOrder(model, options.layout ?? 'nchw'));
    }
  });
});

it('covers every op', () => {
  const known = new Set(
    [...Object.values(ARCHITECTURES), ...Object.values(OPS)].flatMap(({ nodes }) => nodes.map(({ op }) => op)),
  );
  const all =
    'conv2d dense batchNorm relu add flatten globalAvgPool avgPool maxPool leakyRelu sigmoid tanh reshape transpose concat affine';
  expect(all.split(' ').filter((op) => !known.has(op as Op))).toEqual([]);
});

it('writes softmax at the end', async () => {
  const network = withRandomWeights(sequential([2, 2, 1], [conv2d(2), flatten(), dense(3), softmax()]));
  const bytes = await runsAlike(network, {}, (i) => i / 4);
  expect((await matchesRuntime(bytes, 'softmax')).model.nodes.at(-1)!.op).toBe('softmax');
});

it('reads back as the same model, of the same weights', () => {
  const network = withRandomWeights(cnn7({ inputShape: [16, 16, 1], classes: 10, width: 2, dense: 8 }));
  const read = readOnnx(toOnnx(network));
  expect(read.model.nodes.map(({ op, shape }) => [op, shape])).toEqual(
    network.model.nodes.map(({ op, shape }) => [op, shape]),
  );
  expect(Object.values(read.params)).toEqual(Object.values(network.params));
  expect(Object.values(read.stats)).toEqual(Object.values(network.stats));
  expect([read.inputShape, read.producer, read.opset]).toEqual([[1, 1, 16, 16], 'cert', 17]);
});

it('needs no nodes but those of the model', () => {
  const { model } = withRandomWeights(ARCHITECTURES.cnn7!);
  const network = withRandomWeights(model);
  const count = (op: string) => (all: readonly string[]) => all.filter((one) => one === op).length;
  const [kept, folded] = [opsIn(toOnnx(network)), opsIn(toOnnx(network, { foldBatchNorm: true }))];
  // Normalization is a product and a sum.
  expect(kept.length).toBe(model.nodes.length + 1);
  expect(folded.length).toBe(kept.length - count('BatchNormalization')(kept));
  expect([...new Set(folded)].sort()).toEqual(['Add', 'Conv', 'Flatten', 'Gemm', 'Mul', 'Relu']);
  expect(count('Transpose')(opsIn(toOnnx(network, { layout: 'nhwc' })))).toBe(1);
});

it('names nodes, constants and facts', () => {
  const network = withRandomWeights(sequential([2, 2, 1], [conv2d(2), batchNorm(), relu(), flatten(), dense(3)]));
  const { graph, ...file } = onnxProto.onnx.ModelProto.decode(
    toOnnx(network, { metadata: { epsilon: '8/255', seed: '1' }, producer: { name: 'cert', version: '0.1.0' } }),
  );
  expect(graph!.node!.map(({ name }) => name)).toEqual(['conv2d1', 'batchNorm1', 'relu1', 'flatten1', 'dense1']);
  expect(graph!.initializer!.map(({ name }) => name)).toEqual([
    ...['conv2d1.weight', 'conv2d1.bias'],
    ...['batchNorm1.weight', 'batchNorm1.bias', 'batchNorm1.running_mean', 'batchNorm1.running_var'],
    ...['dense1.weight', 'dense1.bias'],
  ]);
  expect(file.metadataProps!.map(({ key, value }) => [key, value])).toEqual([
    ['epsilon', '8/255'],
    ['seed', '1'],
  ]);
  expect([file.producerName, file.producerVersion, file.opsetImport!.length]).toEqual(['cert', '0.1.0', 1]);
});

it('keeps names apart', async () => {
  const model = build([2], (g) => {
    g.add(dense(2), [INPUT], 'output');
    g.add(relu(), ['output'], 'dense.weight');
    g.add(dense(2), ['dense.weight'], 'dense');
  });
  await runsAlike(withRandomWeights(model), {}, (i) => i + 1);
});

describe('a mistake', () => {
  const network = withRandomWeights(sequential([2], [dense(2), batchNorm()]));
  const broken = (part: 'params' | 'stats', node: string, name: string, value: number): Network => {
    const tensor = network[part][node]![name]!;
    const data = tensor.data.map((x, i) => (i === 1 ? value : x)) as Float32Array;
    return {
      ...network,
      [part]: { ...network[part], [node]: { ...network[part][node], [name]: { ...tensor, data } } },
    };
  };
  const plugin = {
    ...network,
    model: {
      ...network.model,
      nodes: [
        ...network.model.nodes,
        { ...network.model.nodes[1]!, name: 'act', op: 'gelu' as Op, inputs: ['batchNorm1'], params: {}, stats: {} },
      ],
    } as unknown as Model,
  };

  it.each<[string, () => unknown, string, string]>([
    [
      'an op of a plug-in',
      () => toOnnx(plugin),
      'missing-rule',
      'The op "gelu" (node "act") has no equivalent in ONNX.\nBuild the model from the ops conv2d',
    ],
    [
      'a weight that is NaN',
      () => toOnnx(broken('params', 'dense1', 'kernel', Number.NaN)),
      'not-finite',
      '"dense1.kernel" has NaN at 1.',
    ],
    [
      'an infinite mean',
      () => toOnnx(broken('stats', 'batchNorm1', 'mean', Number.POSITIVE_INFINITY)),
      'not-finite',
      '"batchNorm1.mean" has Infinity at 1.',
    ],
    [
      'a negative variance',
      () => toOnnx(broken('stats', 'batchNorm1', 'variance', -1)),
      'not-finite',
      'The variance of "batchNorm1" is -1 at 1',
    ],
    [
      'an overflow by folding',
      () =>
        toOnnx(
          {
            ...broken('params', 'batchNorm1', 'gamma', 3e38),
            stats: broken('stats', 'batchNorm1', 'variance', 0).stats,
          },
          { foldBatchNorm: true },
        ),
      'not-finite',
      'once BatchNorm is folded into it',
    ],
    [
      'weights of another model',
      () => toOnnx({ ...network, params: {} }),
      'shape-mismatch',
      'no tensor at "dense1.kernel"',
    ],
    ['no statistics', () => toOnnx({ ...network, stats: {} }), 'shape-mismatch', 'no tensor at "batchNorm1.mean"'],
    [
      'a model that is damaged',
      () => toOnnx({ ...network, model: { ...network.model, classes: 7 } }),
      'bad-model',
      '7 classes',
    ],
    [
      'an unknown layout',
      () => toOnnx(network, { layout: 'chw' as 'nchw' }),
      'bad-argument',
      'The layout is "chw".\nGive nchw or nhwc.',
    ],
    ['an unknown batch', () => toOnnx(network, { batch: 8 as 1 }), 'bad-argument', "The batch is 8.\nGive 1 or 'any'."],
  ])('is named: %s', (_, f, code, message) => {
    expect(f).toThrow(expect.objectContaining({ name: 'CertError', code }));
    expect(f).toThrow(message);
  });
});

import { readFileSync } from 'node:fs';
import { CertError, checkModel, countParams, type Model, type Op, paramSpecs, tf } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { cnn6, cnn7, dmLarge, mlp, resnext, smallConv, wideResnet8 } from './index.js';

interface ReferenceModel {
  readonly model: string;
  readonly data: string;
  readonly in_ch: number;
  readonly in_dim: number;
  readonly num_params: number;
  readonly weights: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

const fixture = new URL('../../../golden/fixtures/init.json', import.meta.url);
const reference = (JSON.parse(readFileSync(fixture, 'utf8')) as { models: readonly ReferenceModel[] }).models;

const builders: Readonly<Record<string, typeof cnn7 | typeof wideResnet8 | typeof resnext>> = {
  cnn_7layer_bn2: cnn7,
  wide_resnet_8: wideResnet8,
  ResNeXt_2_32: resnext,
};

/** The shapes of kernels and BatchNorm scales, in graph order and in PyTorch's layout, as the reference lists them. */
const weightShapes = (model: Model) =>
  paramSpecs(model)
    .filter(({ name }) => name === 'kernel' || name === 'gamma')
    .map(({ shape }) => {
      if (shape.length === 4) return [shape[3], shape[2], shape[0], shape[1]];
      return shape.length === 2 ? [shape[1], shape[0]] : [...shape];
    });

const node = (model: Model, name: string) => {
  const found = model.nodes.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no node ${name}`);
  return found;
};

const errorOf = (f: () => unknown): CertError => {
  try {
    f();
  } catch (error) {
    if (error instanceof CertError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('architectures against the reference implementation', () => {
  it.each(reference.map((r) => [r.model, r.data, r] as const))('%s for %s has the same weights', (name, _, r) => {
    const model = builders[name]!({ inputShape: [r.in_dim, r.in_dim, r.in_ch], classes: 10 });
    checkModel(model);
    expect(weightShapes(model)).toEqual(r.weights.map((w) => w.shape));
    expect(countParams(model)).toBe(r.num_params);
    // Every weight is initialized by name: the residual ones are called as in the reference, with _ for the dot.
    for (const { name: weight } of r.weights) {
      if (!/^layer\d\.0\.(conv|bn)\d\./.test(weight)) continue;
      node(model, weight.split('.').slice(0, -1).join('_'));
    }
  });
});

describe('numbers of parameters', () => {
  const mnist = { inputShape: [28, 28, 1], classes: 10 };
  const cifar = { inputShape: [32, 32, 3], classes: 10 };
  const tiny = { inputShape: [64, 64, 3], classes: 200 };
  const tinyResnet = { ...tiny, widths: [160, 320, 640] };
  const tinyResnext = { ...tiny, stem: 16, bottleneck: 8, blocks: 2 };

  // Counted in PyTorch on the same nets, made there layer by layer.
  it.each([
    ['cnn7 for MNIST, none', cnn7({ ...mnist, batchNorm: 'none' }), 13_257_290],
    ['cnn7 for MNIST, conv', cnn7({ ...mnist, batchNorm: 'conv' }), 13_258_314],
    ['cnn7 for MNIST', cnn7(mnist), 13_259_338],
    ['cnn7 for CIFAR-10, none', cnn7({ ...cifar, batchNorm: 'none' }), 17_190_602],
    ['cnn7 for CIFAR-10, conv', cnn7({ ...cifar, batchNorm: 'conv' }), 17_191_626],
    ['cnn7 for CIFAR-10', cnn7(cifar), 17_192_650],
    ['cnn7 for TinyImageNet, none', cnn7({ ...tiny, lastStride: 2, batchNorm: 'none' }), 17_288_072],
    ['cnn7 for TinyImageNet, conv', cnn7({ ...tiny, lastStride: 2, batchNorm: 'conv' }), 17_289_096],
    ['cnn7 for TinyImageNet', cnn7({ ...tiny, lastStride: 2 }), 17_290_120],
    ['cnn6 for MNIST, none', cnn6({ ...mnist, batchNorm: 'none' }), 3_279_082],
    ['cnn6 for MNIST', cnn6(mnist), 3_279_978],
    ['cnn6 for CIFAR-10, none', cnn6({ ...cifar, batchNorm: 'none' }), 4_262_698],
    ['cnn6 for CIFAR-10', cnn6(cifar), 4_263_594],
    ['DM-large for MNIST', dmLarge(mnist), 13_257_290],
    ['DM-large for CIFAR-10', dmLarge(cifar), 17_190_602],
    ['Wide-ResNet-8 for CIFAR-10, none', wideResnet8({ ...cifar, batchNorm: 'none' }), 21_541_450],
    ['Wide-ResNet-8 for CIFAR-10', wideResnet8(cifar), 21_547_882],
    ['Wide-ResNet-8 for TinyImageNet, none', wideResnet8({ ...tinyResnet, batchNorm: 'none' }), 91_417_000],
    ['Wide-ResNet-8 for TinyImageNet, conv', wideResnet8({ ...tinyResnet, batchNorm: 'conv' }), 91_423_752],
    ['Wide-ResNet-8 for TinyImageNet', wideResnet8(tinyResnet), 91_424_776],
    ['ResNeXt for CIFAR-10, none', resnext({ ...cifar, batchNorm: 'none' }), 17_604_490],
    ['ResNeXt for CIFAR-10', resnext(cifar), 17_611_018],
    ['ResNeXt for TinyImageNet, none', resnext({ ...tinyResnext, batchNorm: 'none' }), 16_978_664],
    ['ResNeXt for TinyImageNet, conv', resnext({ ...tinyResnext, batchNorm: 'conv' }), 16_980_936],
    ['ResNeXt for TinyImageNet', resnext(tinyResnext), 16_981_960],
  ])('%s', (_, model, count) => {
    expect(countParams(checkModel(model))).toBe(count);
  });

  it('cnn7 for TinyImageNet, by hand', () => {
    const conv = (inputs: number, filters: number) => 9 * inputs * filters + filters + 2 * filters;
    const convolutions = conv(3, 64) + conv(64, 64) + conv(64, 128) + 2 * conv(128, 128);
    const flat = 16 * 16 * 128;
    expect(countParams(cnn7({ ...tiny, lastStride: 2 }))).toBe(convolutions + flat * 512 + 3 * 512 + 512 * 200 + 200);
  });
});

describe('residual blocks', () => {
  it('wide ResNet: the shortcut and the first convolution read the ReLU of the block before', () => {
    const model = wideResnet8({ inputShape: [8, 8, 1], classes: 3, stem: 2, widths: [2, 4], dense: 5 });
    expect(node(model, 'layer1_0_add').inputs).toEqual(['layer1_0_bn2', 'relu1']); // same shape: the identity
    expect(node(model, 'layer2_0_conv1').inputs).toEqual(['layer1_0_relu2']);
    expect(node(model, 'layer2_0_shortcut_conv').inputs).toEqual(['layer1_0_relu2']);
    expect(node(model, 'layer2_0_shortcut_conv').attrs).toEqual({ stride: 2, padding: 0, groups: 1 });
    expect(node(model, 'layer2_0_add').inputs).toEqual(['layer2_0_bn2', 'layer2_0_shortcut_bn']);
    expect(node(model, 'layer2_0_relu2').shape).toEqual([4, 4, 4]);
    expect(node(model, 'flatten').inputs).toEqual(['layer2_0_relu2']);
  });

  it('ResNeXt: the grouped convolution carries the stride', () => {
    const model = resnext({
      inputShape: [8, 8, 3],
      classes: 3,
      cardinality: 2,
      bottleneck: 2,
      stem: 4,
      stages: 2,
      dense: 5,
    });
    expect(node(model, 'layer2_0_conv2').attrs).toEqual({ stride: 2, padding: 1, groups: 2 });
    expect(node(model, 'layer2_0_conv1').attrs).toEqual({ stride: 1, padding: 0, groups: 1 });
    expect(node(model, 'layer2_0_shortcut_conv').attrs).toEqual({ stride: 2, padding: 0, groups: 1 });
    expect(node(model, 'layer2_0_add').inputs).toEqual(['layer2_0_bn3', 'layer2_0_shortcut_bn']);
  });
});

describe('TinyImageNet forms of the residual nets', () => {
  const tiny = { inputShape: [64, 64, 3], classes: 200 };

  it('wide ResNet halves the image twice', () => {
    const model = wideResnet8({ ...tiny, widths: [160, 320, 640] });
    const shapes = [1, 2, 3].map((i) => node(model, `layer${i}_0_add`).shape);
    expect(shapes).toEqual([
      [64, 64, 160],
      [32, 32, 320],
      [16, 16, 640],
    ]);
    expect(node(model, 'flatten').shape).toEqual([16 * 16 * 640]);
  });

  it('ResNeXt has two blocks a stage, the second one with the identity as its shortcut', () => {
    const model = resnext({ ...tiny, stem: 16, bottleneck: 8, blocks: 2 });
    expect(node(model, 'layer1_0_add').inputs).toEqual(['layer1_0_bn3', 'layer1_0_shortcut_bn']);
    for (const stage of [1, 2, 3]) {
      expect(node(model, `layer${stage}_1_conv2`).attrs).toEqual({ stride: 1, padding: 1, groups: 2 });
      expect(node(model, `layer${stage}_1_add`).inputs).toEqual([`layer${stage}_1_bn3`, `layer${stage}_0_relu3`]);
      expect(node(model, `layer${stage}_1_add`).shape).toEqual([128 / 2 ** stage, 128 / 2 ** stage, 16 * 2 ** stage]);
    }
    expect(node(model, 'flatten').shape).toEqual([32_768]);
  });

  it('without BatchNorm, convolutions feed ReLUs and sums', () => {
    const model = resnext({ inputShape: [8, 8, 1], classes: 2, stem: 2, bottleneck: 1, batchNorm: 'none', dense: 3 });
    expect(model.nodes.some(({ op }) => op === 'batchNorm')).toBe(false);
    expect(node(model, 'layer2_0_add').inputs).toEqual(['layer2_0_conv3', 'layer2_0_shortcut_conv']);
    const conv = wideResnet8({ inputShape: [8, 8, 1], classes: 2, stem: 2, widths: [2, 3], batchNorm: 'conv' });
    expect(conv.nodes.filter(({ op }) => op === 'batchNorm')).toHaveLength(6);
    expect(node(conv, 'dense1_relu').inputs).toEqual(['dense1']);
  });
});

describe('cnn7', () => {
  const ops = (model: Model, op: Op) => model.nodes.filter((n) => n.op === op).length;

  it.each([
    ['none', 0],
    ['conv', 5],
    ['full', 6],
  ] as const)('batchNorm %s gives %d of them', (batchNorm, count) => {
    const model = cnn7({ inputShape: [8, 8, 1], classes: 4, width: 2, dense: 3, batchNorm });
    expect(ops(model, 'batchNorm')).toBe(count);
    expect([ops(model, 'relu'), ops(model, 'conv2d'), ops(model, 'dense')]).toEqual([6, 5, 2]);
    expect(model.nodes.at(-1)).toMatchObject({ name: 'dense2', op: 'dense', shape: [4] });
  });

  it('has widths w, w, 2w, 2w, 2w and halves the image once', () => {
    const model = cnn7({ inputShape: [8, 8, 1], classes: 4, width: 3, dense: 7 });
    const shapes = [1, 2, 3, 4, 5].map((i) => node(model, `conv${i}`).shape);
    expect(shapes).toEqual([
      [8, 8, 3],
      [8, 8, 3],
      [4, 4, 6],
      [4, 4, 6],
      [4, 4, 6],
    ]);
  });
});

it('DM-large is cnn7 without BatchNorm', () => {
  const options = { inputShape: [8, 8, 1], classes: 3, width: 2, dense: 4 };
  expect(dmLarge(options)).toEqual(cnn7({ ...options, batchNorm: 'none' }));
});

it('smallConv: two strided convolutions, a hidden layer, BatchNorm after every layer but the last', () => {
  const model = smallConv({ inputShape: [28, 28, 1], classes: 10 });
  expect(model.nodes.map((n) => n.name)).toEqual([
    'conv1',
    'bn1',
    'relu1',
    'conv2',
    'bn2',
    'relu2',
    'flatten',
    'dense1',
    'dense1_bn',
    'dense1_relu',
    'dense2',
  ]);
  expect(node(model, 'conv2').shape).toEqual([7, 7, 32]);
  // By hand: 160 + 32, 4640 + 64, 1568 * 100 + 100 + 200, 1010.
  expect(countParams(model)).toBe(160 + 32 + 4640 + 64 + 156_900 + 200 + 1010);
});

describe('mlp', () => {
  it('flattens images and stacks dense layers', () => {
    const model = mlp({ inputShape: [2, 3, 1], classes: 3, hidden: [5, 4], batchNorm: true });
    expect(model.nodes.map((n) => n.name)).toEqual([
      'flatten',
      'dense1',
      'dense1_bn',
      'dense1_relu',
      'dense2',
      'dense2_bn',
      'dense2_relu',
      'dense3',
    ]);
    expect(countParams(model)).toBe(6 * 5 + 5 + 10 + 5 * 4 + 4 + 8 + 4 * 3 + 3);
  });

  it('is linear without hidden layers', () => {
    expect(mlp({ inputShape: [4], classes: 2, hidden: [] }).nodes.map((n) => n.name)).toEqual(['dense1']);
  });
});

describe('shared options', () => {
  it.each([
    ['mlp', mlp({ inputShape: [4, 4, 2], classes: 2, hidden: [3], normalize: { mean: [0.5, 0.25], std: [0.2, 0.5] } })],
    [
      'cnn7',
      cnn7({
        inputShape: [4, 4, 2],
        classes: 2,
        width: 1,
        dense: 1,
        normalize: { mean: [0.5, 0.25], std: [0.2, 0.5] },
      }),
    ],
    ['resnext', resnext({ inputShape: [4, 4, 2], classes: 2, normalize: { mean: [0.5, 0.25], std: [0.2, 0.5] } })],
  ])('%s puts the normalization first', (_, model) => {
    expect(model.nodes[0]).toMatchObject({ name: 'normalize', op: 'affine', inputs: ['input'] });
    expect(model.nodes[0]!.attrs).toEqual({ scale: [5, 2], shift: [-2.5, -0.5] });
    expect(model.nodes[1]!.inputs).toEqual(['normalize']);
  });

  it('makes no tensors', () => {
    const before = tf.memory().numTensors;
    wideResnet8({ inputShape: [32, 32, 3], classes: 10, normalize: { mean: [0, 0, 0], std: [1, 1, 1] } });
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([
    [() => mlp({ inputShape: [4], classes: 0, hidden: [3] }), 'classes is 0.'],
    [() => mlp({ inputShape: [4], classes: 2, hidden: [3, 0] }), 'hidden[1] is 0.'],
    [() => cnn7({ inputShape: [4, 4, 1], classes: 2, width: 1.5 }), 'width is 1.5.'],
    [() => cnn7({ inputShape: [4, 4, 1], classes: 2, dense: Number.NaN }), 'dense is NaN.'],
    [() => cnn7({ inputShape: [4, 4, 1], classes: 2, lastStride: 0 }), 'lastStride is 0.'],
    [() => cnn6({ inputShape: [4, 4, 1], classes: 2, width: 0 }), 'width is 0.'],
    [() => resnext({ inputShape: [4, 4, 1], classes: 2, blocks: 0 }), 'blocks is 0.'],
    [() => smallConv({ inputShape: [4, 4, 1], classes: 2, filters: [4, -1] }), 'filters[1] is -1.'],
    [() => wideResnet8({ inputShape: [4, 4, 1], classes: 2, widths: [0] }), 'widths[0] is 0.'],
    [() => resnext({ inputShape: [4, 4, 1], classes: 2, stages: 0 }), 'stages is 0.'],
    [
      () => mlp({ inputShape: [4], classes: 2, hidden: [], normalize: { mean: [0], std: [0] } }),
      'normalize has mean [0] and std [0].',
    ],
  ])('refuses bad sizes (%#)', (f, problem) => {
    expect(errorOf(f)).toMatchObject({ code: 'bad-argument', problem });
  });

  it('names the node that an input shape does not fit', () => {
    expect(errorOf(() => cnn7({ inputShape: [16], classes: 2 }))).toMatchObject({
      code: 'bad-model',
      problem: expect.stringContaining('Node "conv1" (conv2d)'),
    });
    expect(
      errorOf(() => cnn7({ inputShape: [8, 8, 3], classes: 2, normalize: { mean: [0], std: [1] } })).problem,
    ).toContain('Node "normalize"');
  });
});

/** Weights of PyTorch. The fixture is a `cnn_7layer_bn` of PyTorch 2.13 with its outputs: torch.manual_seed(0), running statistics of 60 batches. */
import { readFileSync } from 'node:fs';
import { naturalPass, runningNorm } from '@cert/bounds';
import {
  add,
  batchNorm,
  concat,
  conv2d,
  dense,
  flatten,
  type GraphBuilder,
  globalAvgPool,
  graph,
  type HostTensor,
  INPUT,
  type Layer,
  type Model,
  type Op,
  relu,
  reshape,
  sequential,
  sizeOf,
  tf,
  toTensors,
  transpose,
} from '@cert/core';
import { cnn7, encodeCheckpoint, encodeSafetensors, type FlatTensors, mlp, wideResnet8 } from '@cert/models';
import { describe, expect, it } from 'vitest';
import { withRandomWeights } from '../../test/random-weights.js';
import { fromStateDict, type ImportedNetwork, readStateDict, toStateDict } from '../index.js';

const fixture = (name: string) => readFileSync(new URL(`../../test/fixtures/${name}`, import.meta.url));

/** A tensor whose values are 0, 1, 2, ... in PyTorch's order. */
const counted = (...shape: number[]): HostTensor => ({
  shape,
  data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => i),
});

describe('a network of PyTorch', () => {
  const model = cnn7({ inputShape: [6, 5, 2], classes: 3, width: 2, dense: 4 });
  const state = readStateDict(fixture('torch-cnn7.safetensors'));
  const { input, output } = JSON.parse(fixture('torch-cnn7.json').toString()) as {
    readonly [name: string]: { readonly shape: number[]; readonly data: number[] };
  };

  it('has the outputs of PyTorch, to 1e-5', async () => {
    const weights = fromStateDict(model, state);
    const { params, stats } = toTensors({ params: weights.params, stats: weights.stats });
    const images = tf.transpose(tf.tensor(input!.data, input!.shape), [0, 2, 3, 1]);
    const got = await naturalPass({ model, params, norm: runningNorm(stats) }, images).output.data();
    const scale = Math.max(...output!.data.map(Math.abs));
    // The two images must not have the same outputs anyway.
    expect(Math.abs(output!.data[0]! - output!.data[3]!)).toBeGreaterThan(0.01 * scale);
    output!.data.forEach((value, i) => {
      expect(Math.abs(got[i]! - value)).toBeLessThanOrEqual(1e-5 * scale);
    });
  });

  it('goes back to the same tensors under the same names', () => {
    const { params, stats, names } = fromStateDict(model, state);
    expect(names).toMatchObject({ conv1: '0', bn1: '1', conv5: '12', dense1: '16', dense1_bn: '17', dense2: '19' });
    const inverse = Object.fromEntries(Object.entries(names).map(([node, prefix]) => [prefix, node]));
    const back = toStateDict({ model, params, stats }, { names: inverse });
    expect(Object.keys(back).sort()).toEqual(Object.keys(state).sort());
    for (const [name, tensor] of Object.entries(back)) expect([name, tensor]).toEqual([name, state[name]]);
  });
});

describe('layouts', () => {
  const model = sequential([2, 2, 1], [conv2d(2), batchNorm(), relu(), flatten(), dense(3)]);
  const state = {
    ...{ '2.weight': counted(2, 1, 3, 3), '10.weight': counted(3, 8), '10.bias': counted(3) },
    ...{ '3.weight': counted(2), '3.bias': counted(2), '3.running_mean': counted(2), '3.running_var': counted(2) },
    '3.num_batches_tracked': { shape: [], data: Int32Array.of(7) },
  };
  const { params, stats } = fromStateDict(model, state);

  it('are those of our layers, number by number', () => {
    expect(Object.keys(params)).toEqual(['conv2d1', 'batchNorm1', 'dense1']);
    expect(params.conv2d1!.bias).toEqual({ shape: [2], data: new Float32Array(2) });
    expect(stats.batchNorm1!.variance).toEqual({ shape: [2], data: Float32Array.of(0, 1) });
    const { kernel } = params.conv2d1!;
    expect(kernel!.shape).toEqual([3, 3, 1, 2]);
    for (let pixel = 0; pixel < 9; pixel++) {
      for (let filter = 0; filter < 2; filter++) expect(kernel!.data[pixel * 2 + filter]).toBe(filter * 9 + pixel);
    }
    // The input of the dense layer is [row, column, channel] here and [channel, row, column] there.
    const { kernel: head } = params.dense1!;
    expect(head!.shape).toEqual([8, 3]);
    for (let pixel = 0; pixel < 4; pixel++) {
      for (let channel = 0; channel < 2; channel++) {
        for (let unit = 0; unit < 3; unit++) {
          expect(head!.data[(pixel * 2 + channel) * 3 + unit]).toBe(unit * 8 + channel * 4 + pixel);
        }
      }
    }
  });

  it('keep the rows of a dense layer where PyTorch flattens with its channels last', () => {
    const { kernel } = fromStateDict(model, state, { inputOrder: 'hwc' }).params.dense1!;
    expect([...kernel!.data].slice(0, 6)).toEqual([0, 8, 16, 1, 9, 17]);
  });

  it('take rows of features as they are', () => {
    const rows = mlp({ inputShape: [3], classes: 2, hidden: [4], batchNorm: false });
    const weights = {
      'a.weight': counted(4, 3),
      'a.bias': counted(4),
      'b.weight': counted(2, 4),
      'b.bias': counted(2),
    };
    const read = fromStateDict(rows, weights).params;
    expect(read.dense1!.kernel).toEqual({ shape: [3, 4], data: Float32Array.of(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11) });
  });

  it('follow a flattened image through BatchNorm, sums and concatenations', () => {
    const g = graph([1, 2, 2]);
    const flat = g.add(flatten(), [INPUT]);
    const norm = g.add(batchNorm(), [g.add(relu(), [flat])]);
    const both = g.add(concat(0), [g.add(add(), [norm, flat]), g.add(globalAvgPool(), [INPUT])]);
    g.add(dense(1), [both]);
    const moved = fromStateDict(g.build(), {
      ...{
        'bn.weight': counted(4),
        'bn.bias': counted(4),
        'bn.running_mean': counted(4),
        'bn.running_var': counted(4),
      },
      'fc.weight': counted(1, 6),
    });
    // [pixel, channel] here, [channel, pixel] there.
    for (const { data } of [moved.params.batchNorm1!.gamma!, moved.stats.batchNorm1!.mean!]) {
      expect([...data]).toEqual([0, 2, 1, 3]);
    }
    expect([...moved.params.dense1!.kernel!.data]).toEqual([0, 2, 1, 3, 4, 5]);
  });

  it('follow a flattened image through reshapes that leave no choice', () => {
    const layers = [flatten(), reshape([1, 1, 4]), relu(), transpose([2, 0, 1]), flatten(), dense(1)] as const;
    const g = graph([1, 2, 2]);
    for (const layer of layers) g.add(layer as Layer);
    const { kernel } = fromStateDict(g.build(), { 'fc.weight': counted(1, 4) }).params.dense1!;
    expect([...kernel!.data]).toEqual([0, 2, 1, 3]);
  });

  it('fill in what PyTorch does not have without bias and without affine', () => {
    const few = Object.fromEntries(
      Object.entries(state).filter(([name]) => !['3.weight', '3.bias', '10.bias'].includes(name)),
    ) as FlatTensors;
    const read = fromStateDict(model, few).params;
    expect(read.batchNorm1).toEqual({
      gamma: { shape: [2], data: Float32Array.of(1, 1) },
      beta: { shape: [2], data: new Float32Array(2) },
    });
    expect([...read.dense1!.bias!.data]).toEqual([0, 0, 0]);
  });
});

describe('names', () => {
  const weightsAs = (network: Pick<ImportedNetwork, 'model' | 'params' | 'stats'>, rename: (node: string) => string) =>
    Object.fromEntries(
      Object.entries(toStateDict(network))
        .map(
          ([name, tensor]) =>
            [`${rename(name.slice(0, name.lastIndexOf('.')))}${name.slice(name.lastIndexOf('.'))}`, tensor] as const,
        )
        // As save_file of safetensors orders them.
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  const small = withRandomWeights(cnn7({ inputShape: [6, 6, 1], classes: 3, width: 2, dense: 3 }));
  const residual = withRandomWeights(
    wideResnet8({ inputShape: [8, 8, 3], classes: 3, stem: 4, widths: [4, 4, 8], dense: 5 }),
  );

  it('are those of the nodes by default', () => {
    expect(toStateDict(small)).toHaveProperty(['dense1_bn.running_var']);
    expect(
      fromStateDict(
        small.model,
        weightsAs(small, (node) => node),
      ),
    ).toMatchObject({
      ...{ params: small.params, stats: small.stats },
      names: { conv1: 'conv1', dense1_bn: 'dense1_bn' },
    });
  });

  it('may be numbers from 0, and any words for layers of different kinds and shapes', () => {
    const renamed = (node: string) => {
      const number = Number(/\d+/.exec(node)?.[0]);
      if (node.startsWith('conv')) return `features.${number - 1 + 8}.conv`;
      return node.startsWith('bn')
        ? `norms.${number * 5}`
        : { dense1: 'head.hidden', dense1_bn: 'head.norm', dense2: 'head.out' }[node]!;
    };
    expect(fromStateDict(small.model, weightsAs(small, renamed))).toMatchObject({
      params: small.params,
      stats: small.stats,
    });
  });

  it('of residual networks are those of PyTorch, and what remains is what has none', () => {
    const torch = (node: string) =>
      node
        .replace(/^layer(\d)_(\d)_/, 'layer$1.$2.')
        .replace('shortcut_conv', 'downsample.0')
        .replace('shortcut_bn', 'downsample.1');
    const read = fromStateDict(residual.model, weightsAs(residual, torch));
    expect(read).toMatchObject({ params: residual.params, stats: residual.stats });
    expect(Object.values(read.names)).toContain('layer2.0.downsample.1');
  });

  it('that leave a choice are refused, until they are given', () => {
    const two = withRandomWeights(sequential([3], [dense(3), relu(), dense(3)]));
    const state = weightsAs(two, (node) => (node === 'dense1' ? 'lower' : 'higher'));
    expect(() => fromStateDict(two.model, state)).toThrow(
      'The PyTorch weights do not fit the model: "higher", "lower" have the same kind and shape, and their names do not tell which of the nodes "dense1", "dense2" each of them is.\nBuild a model with the architecture of the PyTorch model, and name the layers that cannot be told apart:',
    );
    const read = fromStateDict(two.model, state, { names: { lower: 'dense1' } });
    expect([read.params, read.names]).toEqual([two.params, { dense1: 'lower', dense2: 'higher' }]);
  });

  it('are written as asked for', () => {
    const model = sequential([2], [dense(2), relu(), dense(2)]);
    const state = toStateDict(withRandomWeights(model), { names: { 'head.0': 'dense1' } });
    expect(Object.keys(state)).toEqual(['head.0.weight', 'head.0.bias', 'dense2.weight', 'dense2.bias']);
  });
});

describe('a mistake', () => {
  const model = sequential([2, 2, 1], [conv2d(2), batchNorm(), relu(), flatten(), dense(3)]);
  const network = withRandomWeights(model);
  const state: FlatTensors = toStateDict(network);
  const without = (...names: string[]) =>
    Object.fromEntries(Object.entries(state).filter(([name]) => !names.includes(name)));
  const named = { names: { conv2d1: 'conv2d1', dense1: 'dense1' } };
  const plugin = {
    ...model,
    nodes: [...model.nodes, { ...model.nodes.at(-1)!, name: 'own', op: 'scale' as Op, inputs: ['dense1'] }],
  } as unknown as Model;
  const build = (make: (g: GraphBuilder) => void, inputShape = [2]) => {
    const g = graph(inputShape);
    make(g);
    return g.build();
  };

  it.each<[string, () => unknown, string, string]>([
    [
      'a layer that is missing',
      () => fromStateDict(model, without('dense1.weight', 'dense1.bias')),
      'shape-mismatch',
      'the model needs 1 of Linear [3,8] ("dense1"), and the file has no further layers',
    ],
    [
      'a layer too many',
      () => fromStateDict(model, { ...state, 'extra.weight': counted(4, 4) }),
      'shape-mismatch',
      'the model needs no further layers, and the file has 1 of Linear [4,4] ("extra")',
    ],
    [
      'a layer of another shape',
      () => fromStateDict(model, { ...state, 'conv2d1.weight': counted(2, 1, 5, 5) }),
      'shape-mismatch',
      'the model needs 1 of Conv2d [2,1,3,3] ("conv2d1"), and the file has 1 of Conv2d [2,1,5,5] ("conv2d1")',
    ],
    [
      'a named layer of another shape',
      () => fromStateDict(model, { ...state, 'conv2d1.weight': counted(2, 1, 5, 5) }, named),
      'shape-mismatch',
      '"conv2d1.weight" has the shape [2,1,5,5], but "conv2d1" (Conv2d) needs [2,1,3,3]',
    ],
    [
      'a dense layer turned round',
      () => fromStateDict(model, { ...state, 'dense1.weight': counted(8, 3) }, named),
      'shape-mismatch',
      '"dense1.weight" has the shape [8,3], but "dense1" (Linear) needs [3,8]',
    ],
    [
      'a bias of another shape',
      () => fromStateDict(model, { ...state, 'dense1.bias': counted(4) }),
      'shape-mismatch',
      '"dense1.bias" has the shape [4], but "dense1" (Linear) needs [3]',
    ],
    [
      'no variance',
      () => fromStateDict(model, without('batchNorm1.running_var')),
      'shape-mismatch',
      '"batchNorm1" (BatchNorm) needs "batchNorm1.running_var" of shape [2], which is missing',
    ],
    [
      'a tensor that nothing uses',
      () => fromStateDict(model, { ...state, 'conv2d1.scale': counted(1) }),
      'shape-mismatch',
      'the model has no place for "conv2d1.scale" [1].\nRemove these tensors',
    ],
    [
      'NaN',
      () => fromStateDict(model, { ...state, 'dense1.bias': { shape: [3], data: Float32Array.of(0, 1, Number.NaN) } }),
      'not-finite',
      'The PyTorch tensor "dense1.bias" has NaN at 2.',
    ],
    [
      'whole numbers',
      () => fromStateDict(model, { ...state, 'dense1.bias': { shape: [3], data: Int32Array.of(0, 1, 2) } }),
      'shape-mismatch',
      '"dense1.bias" holds whole numbers',
    ],
    [
      'a node that does not exist',
      () => fromStateDict(model, state, { names: { conv2d1: 'conv1' } }),
      'bad-argument',
      'names: the model has no node "conv1" with weights.\nNodes with weights: "conv2d1", "batchNorm1", "dense1".',
    ],
    [
      'a layer that does not exist',
      () => fromStateDict(model, state, { names: { 'features.0': 'conv2d1' } }),
      'bad-argument',
      'names: the file has no layer "features.0".\nLayers in the file: "conv2d1"',
    ],
    [
      'two layers for one node',
      () => fromStateDict(model, state, { names: { conv2d1: 'conv2d1', dense1: 'conv2d1' } }),
      'bad-argument',
      'names: "conv2d1" and "dense1" are both mapped to "conv2d1"',
    ],
    [
      'an order of another name',
      () => fromStateDict(model, state, { inputOrder: 'nchw' as 'chw' }),
      'bad-argument',
      'inputOrder is "nchw".\nGive chw or hwc.',
    ],
    [
      'an op of a plug-in',
      () => fromStateDict(plugin, state),
      'missing-rule',
      'The op "scale" (node "own") has weights and no PyTorch layout.',
    ],
    ...Object.entries({
      'the sum of a flattened image and a dense layer of it': build(
        (g) => {
          const flat = g.add(flatten(), [INPUT]);
          g.add(dense(1), [g.add(add(), [flat, g.add(dense(8), [flat], 'fc')])], 'head');
        },
        [2, 2, 2],
      ),
      'an image that is transposed before it is flattened': sequential(
        [2, 2, 2],
        [transpose([2, 0, 1]), relu(), flatten(), dense(1)],
      ),
      'an image that is reshaped to a vector': sequential([2, 2, 2], [reshape([8]), batchNorm(), dense(1)]),
      'an image that is reshaped, and then flattened': sequential([2, 2, 2], [reshape([4, 1, 2]), flatten(), dense(1)]),
      'an order that is not known, in a concatenation': build(
        (g) => {
          g.add(dense(1), [g.add(concat(0), [g.add(flatten(), [INPUT]), g.add(reshape([8]), [INPUT])])], 'head');
        },
        [2, 2, 2],
      ),
    }).flatMap(([name, unclear]): [string, () => unknown, string, string][] => {
      const last = unclear.nodes.some(({ name }) => name === 'head') ? 'head' : unclear.nodes.at(-1)!.name;
      const named = unclear.nodes.some(({ op }) => op === 'batchNorm') ? 'batchNorm1' : last;
      const message = `The node "${named}" reads numbers whose order in PyTorch is not known.`;
      return [
        [name, () => fromStateDict(unclear, {}), 'missing-rule', message],
        [`${name}, to be written`, () => toStateDict(withRandomWeights(unclear)), 'missing-rule', message],
      ];
    }),
    [
      'weights of another model',
      () => toStateDict({ ...network, params: {} }),
      'shape-mismatch',
      'no tensor at "conv2d1.kernel"',
    ],
    [
      'a weight to write that is NaN',
      () => {
        const dense1 = { ...network.params.dense1!, bias: { shape: [3], data: Float32Array.of(0, Number.NaN, 0) } };
        return toStateDict({ ...network, params: { ...network.params, dense1 } });
      },
      'not-finite',
      '"dense1.bias" has NaN at 1.',
    ],
    [
      'a name of no node',
      () => toStateDict(network, { names: { a: 'relu1' } }),
      'bad-argument',
      'names: "relu1" is no node with weights.',
    ],
    [
      'two names of a node',
      () => toStateDict(network, { names: { a: 'dense1', b: 'dense1' } }),
      'bad-argument',
      'names: "dense1" is mapped twice.',
    ],
    [
      'one name of two layers',
      () =>
        toStateDict(withRandomWeights(build((g) => g.add(dense(2), [g.add(dense(2), [INPUT], 'b')], 'a'))), {
          names: { a: 'b' },
        }),
      'bad-argument',
      'Two tensors would have the name "a.weight".',
    ],
    [
      'a file of torch.save',
      () => readStateDict(Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 0, 0), 'net.pt'),
      'bad-file',
      'net.pt was written by torch.save, which stores Python objects.\nSave the tensors as safetensors',
    ],
    [
      'a checkpoint',
      () => readStateDict(encodeCheckpoint(network), 'last.safetensors'),
      'bad-file',
      'last.safetensors is a checkpoint of cert',
    ],
    [
      'a file that was cut off',
      () => readStateDict(encodeSafetensors({ tensors: state, metadata: {} }).subarray(0, 99), 'a'),
      'bad-file',
      'a is truncated',
    ],
  ])('is named: %s', (_, f, code, message) => {
    expect(f).toThrow(expect.objectContaining({ name: 'CertError', code }));
    expect(f).toThrow(message);
  });
});

/** Every op and attribute against ONNX Runtime, on graphs made here. */
import { CertError, createRng } from '@cert/core';
import { describe, expect, it } from 'vitest';
import {
  buildOnnx,
  type TestAttribute,
  type TestGraph,
  type TestNode,
  type TestTensor,
} from '../../test/build-onnx.js';
import { matchesRuntime } from '../../test/compare.js';
import { readOnnx } from './read-onnx.js';

/** Random weights. */
const weights = (...shape: number[]): TestTensor => {
  const rng = createRng(0, 'weights', ...shape);
  return {
    shape,
    data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.fround(rng.uniform() * 2 - 1)),
  };
};
const filled = (value: number, ...shape: number[]): TestTensor => ({
  shape,
  data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => value),
});
const positive = (...shape: number[]): TestTensor => {
  const { data } = weights(...shape);
  return { shape, data: data.map((value) => Math.fround(Math.abs(value) + 0.5)) };
};
const ints = (...data: number[]): TestTensor => ({ shape: [data.length], data, type: 'int64' });
const scalar = (value: number): TestTensor => ({ shape: [], data: [value] });

let count = 0;
const node = (op: string, inputs: readonly string[], attributes: TestNode['attributes'] = {}): TestNode => ({
  op,
  inputs,
  attributes,
  name: `${op}_${count++}`,
});

/** One node on `x`, with constants that follow it as inputs. */
function single(
  op: string,
  input: readonly (number | string)[],
  constants: readonly TestTensor[] = [],
  attributes: { readonly [name: string]: TestAttribute } = {},
  opset = 13,
): TestGraph {
  const named = Object.fromEntries(constants.map((tensor, i) => [`c${i}`, tensor]));
  return { opset, input, constants: named, nodes: [node(op, ['x', ...Object.keys(named)], attributes)] };
}

/** A graph of nodes that follow each other; `<` stands for the value before. */
function chain(
  input: readonly (number | string)[],
  constants: { readonly [name: string]: TestTensor },
  ...nodes: readonly [op: string, inputs: readonly string[], attributes?: { readonly [name: string]: TestAttribute }][]
): TestGraph {
  let before = 'x';
  const placed = nodes.map(([op, inputs, attributes]) => {
    const made = node(
      op,
      inputs.map((name) => (name === '<' ? before : name)),
      attributes,
    );
    before = made.name;
    return made;
  });
  return { input, constants, nodes: placed };
}

const image = [1, 3, 6, 7];
const [windows, kernel] = [
  [1, 2, 8, 9],
  [2, 3],
] as const;

type Case = readonly [name: string, graph: TestGraph, ops?: string];

const CASES: readonly Case[] = [
  ['Gemm', single('Gemm', [1, 4], [weights(4, 3), weights(3)]), 'dense'],
  ['Gemm, no bias', single('Gemm', [1, 4], [weights(4, 3)]), 'dense'],
  [
    'Gemm, transB, alpha, beta',
    single('Gemm', [1, 4], [weights(3, 4), weights(3)], { transB: 1, alpha: { float: 0.5 }, beta: { float: 2 } }),
  ],
  ['Gemm, transA', single('Gemm', [4, 1], [weights(4, 3), weights(1, 3)], { transA: 1 })],
  ['Gemm, bias that is repeated', single('Gemm', ['n', 4], [weights(4, 3), weights(1)])],
  [
    'Gemm, constant first',
    {
      ...single('Gemm', [4, 1]),
      constants: { a: weights(3, 4), b: weights(3, 1) },
      nodes: [node('Gemm', ['a', 'x', 'b'])],
    },
  ],
  [
    'Gemm, constant first, transposed',
    {
      ...single('Gemm', [1, 4]),
      constants: { a: weights(4, 3) },
      nodes: [node('Gemm', ['a', 'x'], { transA: 1, transB: 1 })],
    },
  ],
  ['MatMul', single('MatMul', [1, 4], [weights(4, 3)]), 'dense'],
  ['MatMul of a vector', single('MatMul', [4], [weights(4, 3)])],
  ['MatMul with a vector', single('MatMul', [1, 4], [weights(4)])],
  ['MatMul of three axes', single('MatMul', [1, 1, 4], [weights(4, 3)])],
  ['MatMul with three axes', single('MatMul', [1, 4], [weights(1, 4, 3)])],
  ['MatMul, constant first', { input: [4, 1], constants: { a: weights(3, 4) }, nodes: [node('MatMul', ['a', 'x'])] }],
  [
    'MatMul, constant first, vector',
    { input: [4], constants: { a: weights(3, 4) }, nodes: [node('MatMul', ['a', 'x'])] },
  ],
  ['MatMul, vector first', { input: [1, 4, 1], constants: { a: weights(4) }, nodes: [node('MatMul', ['a', 'x'])] }],
  [
    'MatMul and Add',
    chain([1, 4], { w: weights(4, 3), b: weights(3) }, ['MatMul', ['<', 'w']], ['Add', ['b', '<']], ['Relu', ['<']]),
    'dense relu',
  ],
  [
    'MatMul and Sub',
    chain([1, 4], { w: weights(4, 3), b: weights(1, 3) }, ['MatMul', ['<', 'w']], ['Sub', ['<', 'b']]),
    'dense',
  ],
  [
    'MatMul and two Adds',
    chain(
      [1, 4],
      { w: weights(4, 3), b: weights(3) },
      ['MatMul', ['<', 'w']],
      ['Add', ['<', 'b']],
      ['Add', ['<', 'b']],
    ),
    'dense affine',
  ],

  ['Conv', single('Conv', image, [weights(4, 3, 3, 3), weights(4)]), 'conv2d transpose flatten'],
  [
    'Conv, no bias, then Add',
    chain(image, { k: weights(4, 3, 3, 3), b: weights(4, 1, 1) }, ['Conv', ['<', 'k']], ['Add', ['<', 'b']]),
    'conv2d transpose flatten',
  ],
  [
    'Conv, then Add of each element',
    chain([1, 1, 4, 4], { k: weights(2, 1, 3, 3), b: weights(1, 2, 2, 2) }, ['Conv', ['<', 'k']], ['Add', ['<', 'b']]),
  ],
  [
    'Conv, strides, pads, dilations, rectangular',
    single('Conv', image, [weights(4, 3, 2, 3), weights(4)], {
      strides: [2, 1],
      pads: [1, 0, 2, 3],
      dilations: [2, 1],
      kernel_shape: [2, 3],
    }),
  ],
  ['Conv, groups', single('Conv', [1, 4, 5, 5], [weights(6, 2, 3, 3), weights(6)], { group: 2, pads: [1, 1, 1, 1] })],
  ['Conv, depthwise', single('Conv', [1, 4, 5, 5], [weights(4, 1, 3, 3)], { group: 4, strides: [2, 2] })],
  ...['VALID', 'SAME_UPPER', 'SAME_LOWER', 'NOTSET'].map(
    (auto_pad) =>
      [`Conv, ${auto_pad}`, single('Conv', image, [weights(2, 3, 2, 4)], { auto_pad, strides: [2, 2] })] as const,
  ),
  ['Conv, symbolic batch', single('Conv', ['batch', 3, 6, 7], [weights(4, 3, 3, 3)])],

  ['Relu', single('Relu', [1, 5]), 'relu'],
  ['LeakyRelu', single('LeakyRelu', [1, 5], [], { alpha: { float: 0.2 } }), 'leakyRelu'],
  ['LeakyRelu, default', single('LeakyRelu', [1, 5])],
  ['LeakyRelu, slope 0', single('LeakyRelu', [1, 5], [], { alpha: { float: 0 } }), 'relu'],
  ['Sigmoid', single('Sigmoid', [1, 5]), 'sigmoid'],
  ['Tanh', single('Tanh', [1, 5]), 'tanh'],
  ['Softmax', single('Softmax', [1, 5]), 'softmax'],
  ['Softmax, version 11', single('Softmax', [1, 5, 1], [], {}, 11), 'softmax'],
  [
    'Softmax of a flattened image',
    chain(image, { k: weights(2, 3, 3, 3) }, ['Conv', ['<', 'k']], ['Flatten', ['<']], ['Softmax', ['<'], { axis: 1 }]),
  ],
  ['Clip', single('Clip', [1, 5], [scalar(-0.5), scalar(0.75)]), 'affine relu affine relu affine'],
  ['Clip to [0, 1]', single('Clip', [1, 5], [scalar(0), scalar(1)]), 'relu affine relu affine'],
  ['Clip at 0', single('Clip', [1, 5], [scalar(0)]), 'relu'],
  [
    'Clip, large limits',
    single('Clip', [1, 5], [scalar(-1e30), scalar(1e30)]),
    'affine relu add affine relu affine add',
  ],
  ['Clip, one large limit', single('Clip', [1, 5], [scalar(0), scalar(20)]), 'affine relu add affine relu affine add'],
  ['Clip from below, large limit', single('Clip', [1, 5], [scalar(-9)]), 'affine relu add'],
  [
    'Clip from above',
    { input: [1, 5], constants: { c: scalar(0.5) }, nodes: [node('Clip', ['x', '', 'c'])] },
    'affine relu affine',
  ],
  ['Clip, version 10', single('Clip', [1, 5], [], { min: { float: 0 }, max: { float: 6 } }, 10)],
  ['Clip, no limits', chain([1, 5], {}, ['Clip', ['<']], ['Relu', ['<']]), 'relu'],
  ['Neg', single('Neg', [1, 5]), 'affine'],
  ['Cast', chain([1, 5], {}, ['Cast', ['<'], { to: 1 }], ['Relu', ['<']]), 'relu'],
  ['Identity, Dropout', chain([1, 5], {}, ['Identity', ['<']], ['Dropout', ['<']], ['Relu', ['<']]), 'relu'],

  ...(['Add', 'Sub', 'Mul', 'Div'] as const).flatMap((op) => [
    [`${op} of a constant`, single(op, [1, 5], [positive(5)]), 'affine'] as const,
    [`${op} of one number`, single(op, [1, 5], [positive()]), 'affine'] as const,
    [
      `${op} of each channel`,
      chain(image, { c: positive(3, 1, 1), k: weights(2, 3, 3, 3) }, [op, ['<', 'c']], ['Conv', ['<', 'k']]),
      'affine conv2d transpose flatten',
    ] as const,
    [
      `${op} of each element of an image`,
      chain(image, { c: positive(1, 3, 6, 7), k: weights(2, 3, 3, 3) }, [op, ['<', 'c']], ['Conv', ['<', 'k']]),
    ] as const,
    [
      `${op} of each column`,
      chain(image, { c: positive(7), k: weights(2, 3, 3, 3) }, [op, ['<', 'c']], ['Conv', ['<', 'k']]),
    ] as const,
    [
      `${op} behind a flattened image`,
      chain(
        image,
        { c: positive(40), k: weights(2, 3, 3, 3) },
        ['Conv', ['<', 'k']],
        ['Flatten', ['<']],
        [op, ['<', 'c']],
      ),
    ] as const,
  ]),
  ['Add that adds axes', single('Add', [5], [positive(1, 5)])],
  ['Sub from a constant', { input: [1, 5], constants: { c: weights(5) }, nodes: [node('Sub', ['c', 'x'])] }, 'affine'],
  [
    'Mul with a constant first',
    { input: [1, 5], constants: { c: weights(5) }, nodes: [node('Mul', ['c', 'x'])] },
    'affine',
  ],
  ...(['Add', 'Sub', 'Sum'] as const).map(
    (op) =>
      [
        `${op} of two nodes`,
        {
          input: [1, 5],
          constants: { w: weights(5, 4), v: weights(5, 4) },
          nodes: [
            { op: 'MatMul', inputs: ['x', 'w'], name: 'a' },
            { op: 'MatMul', inputs: ['x', 'v'], name: 'b' },
            node(op, ['a', 'b']),
          ],
        },
      ] as const,
  ),
  ['Sum with a constant', single('Sum', [1, 5], [weights(5)]), 'affine'],
  [
    'Sum of constants and of nodes',
    {
      input: image,
      constants: { a: weights(3, 1, 1), b: weights(7), k: weights(2, 3, 3, 3) },
      nodes: [node('Sum', ['a', 'b', 'x', 'b', 'x']), node('Conv', [`Sum_${count - 1}`, 'k'])],
    },
    'affine affine add conv2d transpose flatten',
  ],
  [
    'Add of what nodes without bias compute, which others read',
    {
      input: [1, 5],
      constants: { w: weights(5, 4), b: weights(4), s: ints(1, -1) },
      nodes: [
        { op: 'MatMul', inputs: ['x', 'w'], name: 'a' },
        { op: 'Reshape', inputs: ['a', 's'], name: 'r' },
        { op: 'Add', inputs: ['a', 'b'], name: 'c' },
        { op: 'Add', inputs: ['r', 'b'], name: 'd' },
        node('Sub', ['c', 'a']),
        node('Add', ['d', 'c']),
        { op: 'Concat', inputs: ['c', 'd', 'a'], name: 'out', attributes: { axis: 1 } },
      ].map((made) => made as TestNode),
    },
  ] as const,

  [
    'BatchNormalization of an image',
    single('BatchNormalization', image, [weights(3), filled(0.5, 3), weights(3), positive(3)], {
      epsilon: { float: 0.01 },
    }),
    'batchNorm transpose flatten',
  ],
  [
    'BatchNormalization of a vector',
    single('BatchNormalization', [1, 5], [weights(5), weights(5), weights(5), positive(5)]),
    'batchNorm',
  ],
  [
    'BatchNormalization, version 8',
    single('BatchNormalization', image, [weights(3), filled(0.5, 3), weights(3), positive(3)], {}, 8),
  ],
  [
    'BatchNormalization behind a flattened image',
    chain(
      image,
      { k: weights(2, 3, 3, 3), g: weights(40), v: positive(40) },
      ['Conv', ['<', 'k']],
      ['Flatten', ['<']],
      ['BatchNormalization', ['<', 'g', 'g', 'g', 'v']],
    ),
  ],

  ...(['MaxPool', 'AveragePool'] as const).flatMap((op) => [
    [op, single(op, windows, [], { kernel_shape: [2, 2], strides: [2, 2] })] as const,
    [`${op}, default strides`, single(op, windows, [], { kernel_shape: kernel })] as const,
    [
      `${op}, strides, pads`,
      single(op, windows, [], { kernel_shape: [3, 3], strides: [2, 1], pads: [1, 0, 2, 2] }),
    ] as const,
    [`${op}, ceil_mode`, single(op, windows, [], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 })] as const,
    [
      `${op}, ceil_mode, pads`,
      single(op, windows, [], { kernel_shape: [2, 3], strides: [3, 4], pads: [1, 1, 1, 1], ceil_mode: 1 }),
    ] as const,
    [
      `${op}, SAME_UPPER`,
      single(op, windows, [], { kernel_shape: [3, 2], strides: [2, 2], auto_pad: 'SAME_UPPER' }),
    ] as const,
    [
      `${op}, SAME_LOWER`,
      single(op, windows, [], { kernel_shape: [3, 2], strides: [2, 2], auto_pad: 'SAME_LOWER' }),
    ] as const,
  ]),
  [
    'AveragePool, padding counts',
    single('AveragePool', windows, [], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 }),
  ],
  ['GlobalAveragePool', single('GlobalAveragePool', windows), 'globalAvgPool'],
  ['GlobalMaxPool', single('GlobalMaxPool', windows)],
  ['ReduceMean', single('ReduceMean', windows, [], { axes: [2, 3], keepdims: 0 }), 'globalAvgPool'],
  ['ReduceMean, version 18', single('ReduceMean', windows, [ints(-1, -2)], {}, 18), 'globalAvgPool'],
  [
    'Pad by nothing',
    chain(windows, { p: ints(0, 0, 0, 0, 0, 0, 0, 0) }, ['Pad', ['<', 'p']], ['Relu', ['<']]),
    'relu transpose flatten',
  ],
  ['Pad', single('Pad', windows, [ints(0, 0, 1, 2, 0, 0, 3, 4)])],
  [
    'Pad, version 9',
    single('Pad', windows, [], { pads: [0, 0, 1, 1, 0, 0, 1, 1], mode: 'constant', value: { float: 0 } }, 9),
  ],

  [
    'Flatten and Gemm',
    chain(
      image,
      { k: weights(2, 3, 3, 3), w: weights(40, 5), b: weights(5) },
      ['Conv', ['<', 'k']],
      ['Flatten', ['<']],
      ['Gemm', ['<', 'w', 'b']],
    ),
    'conv2d flatten dense',
  ],
  [
    'Flatten, axes',
    chain(
      [1, 4],
      { w: weights(4, 6), s: ints(1, 2, 3), v: weights(6, 2) },
      ['MatMul', ['<', 'w']],
      ['Reshape', ['<', 's']],
      ['Flatten', ['<'], { axis: -2 }],
      ['MatMul', ['<', 'v']],
    ),
    'dense dense',
  ],
  [
    'Reshape, 0 and -1',
    chain(
      image,
      { k: weights(2, 3, 3, 3), s: ints(0, -1), w: weights(40, 5) },
      ['Conv', ['<', 'k']],
      ['Reshape', ['<', 's']],
      ['MatMul', ['<', 'w']],
    ),
    'conv2d flatten dense',
  ],
  [
    'Reshape to an image',
    chain([1, 126], { s: ints(-1, 3, 6, 7), k: weights(2, 3, 3, 3) }, ['Reshape', ['<', 's']], ['Conv', ['<', 'k']]),
    'reshape transpose conv2d transpose flatten',
  ],
  [
    'Reshape of an image to another',
    chain(
      image,
      { k: weights(2, 3, 3, 3), s: ints(1, 4, 5, 2), l: weights(3, 4, 2, 2) },
      ['Conv', ['<', 'k']],
      ['Relu', ['<']],
      ['Reshape', ['<', 's']],
      ['Conv', ['<', 'l']],
    ),
  ],
  [
    'Transpose of channels last',
    chain([1, 6, 7, 3], { k: weights(2, 3, 3, 3) }, ['Transpose', ['<'], { perm: [0, 3, 1, 2] }], ['Conv', ['<', 'k']]),
    'conv2d transpose flatten',
  ],
  [
    'Transpose to channels last before Gemm',
    chain(
      image,
      { k: weights(2, 3, 3, 3), w: weights(40, 5), s: ints(1, -1) },
      ['Conv', ['<', 'k']],
      ['Transpose', ['<'], { perm: [0, 2, 3, 1] }],
      ['Reshape', ['<', 's']],
      ['MatMul', ['<', 'w']],
    ),
    'conv2d flatten dense',
  ],
  [
    'Transpose of what nothing else orders',
    chain(
      [1, 24],
      { s: ints(2, 3, 4), t: ints(1, 24), w: weights(24, 5) },
      ['Reshape', ['<', 's']],
      ['Transpose', ['<'], { perm: [2, 0, 1] }],
      ['Reshape', ['<', 't']],
      ['MatMul', ['<', 'w']],
    ),
    'dense',
  ],
  [
    'Transpose, default order, as output',
    chain([1, 24], { s: ints(2, 3, 4) }, ['Relu', ['<']], ['Reshape', ['<', 's']], ['Transpose', ['<']]),
  ],
  [
    'Squeeze and Unsqueeze',
    chain(
      [1, 4],
      { a: ints(1, 3), w: weights(4, 3) },
      ['Unsqueeze', ['<', 'a']],
      ['Squeeze', ['<', 'a']],
      ['MatMul', ['<', 'w']],
    ),
    'dense',
  ],
  [
    'Squeeze and Unsqueeze, version 11',
    {
      ...chain(
        [1, 4],
        { w: weights(4, 3) },
        ['Unsqueeze', ['<'], { axes: [0, -1] }],
        ['Squeeze', ['<'], { axes: [0, 3] }],
        ['MatMul', ['<', 'w']],
      ),
      opset: 11,
    },
    'dense',
  ],
  ['Squeeze of all', chain([1, 2, 1, 3], {}, ['Relu', ['<']], ['Squeeze', ['<']])],
  [
    'Concat of images',
    {
      input: image,
      constants: { k: weights(2, 3, 3, 3), l: weights(5, 3, 3, 3), m: weights(2, 7, 2, 2) },
      nodes: [
        { op: 'Conv', inputs: ['x', 'k'], name: 'a' },
        { op: 'Conv', inputs: ['x', 'l'], name: 'b' },
        { op: 'Concat', inputs: ['a', 'b'], name: 'c', attributes: { axis: 1 } },
        node('Conv', ['c', 'm']),
      ],
    },
    'conv2d conv2d concat conv2d transpose flatten',
  ],
  ...[2, 3].map(
    (axis) =>
      [
        `Concat of images along axis ${axis}`,
        {
          input: image,
          constants: { k: weights(2, 3, 3, 3), l: weights(2, 3, 3, 3), m: weights(2, 2, 2, 2) },
          nodes: [
            { op: 'Conv', inputs: ['x', 'k'], name: 'a' },
            { op: 'Conv', inputs: ['x', 'l'], name: 'b' },
            { op: 'Concat', inputs: ['a', 'b'], name: 'c', attributes: { axis } },
            node('Conv', ['c', 'm']),
          ],
        },
      ] as const,
  ),
  [
    'Concat of an image and a vector, flattened',
    {
      input: image,
      constants: { k: weights(2, 3, 3, 3), w: weights(126, 4), v: weights(44, 3) },
      nodes: [
        { op: 'Conv', inputs: ['x', 'k'], name: 'a' },
        { op: 'Flatten', inputs: ['a'], name: 'f' },
        { op: 'Flatten', inputs: ['x'], name: 'g' },
        { op: 'MatMul', inputs: ['g', 'w'], name: 'b' },
        { op: 'Concat', inputs: ['f', 'b'], name: 'c', attributes: { axis: -1 } },
        node('MatMul', ['c', 'v']),
      ],
    },
  ],
  [
    'Concat along an axis in the middle',
    {
      input: [1, 12],
      constants: { s: ints(1, 2, 2, 3), w: weights(24, 4), t: ints(1, 24) },
      nodes: [
        { op: 'Reshape', inputs: ['x', 's'], name: 'a' },
        { op: 'Relu', inputs: ['a'], name: 'b' },
        { op: 'Concat', inputs: ['a', 'b'], name: 'c', attributes: { axis: 2 } },
        { op: 'Reshape', inputs: ['c', 't'], name: 'd' },
        node('MatMul', ['d', 'w']),
      ],
    },
  ],
  [
    'a residual block',
    {
      input: image,
      constants: { k: weights(4, 3, 3, 3), l: weights(4, 4, 3, 3), m: weights(4, 3, 1, 1) },
      nodes: [
        { op: 'Conv', inputs: ['x', 'k'], name: 'a', attributes: { strides: [2, 2], pads: [1, 1, 1, 1] } },
        { op: 'Relu', inputs: ['a'], name: 'b' },
        { op: 'Conv', inputs: ['b', 'l'], name: 'c', attributes: { pads: [1, 1, 1, 1] } },
        { op: 'Conv', inputs: ['x', 'm'], name: 'd', attributes: { strides: [2, 2] } },
        { op: 'Add', inputs: ['c', 'd'], name: 'e' },
        node('Relu', ['e']),
      ],
    },
    'conv2d relu conv2d conv2d add relu transpose flatten',
  ],
  [
    'an image and a reshaped vector, added',
    {
      input: image,
      constants: { k: weights(3, 3, 1, 1), w: weights(126, 126), s: ints(1, 3, 6, 7) },
      nodes: [
        { op: 'Conv', inputs: ['x', 'k'], name: 'a' },
        { op: 'Flatten', inputs: ['x'], name: 'f' },
        { op: 'MatMul', inputs: ['f', 'w'], name: 'g' },
        { op: 'Reshape', inputs: ['g', 's'], name: 'h' },
        node('Add', ['a', 'h']),
      ],
    },
  ],
  [
    'a flattened image and a vector, added',
    {
      input: image,
      constants: { k: weights(3, 3, 1, 1), w: weights(126, 126) },
      nodes: [
        { op: 'Conv', inputs: ['x', 'k'], name: 'a' },
        { op: 'Flatten', inputs: ['a'], name: 'b' },
        { op: 'Flatten', inputs: ['x'], name: 'f' },
        { op: 'MatMul', inputs: ['f', 'w'], name: 'g' },
        node('Add', ['g', 'b']),
      ],
    },
  ],
];

/** The beginning of a graph that computes the shape for a Reshape. */
const SHAPES: TestGraph = chain(
  ['n', 3, 6, 7],
  {
    k: weights(2, 3, 3, 3),
    zero: { shape: [], data: [0], type: 'int64' },
    axes: ints(0),
    rest: ints(-1),
    w: weights(40, 5),
  },
  ['Conv', ['<', 'k']],
  ['Shape', ['<']],
  ['Gather', ['<', 'zero'], { axis: 0 }],
  ['Unsqueeze', ['<', 'axes']],
  ['Concat', ['<', 'rest'], { axis: 0 }],
);

/** A graph whose Reshape takes a shape that it computes. */
const COMPUTED_SHAPE: TestGraph = {
  ...SHAPES,
  nodes: [
    ...SHAPES.nodes,
    { op: 'Reshape', inputs: [SHAPES.nodes[0]!.name, SHAPES.nodes.at(-1)!.name], name: 'flat' },
    { op: 'MatMul', inputs: ['flat', 'w'], name: 'out' },
  ],
};

describe('readOnnx equals ONNX Runtime', () => {
  it.each(CASES.map(([name, graph, ops]) => [name, { graph, ops }] as const))('%s', async (name, { graph, ops }) => {
    const { model } = await matchesRuntime(buildOnnx(graph), name);
    if (ops !== undefined) expect(model.nodes.map(({ op }) => op).join(' ')).toBe(ops);
  });

  it('shapes that the graph computes', async () => {
    const { model } = await matchesRuntime(buildOnnx(COMPUTED_SHAPE), 'computed');
    expect(model.nodes.map(({ op }) => op)).toEqual(['conv2d', 'flatten', 'dense']);
  });

  it('shapes that the graph cuts and converts, as TensorFlow exports them', async () => {
    const { nodes, constants } = SHAPES;
    const [conv, shape] = [nodes[0]!, nodes[1]!];
    const parts: TestNode[] = [
      { op: 'Cast', inputs: [shape.name], name: 'as32', attributes: { to: 6 } },
      { op: 'Slice', inputs: ['as32', 'from', 'to', 'axes'], name: 'batch' },
      { op: 'Cast', inputs: ['batch'], name: 'as64', attributes: { to: 7 } },
      { op: 'Concat', inputs: ['as64', 'rest'], name: 'joined', attributes: { axis: 0 } },
      { op: 'Reshape', inputs: [conv.name, 'joined'], name: 'flat' },
      { op: 'MatMul', inputs: ['flat', 'w'], name: 'out' },
    ];
    const more = { ...constants, from: ints(-4), to: ints(1) };
    await matchesRuntime(buildOnnx({ ...SHAPES, constants: more, nodes: [conv, shape, ...parts] }), 'cut');
    const old: TestNode = { op: 'Slice', inputs: ['as32'], name: 'batch', attributes: { starts: [0], ends: [1] } };
    const replaced = parts.map((part) => (part.op === 'Slice' ? old : part));
    await matchesRuntime(buildOnnx({ ...SHAPES, opset: 9, constants: more, nodes: [conv, shape, ...replaced] }), 'old');
  });

  describe('without nodes whose values nothing computes with', () => {
    const shaped: TestGraph = {
      opset: 17,
      input: [1, 2],
      constants: { v: weights(2, 3), w: weights(3, 3), g: positive(3) },
      nodes: [
        { op: 'MatMul', inputs: ['x', 'v'], name: 'y' },
        { op: 'MatMul', inputs: ['y', 'w'], name: 'z' },
        { op: 'BatchNormalization', inputs: ['z', 'g', 'g', 'g', 'g'], name: 'n' },
        { op: 'Relu', inputs: ['n'], name: 'r' },
        { op: 'Shape', inputs: ['r'], name: 's' },
        { op: 'Reshape', inputs: ['y', 's'], name: 'out' },
      ],
    };

    it('as the last ones', async () => {
      const { model, params, stats, relus } = await matchesRuntime(buildOnnx(shaped), 'dead');
      expect(model.nodes.map(({ name }) => name)).toEqual(['dense1']);
      expect([Object.keys(params), Object.keys(stats), relus]).toEqual([['dense1'], [], []]);
    });

    it('in between', async () => {
      const nodes: TestNode[] = [...shaped.nodes, { op: 'Relu', inputs: ['out'], name: 'end' }];
      const { model, relus } = await matchesRuntime(buildOnnx({ ...shaped, nodes }), 'between');
      expect(model.nodes.map(({ op }) => op)).toEqual(['dense', 'relu']);
      expect(relus.map(({ output }) => output)).toEqual(['end']);
    });

    it('as the ratio of a Dropout', async () => {
      const graph: TestGraph = {
        input: [1, 2],
        constants: { w: weights(2, 1), none: { shape: [0], data: [], type: 'int64' } },
        nodes: [
          { op: 'Relu', inputs: ['x'], name: 'y' },
          { op: 'MatMul', inputs: ['x', 'w'], name: 'q' },
          { op: 'Sigmoid', inputs: ['q'], name: 'p' },
          { op: 'Reshape', inputs: ['p', 'none'], name: 'ratio' },
          { op: 'Dropout', inputs: ['y', 'ratio'], name: 'out' },
        ],
      };
      const { model, params } = await matchesRuntime(buildOnnx(graph), 'ratio');
      expect([model.nodes.map(({ op }) => op), params]).toEqual([['relu'], {}]);
    });
  });

  it('whole numbers that the graph computes', async () => {
    const graph: TestGraph = {
      input: [1, 2],
      constants: { a: ints(-7, 2 ** 20), b: ints(2, -3) },
      nodes: [
        { op: 'Div', inputs: ['a', 'b'], name: 'q' },
        { op: 'Cast', inputs: ['q'], name: 'narrow', attributes: { to: 6 } },
        { op: 'Cast', inputs: ['narrow'], name: 'f', attributes: { to: 1 } },
        node('Add', ['x', 'f']),
      ],
    };
    await matchesRuntime(buildOnnx(graph), 'whole');
  });

  it('defaults of attributes, which are float32', () => {
    const [slope] = readOnnx(buildOnnx(single('LeakyRelu', [1, 5]))).model.nodes;
    expect(slope!.attrs).toEqual({ slope: Math.fround(0.01) });
    const moments = [weights(5), weights(5), weights(5), positive(5)];
    const [norm] = readOnnx(buildOnnx(single('BatchNormalization', [1, 5], moments))).model.nodes;
    expect(norm!.attrs).toMatchObject({ epsilon: Math.fround(1e-5) });
  });

  it('products with factors that are rounded, with a note', async () => {
    const scaled = (alpha: number, beta: number) =>
      buildOnnx(
        single('Gemm', [1, 4], [weights(4, 3), weights(3)], { alpha: { float: alpha }, beta: { float: beta } }),
      );
    const note = 'Weights of products with alpha or beta were multiplied by them and rounded to float32.';
    for (const [alpha, beta] of [
      [0.1, 1],
      [1, 0.3],
    ] as const) {
      expect((await matchesRuntime(scaled(alpha, beta), 'rounded')).notes).toEqual([note]);
    }
    expect((await matchesRuntime(scaled(0.5, 4), 'exact')).notes).toEqual([]);
  });

  it('the sum of a node with itself', async () => {
    await matchesRuntime(buildOnnx({ input: [1, 5], nodes: [node('Add', ['x', 'x'])] }), 'self');
  });

  const mlp = chain(
    [1, 4],
    { w: weights(4, 6), b: weights(6), v: weights(6, 3) },
    ['MatMul', ['<', 'w']],
    ['Add', ['<', 'b']],
    ['Relu', ['<']],
    ['MatMul', ['<', 'v']],
  );

  it.each([7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21])('version %i of the operators', async (opset) => {
    const { opset: read, producer } = await matchesRuntime(buildOnnx({ ...mlp, opset }), `version ${opset}`);
    expect([read, producer]).toEqual([opset, 'test']);
  });

  it('constants as inputs, as lists of numbers, and as nodes', async () => {
    await matchesRuntime(buildOnnx({ ...mlp, constantsAsInputs: true }), 'inputs');
    const listed = Object.entries(mlp.constants!).map(([name, tensor]) => [name, { ...tensor, listed: true }] as const);
    await matchesRuntime(buildOnnx({ ...mlp, constants: Object.fromEntries(listed) }), 'lists');
    const nodes = listed.map(([name, value]) => ({ op: 'Constant', inputs: [], name, attributes: { value } }));
    const { model } = await matchesRuntime(
      buildOnnx({ ...mlp, constants: {}, nodes: [...nodes, ...mlp.nodes] }),
      'nodes',
    );
    expect(model.nodes.map(({ op }) => op)).toEqual(['dense', 'relu', 'dense']);
  });

  it('constants that the graph computes from constants', async () => {
    const graph = chain(
      [1, 4],
      { a: weights(6, 4), b: weights(6, 1), s: ints(6, 4), p: ints(0, 0, 0, 0) },
      ['Reshape', ['a', 's']],
      ['Mul', ['<', 'b']],
      ['Transpose', ['<'], { perm: [1, 0] }],
      ['MatMul', ['x', '<']],
    );
    await matchesRuntime(buildOnnx(graph), 'folded');
  });

  it('nodes that no output needs are left out', async () => {
    const nodes = [...mlp.nodes, node('Erf', [mlp.nodes.at(-1)!.name])];
    await matchesRuntime(buildOnnx({ ...mlp, nodes, output: mlp.nodes.at(-1)!.name }), 'needless');
  });

  it('float64, rounded, with a note', () => {
    const constants = Object.fromEntries(
      Object.entries(mlp.constants!).map(([name, { shape, data }]) => [
        name,
        { shape, data: data.map((value) => value / 3), type: 'float64' } as const,
      ]),
    );
    const { notes, params } = readOnnx(buildOnnx({ ...mlp, constants, inputType: 'float64' }));
    expect(notes).toEqual([
      'The network computes in float64; the import computes in float32.',
      'Weights in float64 were rounded to float32.',
    ]);
    expect(params.dense1!.bias!.data[0]).toBe(Math.fround(mlp.constants!.b!.data[0]! / 3));
  });
});

describe('graphs of random reshapes, transpositions and layers', () => {
  it.each(Array.from({ length: 60 }, (_, seed) => seed))('seed %i', async (seed) => {
    const rng = createRng(seed, 'graphs');
    const constants: Record<string, TestTensor> = {};
    const constant = (tensor: TestTensor) => {
      const name = `k${Object.keys(constants).length}`;
      constants[name] = tensor;
      return name;
    };
    let shape: number[] = rng.int(2) === 0 ? [1, 2 + rng.int(2), 4, 3 + rng.int(3)] : [1, 24];
    const input = shape;
    let before = 'x';
    const earlier: { readonly name: string; readonly shape: readonly number[] }[] = [];
    const nodes: TestNode[] = [];
    const step = (op: string, inputs: string[], next: number[], attributes: TestNode['attributes'] = {}) => {
      nodes.push(node(op, inputs, attributes));
      before = nodes.at(-1)!.name;
      shape = next;
      earlier.push({ name: before, shape });
    };
    const pick = <T>(list: readonly T[]): T | undefined => list[rng.int(Math.max(1, list.length))];
    const size = () => shape.reduce((a, b) => a * b, 1);
    for (let i = 0; i < 12; i++) {
      const kind = rng.int(9);
      const last = shape;
      const twin = pick(earlier.filter((value) => value.shape.join() === last.join()));
      if (kind === 0) step('Relu', [before], shape);
      else if (kind === 1) step('Add', [before, constant(weights(...shape.slice(1)))], shape);
      else if (kind === 2) step('Flatten', [before], [1, size()]);
      else if (kind === 3) {
        // The batch stays in front.
        const perm = [0, ...[...rng.permutation(shape.length - 1)].map((axis) => axis + 1)];
        const next = perm.map((axis) => shape[axis]!);
        step('Transpose', [before], next, { perm });
      } else if (kind === 4) {
        const n = size();
        const divisors = Array.from({ length: n }, (_, d) => d + 1).filter((d) => n % d === 0);
        const channels = divisors[rng.int(divisors.length)]!;
        const rest = divisors.filter((d) => (n / channels) % d === 0);
        const height = rest[rng.int(rest.length)]!;
        const next = [1, channels, height, n / channels / height];
        step('Reshape', [before, constant(ints(...next))], next);
      } else if (kind === 5 && shape.length === 4 && size() < 2000) {
        step('Conv', [before, constant(weights(3, shape[1]!, 1, 1))], [1, 3, shape[2]!, shape[3]!]);
      } else if (kind === 6 && twin !== undefined) {
        step('Add', [before, twin.name], shape);
      } else if (kind === 7 && twin !== undefined && size() < 300) {
        const axis = 1 + rng.int(shape.length - 1);
        step(
          'Concat',
          [before, twin.name],
          shape.map((n, i) => (i === axis ? 2 * n : n)),
          { axis },
        );
      } else if (shape.length === 2) {
        step('MatMul', [before, constant(weights(size(), 12))], [1, 12]);
      } else step('Sigmoid', [before], shape);
    }
    const bytes = buildOnnx({ input, constants, nodes });
    try {
      await matchesRuntime(bytes, `random ${seed}`);
    } catch (error) {
      // What only moves numbers has no layer.
      if (!(error instanceof CertError)) throw error;
      expect(error.message).toMatch(/does not depend on any layer/);
    }
  });
});

describe('readOnnx refuses', () => {
  const refused = (graph: TestGraph | Uint8Array): CertError => {
    try {
      readOnnx(graph instanceof Uint8Array ? graph : buildOnnx(graph));
    } catch (error) {
      if (error instanceof CertError) return error;
      throw error;
    }
    throw new Error('it was read');
  };
  it('a field with a tag beyond 32 bits, which other readers take for another field', () => {
    // The tag of field 7, the graph, plus 2^32, and a length of 0.
    const hidden = [0xba, 0x80, 0x80, 0x80, 0x10, 0];
    const error = refused(Uint8Array.from([...buildOnnx(single('Relu', [1, 5])), ...hidden]));
    expect([error.code, error.message]).toEqual(['bad-file', expect.stringMatching(/without a valid number/)]);
  });

  const withNaN = (value: number): TestTensor => ({ shape: [4, 1], data: [1, value, 1, 1] });

  it.each<[string, TestGraph, CertError['code'], RegExp]>([
    ['an op without a rule', single('Erf', [1, 5]), 'missing-rule', /"node_Erf_\d+" \(Erf\): the op is not supported/],
    [
      'an op of another domain',
      { input: [1, 5], nodes: [{ ...node('Relu', ['x']), domain: 'my.ops' }] },
      'missing-rule',
      /domain "my.ops"/,
    ],
    ['an op that objects have', single('constructor', [1, 5]), 'missing-rule', /constructor/],
    [
      'an attribute that it does not know',
      single('Relu', [1, 5], [], { alpha: 1 }),
      'missing-rule',
      /attribute "alpha"/,
    ],
    ['NaN in weights', single('MatMul', [1, 4], [withNaN(Number.NaN)]), 'bad-file', /"c0" have NaN at 1/],
    [
      'infinity in weights',
      single('MatMul', [1, 4], [withNaN(Number.POSITIVE_INFINITY)]),
      'bad-file',
      /"c0" have Infinity/,
    ],
    [
      'float64 that float32 cannot hold',
      single('MatMul', [1, 4], [{ ...withNaN(1e300), type: 'float64' }]),
      'bad-file',
      /1e\+300/,
    ],
    ['a batch of 2 of images', single('Relu', [2, 3, 4, 4]), 'bad-file', /a batch of 2/],
    ['a batch of 2 of vectors', single('Relu', [2, 3]), 'bad-file', /a batch of 2/],
    ['a batch of 2 of three axes', single('MatMul', [2, 1, 3], [weights(3, 2)]), 'missing-rule', /2 rows at once/],
    ['a symbolic height', single('Relu', [1, 3, 'h', 4]), 'bad-file', /\[1,3,\?,4\]/],
    ['an input that is too large', single('Relu', [1, 3, 1e6, 1e6]), 'bad-file', /too large/],
    [
      'a product of nodes',
      { input: [1, 5], nodes: [node('Mul', ['x', 'x'])] },
      'missing-rule',
      /multiplies two computed values/,
    ],
    ['an old version', single('Relu', [1, 5], [], {}, 6), 'bad-file', /version 6/],
    ['a new version', single('Relu', [1, 5], [], {}, 22), 'bad-file', /version 22/],
    [
      'a network without layers',
      { input: [1, 5], nodes: [node('Identity', ['x'])] },
      'bad-file',
      /does not depend on any layer/,
    ],
    [
      'an output that is a constant',
      { input: [1, 5], constants: { c: weights(2) }, nodes: [node('Identity', ['c'])] },
      'bad-file',
      /does not depend/,
    ],
    [
      'a value that nothing computes',
      { input: [1, 5], nodes: [node('Relu', ['y'])] },
      'bad-file',
      /nothing before it computes/,
    ],
    ['Softmax in between', chain([1, 5], {}, ['Softmax', ['<']], ['Relu', ['<']]), 'missing-rule', /at the end/],
    ['Softmax over a part', single('Softmax', [1, 2, 3], [], { axis: 2 }), 'missing-rule', /at the end/],
    ['limits in the wrong order', single('Clip', [1, 5], [scalar(1), scalar(-1)]), 'bad-file', /limits are 1 and -1/],
    ...[10, 13].flatMap((opset) =>
      (
        [
          ['an infinite lower limit', 'min', Number.POSITIVE_INFINITY, /limits are Infinity and Infinity/],
          ['an infinite upper limit', 'max', Number.NEGATIVE_INFINITY, /limits are -Infinity and -Infinity/],
        ] as const
      ).map(
        ([name, key, value, message]) =>
          [
            `${name}, version ${opset}`,
            opset === 10
              ? single('Clip', [1, 5], [], { [key]: { float: value } }, opset)
              : {
                  input: [1, 5],
                  constants: { c: scalar(value) },
                  nodes: [node('Clip', key === 'min' ? ['x', 'c'] : ['x', '', 'c'])],
                },
            'bad-file',
            message,
          ] as [string, TestGraph, CertError['code'], RegExp],
      ),
    ),
    ...(
      [
        ['a product', { a: ints(2 ** 16) }, node('Mul', ['a', 'a'])],
        ['a product of 32 bits', { a: { ...ints(2 ** 16), type: 'int32' } }, node('Mul', ['a', 'a'])],
        ['a conversion', { a: { shape: [1], data: [3e9] } }, node('Cast', ['a'], { to: 6 })],
        ['a conversion to 64 bits', { a: { shape: [1], data: [-(2 ** 64)] } }, node('Cast', ['a'], { to: 7 })],
      ] as const
    ).map(([name, constants, made]): [string, TestGraph, CertError['code'], RegExp] => {
      const float: TestNode = { op: 'Cast', inputs: [made.name], name: 'f', attributes: { to: 1 } };
      const nodes = [made, float, node('Add', ['x', 'f'])];
      return [
        `whole numbers of more than 32 bits: ${name}`,
        { input: [1, 1], constants, nodes },
        'missing-rule',
        /it makes the whole number (4294967296|3000000000|-18446744073709552000)/,
      ];
    }),
    ['a slope above 1', single('LeakyRelu', [1, 5], [], { alpha: { float: 1.5 } }), 'missing-rule', /slope is 1.5/],
    ['a division by 0', single('Div', [1, 5], [filled(0, 5)]), 'bad-file', /divides by 0/],
    [
      'a variance that is not positive',
      single('BatchNormalization', [1, 2], [weights(2), weights(2), weights(2), filled(-1, 2)]),
      'bad-file',
      /variance/,
    ],
    [
      'a BatchNormalization in training mode',
      single('BatchNormalization', [1, 2], [weights(2), weights(2), weights(2), positive(2)], { training_mode: 1 }, 14),
      'missing-rule',
      /training mode/,
    ],
    ...[7, 9, 13].map((opset): [string, TestGraph, CertError['code'], RegExp] => {
      const outputs = opset < 9 ? ['mean', 'var', 'saved_mean', 'saved_var'] : ['', 'var'];
      const graph = single('BatchNormalization', image, [weights(3), weights(3), weights(3), positive(3)], {}, opset);
      const nodes = graph.nodes.map((made) => ({ ...made, moreOutputs: outputs }));
      return [
        `a BatchNormalization with outputs of training, version ${opset}`,
        { ...graph, nodes },
        'missing-rule',
        /training mode/,
      ];
    }),
    [
      'the second output of MaxPool',
      {
        input: windows,
        nodes: [
          { ...node('MaxPool', ['x'], { kernel_shape: [2, 2] }), name: 'm', moreOutputs: ['i'] },
          node('Relu', ['i']),
        ],
      },
      'missing-rule',
      /output "i" is used/,
    ],
    [
      'dilated pooling',
      single('MaxPool', windows, [], { kernel_shape: [2, 2], dilations: [2, 2] }),
      'missing-rule',
      /dilation/,
    ],
    [
      'padding with other numbers',
      single('Pad', windows, [ints(0, 0, 1, 1, 0, 0, 1, 1), scalar(1)]),
      'missing-rule',
      /pads/,
    ],
    [
      'a kernel that is larger than the image',
      single('Conv', [1, 1, 2, 2], [weights(1, 1, 5, 5)]),
      'bad-file',
      /^The ONNX file has the node "node_Conv_\d+" \(Conv\), which cannot be imported: .* a 5x5 kernel is larger than the padded image\.$/,
    ],
    [
      'zeros that fill a window',
      single('MaxPool', windows, [], { kernel_shape: [2, 2], pads: [2, 2, 2, 2] }),
      'bad-file',
      /"node_MaxPool_\d+" \(MaxPool\), which cannot be imported: .* not smaller than the 2x2 windows\.$/,
    ],
    ['channels that do not fit', single('Conv', image, [weights(2, 4, 3, 3)]), 'bad-file', /groups of 4 channels/],
    ['a matrix that does not fit', single('MatMul', [1, 4], [weights(5, 3)]), 'bad-file', /by a matrix of 5 rows/],
    ['a shape that does not fit', single('Reshape', [1, 4], [ints(3, -1)]), 'bad-file', /to \[3,/],
    ['a reshape by weights', single('Reshape', [1, 4], [weights(2)]), 'bad-file', /does not contain whole numbers/],
    [
      'a computed value that is repeated',
      single('Add', [1, 1], [weights(1, 4)]),
      'missing-rule',
      /broadcasts a computed value/,
    ],
    [
      'a name that is computed twice',
      {
        input: [1, 5],
        nodes: [
          { op: 'Relu', inputs: ['x'], name: 'a' },
          { op: 'Tanh', inputs: ['x'], name: 'a' },
        ],
      },
      'bad-file',
      /already used/,
    ],
    ['no kernel shape', single('MaxPool', windows), 'bad-file', /windows have the size/],
    [
      'a stride of 0',
      single('MaxPool', windows, [], { kernel_shape: [2, 2], strides: [0, 1] }),
      'bad-file',
      /"strides" is \[0,1\]/,
    ],
    [
      'an attribute of the wrong type',
      single('Gemm', [1, 4], [weights(4, 3)], { alpha: 1 }),
      'bad-file',
      /"alpha" is not a number/,
    ],
  ])('%s', (_, graph, code, message) => {
    const error = refused(graph);
    expect([error.code, error.problem]).toEqual([code, expect.stringMatching(message)]);
  });

  it('bytes that are no ONNX file', () => {
    expect(refused(new Uint8Array(0)).problem).toContain('no graph');
    expect(refused(new TextEncoder().encode('(declare-const X_0 Real)')).code).toBe('bad-file');
    const whole = buildOnnx(single('MatMul', [1, 4], [weights(4, 3)]));
    for (let length = 1; length < whole.length; length++) {
      expect(refused(whole.subarray(0, length)).code).toBe('bad-file');
    }
  });

  it('fields that occur twice, which readers understand differently', () => {
    const whole = buildOnnx(single('Relu', [1, 4]));
    const twice = new Uint8Array(whole.length * 2);
    twice.set(whole);
    twice.set(whole, whole.length);
    expect(refused(twice).problem).toMatch(/twice/);
  });
});

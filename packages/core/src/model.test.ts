import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  add,
  avgPool,
  batchNorm,
  CertError,
  checkModel,
  concat,
  conv2d,
  dense,
  flatten,
  globalAvgPool,
  graph,
  INPUT,
  type Layer,
  leakyRelu,
  type Model,
  maxPool,
  relu,
  reluInputs,
  reshape,
  sequential,
  sigmoid,
  softmax,
  tanh,
  transpose,
} from './index.js';

/** A residual net: two paths from the first ReLU meet in an add. */
function residual(): Model {
  const g = graph([8, 8, 3]);
  g.add(conv2d(4));
  const trunk = g.add(relu(), undefined, 'trunk');
  g.add(conv2d(6, { stride: 2 }));
  const branch = g.add(batchNorm());
  const shortcut = g.add(conv2d(6, { stride: 2, kernel: 1, padding: 0 }), [trunk], 'shortcut');
  g.add(add(), [branch, shortcut], 'sum');
  g.add(relu());
  g.add(globalAvgPool());
  g.add(dense(10));
  return g.build();
}

const thrown = (f: () => unknown): unknown => {
  try {
    return f();
  } catch (error) {
    return error;
  }
};

describe('graph', () => {
  it('names nodes, infers shapes and keeps the order', () => {
    const { nodes, classes, inputShape } = residual();
    expect({ classes, inputShape }).toEqual({ classes: 10, inputShape: [8, 8, 3] });
    expect(nodes.map(({ name, inputs, shape }) => [name, inputs, shape])).toEqual([
      ['conv2d1', [INPUT], [8, 8, 4]],
      ['trunk', ['conv2d1'], [8, 8, 4]],
      ['conv2d2', ['trunk'], [4, 4, 6]],
      ['batchNorm1', ['conv2d2'], [4, 4, 6]],
      ['shortcut', ['trunk'], [4, 4, 6]],
      ['sum', ['batchNorm1', 'shortcut'], [4, 4, 6]],
      ['relu2', ['sum'], [4, 4, 6]],
      ['globalAvgPool1', ['relu2'], [6]],
      ['dense1', ['globalAvgPool1'], [10]],
    ]);
    expect(nodes[2]).toEqual({
      name: 'conv2d2',
      op: 'conv2d',
      inputs: ['trunk'],
      attrs: { stride: 2, padding: 1, groups: 1 },
      shape: [4, 4, 6],
      params: { kernel: [3, 3, 4, 6], bias: [6] },
      stats: {},
    });
    expect(nodes[3]).toMatchObject({ params: { gamma: [6], beta: [6] }, stats: { mean: [6], variance: [6] } });
  });

  it('builds what one node needs', () => {
    const g = graph([2]);
    g.add(dense(3), undefined, 'y');
    g.add(relu(), ['y'], 'out');
    g.add(dense(4), ['y'], 'unread');
    g.add(batchNorm());
    expect(g.build().classes).toBe(4);
    const { nodes, classes } = g.build('out');
    expect([nodes.map(({ name }) => name), classes]).toEqual([['y', 'out'], 3]);
    expect(thrown(() => g.build('nothing'))).toMatchObject({ code: 'bad-model' });
  });

  it('survives JSON', () => {
    expect(checkModel(JSON.parse(JSON.stringify(residual())))).toEqual(residual());
  });

  it('gives shapes of nodes and of the input', () => {
    const g = graph([4, 4, 1]);
    const name = g.add(conv2d(2));
    expect([g.shapeOf(INPUT), g.shapeOf(name)]).toEqual([
      [4, 4, 1],
      [4, 4, 2],
    ]);
  });

  it.each<[string, () => unknown, string]>([
    ['an input without shape', () => graph([]), 'The input shape is [].'],
    ['a fractional input', () => graph([2.5]), 'The input shape is [2.5].'],
    ['a name used twice', () => thenAdd('a', 'a'), 'Two nodes have the name "a".'],
    ['the name of the input', () => graph([3]).add(relu(), [INPUT], INPUT), 'Two nodes have the name "input".'],
    [
      'an input that is not there',
      () => graph([3]).add(relu(), ['x'], 'r'),
      'Node "r" (relu): node "x" does not exist.',
    ],
    [
      'too few inputs',
      () => graph([3]).add(add(), [INPUT]),
      'Node "add1" (add) does not fit its inputs of shapes [3]: it takes 2 inputs but got 1.',
    ],
    [
      'a sum of different shapes',
      () => mixedSum(),
      'Node "add1" (add) does not fit its inputs of shapes [4], [5]: both inputs must have the same shape.',
    ],
    [
      'dense on images',
      () => graph([4, 4, 1]).add(dense(3)),
      'Node "dense1" (dense) does not fit its inputs of shapes [4,4,1]: a dense layer takes a flat input',
    ],
    [
      'conv2d on vectors',
      () => graph([4]).add(conv2d(3)),
      'Node "conv2d1" (conv2d) does not fit its inputs of shapes [4]: a convolution takes [height, width, channels]',
    ],
    ['dense without units', () => graph([4]).add(dense(0)), 'its output would have the shape [0].'],
    [
      'a stride of 0',
      () => graph([4, 4, 1]).add(conv2d(2, { stride: 0 })),
      'its stride is [0,0] instead of one or two whole numbers from 1.',
    ],
    ['a fractional number of units', () => graph([4]).add(dense(1.5)), 'its output would have the shape [1.5].'],
    ['an output that is no vector', () => sequential([4, 4, 1], [conv2d(2)]), 'The last node has the shape [4,4,2].'],
    ['no nodes', () => graph([4]).build(), 'The last node has the shape [].'],
    ['the shape of a node that is not there', () => graph([4]).shapeOf('x'), 'shapeOf: node "x" does not exist.'],
  ])('refuses %s and names the node', (_name, build, problem) => {
    expect(thrown(build)).toMatchObject({ code: 'bad-model', problem: expect.stringContaining(problem) });
  });

  const thenAdd = (...names: string[]) => {
    const g = graph([3]);
    for (const name of names) g.add(relu(), [INPUT], name);
  };
  const mixedSum = () => {
    const g = graph([3]);
    g.add(add(), [g.add(dense(4), [INPUT]), g.add(dense(5), [INPUT])]);
  };
});

describe('sequential', () => {
  it('chains layers', () => {
    const { nodes } = sequential([6, 6, 2], [conv2d(3), relu(), avgPool(2), flatten(), dense(4)]);
    expect(nodes.map(({ shape }) => shape)).toEqual([[6, 6, 3], [6, 6, 3], [3, 3, 3], [27], [4]]);
  });
});

describe('reluInputs', () => {
  it('are the nodes that feed a ReLU, in order and once each', () => {
    expect(reluInputs(residual())).toEqual(['conv2d1', 'sum']);
    const g = graph([3]);
    g.add(relu(), [INPUT]);
    g.add(relu(), [INPUT]);
    expect(reluInputs(g.build())).toEqual([INPUT]);
    expect(reluInputs(sequential([3], [dense(2)]))).toEqual([]);
  });
});

describe('checkModel', () => {
  const json = () => JSON.parse(JSON.stringify(residual()));
  type Loose = ReturnType<typeof json>;

  it.each<[string, (model: Loose) => unknown, string]>([
    ['something else', () => 3, 'This is not a model.'],
    ['null', () => null, 'This is not a model.'],
    ['no input shape', (m) => delete m.inputShape && m, 'This is not a model.'],
    ['a name used twice', (m) => set(m, 'nodes.1.name', 'conv2d1'), 'The name "conv2d1" is used twice.'],
    [
      'an order that is not topological',
      (m) => ({ ...m, nodes: [...m.nodes].reverse() }),
      'Node "dense1" reads "globalAvgPool1", which does not come before it.',
    ],
    ['a negative size', (m) => set(m, 'nodes.0.shape', [8, -8, 4]), 'Node "conv2d1" has the shape [8,-8,4].'],
    ['a parameter without shape', (m) => set(m, 'nodes.0.params.kernel', null), '"conv2d1.kernel" has the shape null.'],
    ['a node without inputs', (m) => set(m, 'nodes.0.inputs', []), 'Node "conv2d1" has no inputs.'],
    ['a node without attributes', (m) => set(m, 'nodes.4.attrs', 1), 'Node "shortcut" lacks attrs, params or stats.'],
    ['a node without op', (m) => set(m, 'nodes.2.op', undefined), 'Node number 2 has no name or no op.'],
    [
      'an input that no text can name',
      (m) => set(m, 'nodes.0.inputs', [{ toString: null }]),
      'Node "conv2d1" reads {"toString":null}, which does not come before it.',
    ],
    [
      'classes that no text can name',
      (m) => set(m, 'classes', { toString: null }),
      'but the model has {"toString":null}',
    ],
    [
      'a stride of 0',
      (m) => set(m, 'nodes.0.attrs.stride', 0),
      'Node "conv2d1" (conv2d) has the attributes {"stride":0',
    ],
    ['a stride that is a text', (m) => set(m, 'nodes.0.attrs.stride', '1'), '{"stride":"1"'],
    ['an input too many', (m) => set(m, 'nodes.1.inputs', ['conv2d1', 'input']), 'has 2 inputs instead of 1'],
    ['another shape than the op gives', (m) => set(m, 'nodes.0.shape', [8, 8, 5]), 'has the shape [8,8,5] instead of'],
    ['a parameter of another shape', (m) => set(m, 'nodes.0.params.bias', [5]), 'has the params {"kernel":'],
    ['a parameter too few', (m) => delete m.nodes[0].params.bias && m, 'has the params {"kernel":'],
    ['other classes', (m) => set(m, 'classes', 11), 'The last node has the shape [10], but the model has 11 classes.'],
    ['no nodes', (m) => set(m, 'nodes', []), 'The last node has the shape []'],
  ])('refuses %s', (_name, tamper, problem) => {
    expect(thrown(() => checkModel(tamper(json()) as Model))).toMatchObject({
      code: 'bad-model',
      problem: expect.stringContaining(problem),
    });
  });

  it('takes every op as it was written', () => {
    expect(checkModel(imported())).toEqual(everyOp());
  });

  it.each<[string, string, unknown]>([
    ['a stride of three', 'nodes.0.attrs.stride', [1, 1, 1]],
    ['a padding of two', 'nodes.0.attrs.padding', [1, 1]],
    ['a dilation of 0', 'nodes.0.attrs.dilation', 0],
    ['null instead of no dilation', 'nodes.0.attrs.dilation', null],
    ['an attribute that it does not know', 'nodes.0.attrs.transposed', true],
    ['an average with a count that is no boolean', 'nodes.1.attrs.countPadding', 1],
    ['an average with an attribute that it does not know', 'nodes.1.attrs.ceilMode', true],
    ['a maximum that counts padding', 'nodes.2.attrs.countPadding', true],
    ['a slope that is a text', 'nodes.3.attrs.slope', '0.1'],
    ['axes that are no list', 'nodes.4.attrs.perm', 1],
    ['a shape with a place to guess', 'nodes.5.attrs.shape', [-1, 2]],
    ['an axis below 0', 'nodes.6.attrs.axis', -1],
  ])('refuses %s', (_name, path, value) => {
    expect(thrown(() => checkModel(set(imported(), path, value) as Model))).toMatchObject({
      code: 'bad-model',
      problem: expect.stringContaining(' has the attributes {'),
    });
  });

  it('throws nothing but CertError, whatever the file holds', () => {
    const junk = fc.oneof(fc.constantFrom(null, undefined, -1, 1.5, '', 'x', true), fc.jsonValue());
    for (const read of [json, imported]) {
      fc.assert(
        fc.property(fc.constantFrom(...pathsOf(read())), junk, (path, value) => {
          const result = thrown(() => checkModel(set(read(), path, value) as Model));
          expect(result instanceof CertError || !(result instanceof Error)).toBe(true);
        }),
        { numRuns: 500 },
      );
    }
  });

  const imported = (): Loose => JSON.parse(JSON.stringify(everyOp()));

  /** The ops that networks from other programs bring. */
  function everyOp(): Model {
    const g = graph([6, 5, 2]);
    g.add(conv2d(4, { kernel: [2, 3], stride: [1, 2], padding: [0, 1, 2, 0], dilation: [2, 1] }));
    g.add(avgPool([2, 1], { stride: 1, padding: [1, 0, 0, 0], countPadding: true }));
    g.add(maxPool(2, { padding: 1 }));
    const leaky = g.add(leakyRelu(0.2));
    g.add(transpose([2, 0, 1]));
    const moved = g.add(reshape([...g.shapeOf(leaky)]));
    g.add(concat(2, 3), [leaky, moved, leaky]);
    for (const layer of [sigmoid(), tanh(), flatten(), dense(3), softmax()]) g.add(layer as Layer);
    return g.build();
  }

  /** The same data with one value replaced. */
  function set(data: Loose, path: string, value: unknown): Loose {
    const keys = path.split('.');
    let node = data;
    for (const key of keys.slice(0, -1)) node = node[key];
    node[keys.at(-1)!] = value;
    return data;
  }

  function pathsOf(data: unknown, prefix = ''): string[] {
    if (data === null || typeof data !== 'object') return [];
    return Object.entries(data).flatMap(([key, value]) => {
      const path = prefix === '' ? key : `${prefix}.${key}`;
      return [path, ...pathsOf(value, path)];
    });
  }
});

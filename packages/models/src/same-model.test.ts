import { batchNorm, CertError, dense, type Model, relu, sequential } from '@cert/core';
import { expect, it } from 'vitest';
import { assertSameModel, cnn7, mlp } from './index.js';

const small = { inputShape: [4, 4, 1], classes: 3, width: 2, dense: 3 } as const;
const problem = (a: Model, b: Model): string => {
  try {
    assertSameModel(a, b, ['old.safetensors', 'the preset']);
  } catch (error) {
    if (error instanceof CertError && error.code === 'shape-mismatch') return error.problem;
    throw error;
  }
  return 'the same';
};

it('accepts the same graph, also after a way through JSON and with keys in another order', () => {
  const model = cnn7({ ...small, normalize: { mean: [0], std: [0.3] } });
  expect(problem(model, JSON.parse(JSON.stringify(model)))).toBe('the same');
  const reordered = model.nodes.map(({ name, ...node }) => ({ ...node, name }) as typeof node & { name: string });
  expect(problem(model, { ...model, nodes: reordered as Model['nodes'] })).toBe('the same');
});

it.each([
  [cnn7(small), cnn7({ ...small, inputShape: [8, 8, 1] }), 'the input shape is [4,4,1] in old.safetensors and [8,8,1]'],
  [cnn7(small), cnn7({ ...small, width: 4 }), 'params of node "conv1" is {"kernel":[3,3,1,2],"bias":[2]}'],
  [cnn7(small), cnn7({ ...small, batchNorm: 'none' }), 'node 2 is "bn1" ("batchNorm") in old.safetensors'],
  [cnn7(small), cnn7({ ...small, classes: 4 }), 'params of node "dense2"'],
  [
    mlp({ inputShape: [4], classes: 2, hidden: [] }),
    mlp({ inputShape: [4], classes: 2, hidden: [3] }),
    'params of node "dense1"',
  ],
  [
    sequential([2], [dense(2)]),
    sequential([2], [dense(2), relu()]),
    'node 2 is no such node in old.safetensors and "relu1" ("relu") in the preset',
  ],
  [
    sequential([2], [batchNorm({ momentum: 0.1 })]),
    sequential([2], [batchNorm({ momentum: 0.2 })]),
    'attrs of node "batchNorm1" is {"momentum":0.1,"epsilon":0.00001} in old.safetensors and {"momentum":0.2,"epsilon":0.00001}',
  ],
])('names the first difference (%#)', (a, b, expected) => {
  expect(problem(a, b)).toContain(expected);
});

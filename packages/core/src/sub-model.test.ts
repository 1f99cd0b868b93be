import { describe, expect, it } from 'vitest';
import { add, conv2d, dense, flatten, graph, relu, sequential, subModel } from './index.js';

const model = sequential([4, 4, 1], [conv2d(2), relu(), flatten(), dense(5), relu(), dense(3)]);

describe('subModel', () => {
  it('is the part behind a node, under the same names', () => {
    const part = subModel(model, 'relu1');
    expect(part.inputShape).toEqual([4, 4, 2]);
    expect(part.classes).toBe(3);
    expect(part.nodes.map(({ name, inputs }) => [name, ...inputs])).toEqual([
      ['flatten1', 'input'],
      ['dense1', 'flatten1'],
      ['relu2', 'dense1'],
      ['dense2', 'relu2'],
    ]);
    expect(part.nodes.slice(1)).toEqual(model.nodes.slice(3));
  });

  it('is the whole model behind the input', () => {
    expect(subModel(model, 'input')).toBe(model);
  });

  it('refuses unknown nodes, the last one, and a cut that a shortcut passes', () => {
    expect(() => subModel(model, 'relu9')).toThrow(/no node "relu9"[\s\S]*conv2d1, relu1, flatten1/);
    expect(() => subModel(model, 'dense2')).toThrow('No node follows "dense2"');
    const g = graph([4]);
    const stem = g.add(dense(4));
    const inside = g.add(relu());
    g.add(add(), [g.add(dense(4)), stem]);
    g.add(dense(2));
    const residual = g.build();
    expect(() => subModel(residual, inside)).toThrow(`"add1" reads "${stem}" too`);
    expect(subModel(residual, 'add1').nodes.map(({ name }) => name)).toEqual(['dense3']);
    expect(subModel(residual, stem).nodes).toHaveLength(4);
  });
});

import { describe, expect, it } from 'vitest';
import { affine, dense, relu } from './layers.js';
import { sequential } from './model.js';
import { countParams, paramSpecs } from './params.js';
import { l2, linf, perturbationEnds } from './perturbation.js';
import { withLabel, withLabelUnits, withTolerance } from './tolerance.js';

const model = sequential([2], [dense(3), relu(), dense(1)]);

describe('withTolerance', () => {
  it('takes a row and its label, and adds layers without changing the names of the others', () => {
    const { model: wrapped, params } = withTolerance(model, 4);
    expect([wrapped.inputShape, wrapped.classes]).toEqual([[3], 3]);
    expect(wrapped.nodes.map(({ name, inputs }) => [name, ...inputs])).toEqual([
      ['tolerance.features', 'input'],
      ['tolerance.label', 'input'],
      ['dense1', 'tolerance.features'],
      ['relu1', 'dense1'],
      ['dense2', 'relu1'],
      ['tolerance.both', 'dense2', 'tolerance.label'],
      ['tolerance.logits', 'tolerance.both'],
    ]);
    const added = countParams(wrapped) - countParams(model);
    expect(
      Object.values(params)
        .flatMap((own) => Object.values(own))
        .reduce((sum, { data }) => sum + data.length, 0),
    ).toBe(added);
    for (const { node, name, shape } of paramSpecs(wrapped).filter(({ node: of }) => of in params)) {
      expect(params[node]![name]!.shape).toEqual(shape);
    }
    expect([...params['tolerance.features']!.kernel!.data]).toEqual([1, 0, 0, 1, 0, 0]);
    expect([...params['tolerance.label']!.kernel!.data]).toEqual([0, 0, 1]);
  });

  it.each([1e-30, 0.1, 3, 250_000, 1e30])('never claims a larger tolerance than %f', (delta) => {
    const [, scale] = withTolerance(model, delta).params['tolerance.logits']!.kernel!.data;
    expect(1 / scale!).toBeLessThanOrEqual(delta);
    expect(1 / scale!).toBeGreaterThan(delta * (1 - 1e-6));
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e-40, 1e40])('refuses the tolerance %f', (delta) => {
    expect(() => withTolerance(model, delta)).toThrow(`delta is ${delta}.`);
  });

  it('refuses images and several outputs', () => {
    expect(() => withTolerance(sequential([2], [dense(2)]), 1)).toThrow(/has 2 outputs/);
    expect(() => withLabelUnits(sequential([2], [dense(2)]), { mean: 0, std: 1 })).toThrow(/has 2 outputs/);
  });
});

describe('withLabel', () => {
  it('keeps the label, whatever the set', () => {
    const set = linf({ epsilon: 0.5, up: [1, 0], down: 2, range: { min: 0, max: [1, 3] } });
    const { lower, upper } = perturbationEnds(withLabel(set, 2), Float32Array.of(0.5, 2, -7), [3]);
    expect([[...lower], [...upper]]).toEqual([
      [0, 1, -7],
      [1, 2, -7],
    ]);
    expect(withLabel(linf({ epsilon: 0.5, range: null, categories: [[0, 1]] }), 2)).toMatchObject({
      ...{ range: null, categories: [[0, 1]] },
    });
  });

  it('refuses a Euclidean ball', () => {
    expect(() => withLabel(l2({ epsilon: 1 }), 2)).toThrow(/not supported for a regression/);
  });
});

describe('withLabelUnits', () => {
  it('ends in the units of the label', () => {
    const last = withLabelUnits(model, { mean: 10, std: 4 }).nodes.at(-1)!;
    expect(last).toMatchObject({ name: 'label', inputs: ['dense2'], attrs: affine([4], [10]).attrs });
    expect(() => withLabelUnits(model, { mean: 10, std: 0 })).toThrow(/the standard deviation 0/);
  });
});

import { linearRelaxation } from '@cert/bounds';
import { dense, relu, sequential } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { bottleneck, loosenessBehind, withSign } from './stem.js';
import { structureOf } from './structure.js';

const model = sequential([2], [dense(16), relu(), dense(3), relu(), dense(16), relu(), dense(2)]);
const structure = structureOf(model, linearRelaxation);
const splittable = ['dense1', 'dense2', 'dense3'];
const sides = (lower: readonly number[], upper: readonly number[]) => ({
  lower: Float32Array.from(lower),
  upper: Float32Array.from(upper),
});
const same = (size: number, lower: number, upper: number) => ({
  lower: new Float32Array(size).fill(lower),
  upper: new Float32Array(size).fill(upper),
});
const bounds = {
  dense1: same(16, -1, 1),
  dense2: sides([-1, -2, 1], [2, 2, 3]),
  dense3: same(16, -1, 1),
};

describe('a bottleneck', () => {
  it('is the layer with the fewest unstable neurons', () => {
    expect(bottleneck(structure, splittable, bounds)).toEqual([
      { node: 1, neuron: 0 },
      { node: 1, neuron: 1 },
    ]);
  });

  it('is no layer whose bounds need no relaxation, and none with everything stable behind it', () => {
    expect(bottleneck(structure, splittable, { ...bounds, dense2: same(3, 1, 2) })).toEqual([]);
    expect(bottleneck(structure, splittable, { ...bounds, dense3: same(16, 0, 1) })).toEqual([]);
    expect(bottleneck(structure, ['dense1', 'dense3'], bounds)).toEqual([]);
  });
});

describe('a split', () => {
  it('changes one end of one neuron in a copy', () => {
    const [active, inactive] = [withSign(bounds, 'dense2', 1, 1), withSign(bounds, 'dense2', 1, -1)];
    expect(active).toEqual({ ...bounds, dense2: sides([-1, 0, 1], [2, 2, 3]) });
    expect(inactive).toEqual({ ...bounds, dense2: sides([-1, -2, 1], [2, 0, 3]) });
    expect(bounds.dense2.lower[1]).toBe(-2);
  });

  it('is measured by the lines behind it', () => {
    expect(loosenessBehind(structure, 'dense2', bounds)).toBeCloseTo(16 / 2);
    expect(loosenessBehind(structure, 'dense2', { ...bounds, dense3: same(16, 0, 1) })).toBe(0);
    expect(loosenessBehind(structure, 'dense1', bounds)).toBeCloseTo(2 / 3 + 1 + 16 / 2);
  });
});

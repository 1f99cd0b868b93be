import { linearRelaxation } from '@cert/bounds';
import { dense, relu, sequential } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { bottleneck, tightened, withSign } from './stem.js';
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
  it('is split at the neuron whose lines are farthest apart', () => {
    expect(bottleneck(structure, splittable, bounds)).toEqual({ node: 1, neuron: 1 });
  });

  it('is no layer whose bounds need no relaxation, and none with everything stable behind it', () => {
    expect(bottleneck(structure, splittable, { ...bounds, dense2: same(3, 1, 2) })).toBeUndefined();
    expect(bottleneck(structure, splittable, { ...bounds, dense3: same(16, 0, 1) })).toBeUndefined();
    expect(bottleneck(structure, ['dense1', 'dense3'], bounds)).toBeUndefined();
  });
});

describe('a split', () => {
  it('changes one end of one neuron in a copy', () => {
    const [active, inactive] = [withSign(bounds, 'dense2', 1, 1), withSign(bounds, 'dense2', 1, -1)];
    expect(active).toEqual({ ...bounds, dense2: sides([-1, 0, 1], [2, 2, 3]) });
    expect(inactive).toEqual({ ...bounds, dense2: sides([-1, -2, 1], [2, 0, 3]) });
    expect(bounds.dense2.lower[1]).toBe(-2);
  });

  it('pays where bounds behind it are tighter, whatever happens in front of it', () => {
    expect(tightened(structure, 'dense2', bounds, { ...bounds, dense3: same(16, -0.5, 1) })).toBe(true);
    expect(tightened(structure, 'dense2', bounds, { ...bounds, dense3: same(16, -0.99, 1) })).toBe(false);
    expect(tightened(structure, 'dense2', bounds, { ...bounds, dense1: same(16, 0, 1) })).toBe(false);
  });
});

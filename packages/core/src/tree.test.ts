import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { flattenTree, mapParams, mapTree, type Tree, tf, unflattenTree } from './index.js';

const key = fc.stringMatching(/^[a-z][a-z0-9]{0,3}$/);
const { tree } = fc.letrec<{ tree: Tree<number> }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.integer(),
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(key, tie('tree'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

describe('trees', () => {
  it('unflatten(flatten) is the identity', () => {
    fc.assert(
      fc.property(tree, (t) => {
        const leaves = flattenTree<number>(t);
        expect(
          unflattenTree<number>(
            t,
            leaves.map(({ value }) => value),
          ),
        ).toEqual(t);
        expect(new Set(leaves.map(({ path }) => path)).size).toBe(leaves.length);
      }),
    );
  });

  it('the order of leaves does not depend on the order of keys', () => {
    const a = { b: 1, a: { d: 2, c: [3, 4] } };
    const b = { a: { c: [3, 4], d: 2 }, b: 1 };
    expect(flattenTree<number>(a)).toEqual(flattenTree<number>(b));
    expect(flattenTree<number>(a)).toEqual([
      { path: 'a.c.0', value: 3 },
      { path: 'a.c.1', value: 4 },
      { path: 'a.d', value: 2 },
      { path: 'b', value: 1 },
    ]);
  });

  it('mapTree maps leaves and keeps the structure', () => {
    fc.assert(
      fc.property(tree, (t) => {
        const twice = mapTree<number, number>((x) => 2 * x, t);
        expect(flattenTree<number>(twice)).toEqual(
          flattenTree<number>(t).map(({ path, value }) => ({ path, value: 2 * value })),
        );
      }),
    );
    expect(mapTree<number, string>((_, path) => path, { a: [0, { b: 0 }] })).toEqual({ a: ['a.0', { b: 'a.1.b' }] });
  });

  it('tensors are leaves, and so is a lone one', () => {
    const x = tf.scalar(1);
    expect(flattenTree(x)).toEqual([{ path: '', value: x }]);
    expect(mapParams((t, path) => `${path}:${t.shape}`, { conv1: { bias: tf.zeros([3]) } })).toEqual({
      conv1: { bias: 'conv1.bias:3' },
    });
  });
});

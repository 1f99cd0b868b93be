import { CertError, type HostTensor, type HostTree } from '@cert/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { flattenHost, unflattenHost } from './index.js';

const tensor = (...values: number[]): HostTensor => ({ shape: [values.length], data: Float32Array.from(values) });

describe('flattenHost and unflattenHost', () => {
  it('names tensors by their dotted path', () => {
    const tree = { optimizer: { m: { conv1: { kernel: tensor(1) } }, step: tensor(2) } };
    expect(Object.keys(flattenHost(tree))).toEqual(['optimizer.m.conv1.kernel', 'optimizer.step']);
  });

  it('are inverse to each other for every tree', () => {
    const key = fc.oneof(
      fc.constantFrom('data', 'shape', '__proto__', '0', 'constructor'),
      fc.string({ minLength: 1 }),
    );
    const { tree } = fc.letrec<{ tree: HostTree; leaf: HostTensor }>((tie) => ({
      leaf: fc.array(fc.float({ noNaN: true }), { maxLength: 3 }).map((values) => tensor(...values)),
      tree: fc
        .dictionary(
          key.filter((name) => !name.includes('.')),
          fc.oneof({ maxDepth: 3 }, tie('leaf'), tie('tree')),
          { minKeys: 1, maxKeys: 4, noNullPrototype: true },
        )
        .map((record) => record as HostTree),
    }));
    fc.assert(
      fc.property(tree, (original) => {
        expect(unflattenHost(flattenHost(original))).toEqual(original);
      }),
    );
  });

  it.each([
    [{ a: { 'b.c': tensor(1) } }, 'The key "b.c" in "a"'],
    [{ a: [tensor(1)] }, '"a" is neither a host tensor nor a record'],
    [{ a: { b: 3 } }, '"a.b" is neither a host tensor nor a record'],
  ])('refuses what has no unambiguous name (%#)', (tree: unknown, problem) => {
    expect(() => flattenHost(tree as HostTree)).toThrow(problem);
    expect(() => flattenHost(tree as HostTree)).toThrow(CertError);
  });

  it('refuses names of which one is the beginning of another', () => {
    expect(() => unflattenHost({ 'a.b': tensor(1), 'a.b.c': tensor(2) }, 'x.safetensors')).toThrow(
      'x.safetensors holds a tensor "a.b" and others whose names begin with "a.b."',
    );
  });
});

it('a name of thousands of parts is refused', () => {
  const tensor = { shape: [], data: Float32Array.of(1) };
  expect(() => unflattenHost({ ['a.'.repeat(20_000)]: tensor }, 'x.safetensors')).toThrow(
    'x.safetensors holds a tensor whose name has 20001 parts',
  );
});

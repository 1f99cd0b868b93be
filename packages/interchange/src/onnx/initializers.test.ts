import { describe, expect, it } from 'vitest';
import { buildOnnx } from '../../test/build-onnx.js';
import { onnxInitializers } from './initializers.js';
import { readOnnx } from './read-onnx.js';

const bytes = buildOnnx({
  opset: 13,
  input: [1, 2, 2, 2],
  constants: {
    w: { shape: [3, 2, 1, 1], data: [1, -2, 0.5, 0, -1, 3] },
    s: { shape: [2], data: [1, -1], type: 'int64' },
    v: { shape: [12, 2], data: Array.from({ length: 24 }, (_, i) => i) },
  },
  nodes: [
    { op: 'Conv', inputs: ['x', 'w'], attributes: {}, name: 'a' },
    { op: 'Relu', inputs: ['a'], attributes: {}, name: 'b' },
    { op: 'Reshape', inputs: ['b', 's'], attributes: {}, name: 'c' },
    { op: 'Relu', inputs: ['c'], attributes: {}, name: 'd' },
    { op: 'MatMul', inputs: ['d', 'v'], attributes: {}, name: 'y' },
  ],
});

it('the constants of a file are bytes, as the file has them', () => {
  const { w, s, v } = onnxInitializers(bytes);
  expect(new Uint8Array(w!)).toEqual(new Uint8Array(Float32Array.of(1, -2, 0.5, 0, -1, 3).buffer));
  expect(new Uint8Array(s!)).toEqual(new Uint8Array(BigInt64Array.of(1n, -1n).buffer));
  expect(v!.length).toBe(96);
  expect(() => onnxInitializers(Uint8Array.of(1, 2, 3))).toThrow();
});

describe('the Relu nodes of a file', () => {
  it('have the names of their outputs, and the order of their neurons', () => {
    const { relus, model } = readOnnx(bytes);
    expect(relus.map(({ output }) => output)).toEqual(['b', 'd']);
    // Of channels and pixels in the file it is pixels and channels in the model.
    const order = [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11];
    for (const { node, order: own } of relus) {
      expect(model.nodes.find(({ name }) => name === node)?.op).toBe('relu');
      expect([...own]).toEqual(order);
    }
  });
});

import { describe, expect, it } from 'vitest';
import { type HostTensor, tf, toHost, toTensors } from './index.js';

const tensor = (...values: number[]): HostTensor => ({ shape: [values.length], data: Float32Array.from(values) });

describe('toTensors and toHost', () => {
  it('carry shapes, dtypes and values over and back', async () => {
    const before = tf.memory().numTensors;
    const tree = {
      conv1: { kernel: { shape: [2, 1], data: Float32Array.of(1.5, -2) } },
      step: { shape: [], data: Int32Array.of(7) },
    };
    const tensors = toTensors(tree);
    expect(tensors.conv1.kernel.dtype).toBe('float32');
    expect(tensors.step.dtype).toBe('int32');
    expect(await toHost(tensors)).toEqual(tree);
    tf.dispose([tensors.conv1.kernel, tensors.step]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('do not share memory', async () => {
    const source = tensor(1, 2);
    const made = toTensors(source);
    source.data[0] = 9;
    expect(Array.from(await made.data())).toEqual([1, 2]);
    made.dispose();
  });

  it('refuse booleans and non-tensors, naming the leaf', async () => {
    const flag = tf.tensor1d([true], 'bool');
    await expect(toHost({ a: { flag } })).rejects.toThrow('"a.flag" is not a tensor of dtype float32 or int32.');
    await expect(toHost({ a: { list: [flag] } })).rejects.toThrow('"a.list.0" is not a tensor');
    flag.dispose();
  });
});

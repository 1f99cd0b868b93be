import { CertError } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { decodeSafetensors, encodeSafetensors } from './index.js';

/** Written by the reference implementation (the Python package safetensors 0.8, `safetensors.numpy.save`). */
const FROM_PYTHON = Buffer.from(
  '6AAAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJ3aG8iOiJweXRob24ifSwicGFyYW1zLmRlbnNlMS5rZXJuZWwiOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6WzIsM10' +
    'sImRhdGFfb2Zmc2V0cyI6WzAsMjRdfSwic2NhbGFyIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOltdLCJkYXRhX29mZnNldHMiOlsyNCwyOF19LCJzdGVwcyI6ey' +
    'JkdHlwZSI6IkkzMiIsInNoYXBlIjpbMl0sImRhdGFfb2Zmc2V0cyI6WzI4LDM2XX19ICAgICAgAACAPwAAAEAAAEBAAACAQAAAoEAAANBAAACAvgcAAAD4////',
  'base64',
);

const SAME = {
  metadata: { who: 'python' },
  tensors: {
    'params.dense1.kernel': { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6.5) },
    scalar: { shape: [], data: Float32Array.of(-0.25) },
    steps: { shape: [2], data: Int32Array.of(7, -8) },
  },
};

/** A file with any header, for the ways in which one can be wrong. */
function file(header: unknown, dataBytes = 0): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const f32 = (shape: number[], begin: number, end: number) => ({ dtype: 'F32', shape, data_offsets: [begin, end] });

describe('the safetensors format', () => {
  it('reads what the reference implementation wrote', () => {
    expect(decodeSafetensors(FROM_PYTHON)).toEqual(SAME);
  });

  it('writes the same bytes as the reference implementation', () => {
    expect(Buffer.from(encodeSafetensors(SAME)).equals(FROM_PYTHON)).toBe(true);
  });

  it('reads from bytes at any address', () => {
    const shifted = new Uint8Array(FROM_PYTHON.length + 3);
    shifted.set(FROM_PYTHON, 3);
    expect(decodeSafetensors(shifted.subarray(3))).toEqual(SAME);
  });

  it('keeps every bit, NaN and infinities included, and tensors without elements', () => {
    const data = new Float32Array(Uint32Array.of(0x7fc00001, 0xff800000, 0x80000000, 1).buffer);
    const written = encodeSafetensors({
      tensors: { odd: { shape: [4], data }, empty: { shape: [0, 3], data: new Float32Array() } },
      metadata: { text: 'µ "quoted"\n' },
    });
    const { tensors, metadata } = decodeSafetensors(written);
    expect(Array.from(new Uint32Array(tensors.odd!.data.buffer))).toEqual([0x7fc00001, 0xff800000, 0x80000000, 1]);
    expect(tensors.empty).toEqual({ shape: [0, 3], data: new Float32Array() });
    expect(metadata).toEqual({ text: 'µ "quoted"\n' });
  });

  it('begins the data at a multiple of 8 whatever the header is', () => {
    for (let n = 1; n <= 9; n++) {
      const bytes = encodeSafetensors({
        tensors: { ['n'.repeat(n)]: { shape: [1], data: Float32Array.of(n) } },
        metadata: {},
      });
      const header = new DataView(bytes.buffer).getUint32(0, true);
      expect(header % 8).toBe(0);
      expect(bytes.length).toBe(8 + header + 4);
    }
  });

  it('says how long a truncated file should be, wherever it was cut', () => {
    for (let cut = 0; cut < FROM_PYTHON.length; cut++) {
      const expected = cut < 8 ? 'at least 8' : cut < 240 ? 'at least 240' : '276';
      expect(() => decodeSafetensors(FROM_PYTHON.subarray(0, cut), 'a.safetensors')).toThrow(
        `a.safetensors is truncated: it has ${cut} bytes and should have ${expected}.`,
      );
    }
  });

  it.each([
    ['too many bytes', file({ a: f32([1], 0, 4) }, 5), 'its tensors end at'],
    ['no JSON', file('{"a":'), 'its header is not JSON'],
    ['no object', file([1]), 'its header is not a JSON object'],
    ['another kind of file', Buffer.from('%PDF-1.7 in truth'), 'its first 8 bytes give a header of'],
    ['metadata that are no strings', file({ __metadata__: { a: 1 } }), '__metadata__ is not a map of strings'],
    ['a hole', file({ a: f32([1], 4, 8) }, 8), 'the data of "a" begins at 4 instead of 0'],
    ['an overlap', file({ a: f32([2], 0, 8), b: f32([1], 4, 8) }, 8), 'the data of "b" begins at 4 instead of 8'],
    ['a size that is not its shape', file({ a: f32([3], 0, 8) }, 8), '"a" of shape [3] has 8 bytes instead of 12'],
    ['a negative size', file({ a: f32([-1], 4, 0) }, 4), 'the entry of "a" is'],
    ['no entry', file({ a: null }), 'the entry of "a" is null'],
    [
      'another dtype',
      file({ a: { dtype: 'F8_E4M3', shape: [1], data_offsets: [0, 1] } }, 1),
      'tensor "a" has the dtype "F8_E4M3"',
    ],
  ])('refuses a file with %s', (_, bytes, problem) => {
    expect(() => decodeSafetensors(bytes, 'a.safetensors')).toThrow(problem);
    expect(() => decodeSafetensors(bytes, 'a.safetensors')).toThrow(CertError);
  });

  it.each([
    ['of torch.save', 'PK\x03\x04\x00\x00\x08\x08\x00', 'a ZIP archive', 'torch.onnx.export'],
    ['of old torch.save', '\x80\x02\x8a\nl\xfc\x9cF\xf9', 'a pickle of Python', 'safetensors.torch.save_file'],
    ['of Keras', '\x89HDF\r\n\x1a\n\x00', 'an HDF5 file', 'tensorflowjs_converter'],
    ['of TensorFlow Lite', '\x1c\x00\x00\x00TFL3\x14', 'a TensorFlow Lite model', 'tf2onnx'],
    ['that is compressed', '\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03', 'compressed with gzip', 'gunzip'],
  ])('names the format of a file %s, and the way from there', (_, begin, is, cure) => {
    expect(() => decodeSafetensors(Buffer.from(begin, 'latin1'), 'net.pt')).toThrow(
      expect.objectContaining({
        problem: expect.stringContaining(`net.pt is ${is}`),
        cure: expect.stringContaining(cure),
      }),
    );
  });

  it('reads a header whose length has the first bytes of another format', () => {
    const tensors = { a: { shape: [1], data: Float32Array.of(1) } };
    // 0x50280 bytes begin as a pickle does.
    const long = encodeSafetensors({ tensors, metadata: { text: 'x'.repeat(0x50280) } });
    const metadata = { text: 'x'.repeat(0x50280 - (new DataView(long.buffer).getUint32(0, true) - 0x50280)) };
    const bytes = encodeSafetensors({ tensors, metadata });
    expect([...bytes.subarray(0, 2)]).toEqual([0x80, 2]);
    expect(decodeSafetensors(bytes).tensors).toEqual(tensors);
  });

  /** One tensor of another dtype, its numbers in an array of that dtype. */
  const typed = (dtype: string, numbers: ArrayBufferView, count: number) => {
    const data = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
    const bytes = file({ a: { dtype, shape: [count], data_offsets: [0, data.length] } }, data.length);
    bytes.set(data, bytes.length - data.length);
    return bytes;
  };

  it.each<[string, ArrayBufferView, Float32Array | Int32Array]>([
    ['I64', BigInt64Array.of(41n, -(2n ** 31n)), Int32Array.of(41, -(2 ** 31))],
    ['I16', Int16Array.of(-7, 300), Int32Array.of(-7, 300)],
    ['I8', Int8Array.of(-7, 7), Int32Array.of(-7, 7)],
    ['U8', Uint8Array.of(200, 7), Int32Array.of(200, 7)],
    ['BOOL', Uint8Array.of(1, 0), Int32Array.of(1, 0)],
    ['F64', Float64Array.of(0.1, Number.NEGATIVE_INFINITY), Float32Array.of(0.1, Number.NEGATIVE_INFINITY)],
    // 1, -2, the largest, the smallest normal, the smallest, infinity, NaN.
    [
      'F16',
      Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x7c00, 0x7e00),
      Float32Array.of(1, -2, 65504, 2 ** -14, 2 ** -24, Number.POSITIVE_INFINITY, Number.NaN),
    ],
    ['BF16', Uint16Array.of(0x3f80, 0xc000, 0xff80), Float32Array.of(1, -2, Number.NEGATIVE_INFINITY)],
  ])('reads %s', (dtype, numbers, wanted) => {
    expect(decodeSafetensors(typed(dtype, numbers, wanted.length)).tensors.a).toEqual({
      ...{ shape: [wanted.length], data: wanted },
    });
  });

  it.each<[string, ArrayBufferView]>([
    ['I64', BigInt64Array.of(2n ** 31n)],
    ['F64', Float64Array.of(1e39)],
  ])('refuses a number of %s that does not fit', (dtype, numbers) => {
    expect(() => decodeSafetensors(typed(dtype, numbers, 1), 'a.safetensors')).toThrow(/"a" holds \d.* too large/);
  });

  it.each([
    [
      '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
      'a',
    ],
    ['{"__metadata__":{"model":"x","model":"y"}}', 'model'],
    // Another spelling of the same key.
    ['{"__metadata__":{"model":"x","mo\\u0064el":"y"}}', 'model'],
  ])('refuses a key that occurs twice: %s', (header, key) => {
    expect(() => decodeSafetensors(file(header, 4))).toThrow(
      `its header is not JSON (the key "${key}" occurs twice in the same object)`,
    );
  });

  it('takes keys for the same only within one object, and not what looks like a key in a text', () => {
    const text =
      '{"__metadata__":{"model":"{\\"model\\":1,\\"model\\":2}","x":"model"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
    expect(Object.keys(decodeSafetensors(file(text, 4)).tensors)).toEqual(['a']);
  });

  it('refuses to write a tensor whose values do not fill its shape, or with a taken name', () => {
    const data = Float32Array.of(1, 2, 3);
    expect(() => encodeSafetensors({ tensors: { a: { shape: [2], data } }, metadata: {} })).toThrow(
      'Tensor "a" has 3 values, which do not match the shape [2].',
    );
    expect(() => encodeSafetensors({ tensors: { __metadata__: { shape: [3], data } }, metadata: {} })).toThrow(
      'A tensor is named "__metadata__".',
    );
  });
});

import { bytesOf, intOf, intsOf, numbersOf, pushFloats, readMessage, text } from './message.js';
import { badOnnx } from './wire.js';

/** A constant of the file. */
export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Whole numbers (shapes, axes) are held as float64 too. */
  readonly type: 'float32' | 'float64' | 'integer';
  /** As many as the shape has elements, in C order. */
  readonly data: Float32Array | Float64Array;
}

/** ONNX's numbers of types. */
const TYPES: { readonly [type: number]: OnnxTensor['type'] } = {
  1: 'float32',
  6: 'integer',
  7: 'integer',
  9: 'integer',
  11: 'float64',
};

/** ONNX's number of float32. */
export const FLOAT32 = 1;
/** ONNX's number of float64. */
export const FLOAT64 = 11;

/** Reads a tensor, whose numbers must be in the file, once. */
export function readTensor(message: Uint8Array): OnnxTensor {
  let name = '';
  let type = 0;
  let raw: Uint8Array | undefined;
  const shape: number[] = [];
  const floats: number[] = [];
  const doubles: number[] = [];
  const ints: number[] = [];
  let elsewhere = false;
  const refused = () => {
    elsewhere = true;
  };
  readMessage(
    message,
    'a tensor',
    {
      2: (field) => {
        type = intOf(field);
      },
      8: (field) => {
        name = text(field);
      },
      9: (field) => {
        raw = bytesOf(field);
      },
      14: (field) => {
        if (intOf(field) !== 0) elsewhere = true;
      },
    },
    {
      1: (field) => {
        for (const length of intsOf(field)) shape.push(length);
      },
      3: refused,
      4: (field) => pushFloats(floats, field, 'fixed32'),
      5: (field) => {
        for (const value of intsOf(field)) ints.push(value);
      },
      7: (field) => {
        for (const value of intsOf(field)) ints.push(value);
      },
      10: (field) => pushFloats(doubles, field, 'fixed64'),
      13: refused,
    },
  );
  const what = `has a tensor "${name}"`;
  if (elsewhere) {
    throw badOnnx(`${what} with external data`, 'Save the network and its weights in a single file.');
  }
  const kind = TYPES[type];
  if (kind === undefined) {
    throw badOnnx(
      `${what} of data type ${type}`,
      'Convert the network to float32: weights must be float32 or float64, and shapes int64.',
    );
  }
  if (shape.some((length) => !Number.isSafeInteger(length) || length < 0)) {
    throw badOnnx(`${what} of shape [${shape}]`);
  }
  const lists = [floats, doubles, ints].filter(({ length }) => length > 0);
  if (lists.length + (raw === undefined || raw.length === 0 ? 0 : 1) > 1) {
    throw badOnnx(`${what} whose numbers are given twice`);
  }
  const data = raw !== undefined && raw.length > 0 ? fromRaw(raw, type, what) : fromLists(kind, floats, doubles, ints);
  if (shape.reduce((product, length) => product * length, 1) !== data.length) {
    throw badOnnx(`${what} of shape [${shape}] with ${data.length} numbers`);
  }
  return { name, shape, type: kind, data };
}

function fromLists(type: OnnxTensor['type'], floats: number[], doubles: number[], ints: number[]): OnnxTensor['data'] {
  if (type === 'float32') return Float32Array.from(floats);
  return Float64Array.from(type === 'float64' ? doubles : ints);
}

/** Bytes of one element, by ONNX's number of the type. */
const ELEMENT_SIZE: { readonly [type: number]: number } = { 1: 4, 6: 4, 7: 8, 9: 1, 11: 8 };

function fromRaw(raw: Uint8Array, type: number, what: string): OnnxTensor['data'] {
  const size = ELEMENT_SIZE[type]!;
  if (raw.length % size !== 0) throw badOnnx(`${what} whose ${raw.length} bytes are not a whole number of elements`);
  const numbers = numbersOf(raw);
  const count = raw.length / size;
  if (type === FLOAT32) {
    const data = new Float32Array(count);
    for (let i = 0; i < count; i++) data[i] = numbers.getFloat32(4 * i, true);
    return data;
  }
  const read: { readonly [type: number]: (i: number) => number } = {
    6: (i) => numbers.getInt32(4 * i, true),
    7: (i) => Number(numbers.getBigInt64(8 * i, true)),
    9: (i) => numbers.getUint8(i),
    11: (i) => numbers.getFloat64(8 * i, true),
  };
  const element = read[type]!;
  const data = new Float64Array(count);
  for (let i = 0; i < count; i++) data[i] = element(i);
  return data;
}

/** The encoding of ONNX files. A message is a list of numbered fields, each a whole number or bytes. */
import { type Bytes, decodeUtf8 } from './bytes.js';
import { demand } from './refused.js';

/** The fields of a message in order, each with its tag, 8 * number + encoding; numbers of 32 and 64 bits as their bytes. */
export type Message = readonly (readonly [tag: number, value: number | Bytes])[];

/** Encodings: a whole number, a piece of bytes, 32 bits. */
const WHOLE = 0;
export const [PIECE, FIXED] = [2, 5];

/** Takes numbers and pieces from the front of some bytes. */
function readerOf(bytes: Bytes) {
  let at = 0;
  const piece = (length: number): Bytes => {
    const start = at;
    at += length;
    demand(length >= 0 && at <= bytes.length, 'a message in the network file is cut off');
    return bytes.subarray(start, at);
  };
  /** 7 bits a byte, the lowest first, the last byte below 128. */
  const integer = (): number => {
    let [value, shift, byte] = [0n, 0n, 128];
    for (; byte >= 128; shift += 7n) {
      demand(shift < 70n, 'a number in the network file does not end');
      byte = piece(1)[0]!;
      value |= BigInt(byte & 127) << shift;
    }
    return Number(BigInt.asIntN(64, value));
  };
  return { piece, integer, hasMore: () => at < bytes.length };
}

export function messageOf(bytes: Bytes): Message {
  const { piece, integer, hasMore } = readerOf(bytes);
  const fields: [number, number | Bytes][] = [];
  while (hasMore()) {
    const tag = integer();
    const wire = tag % 8;
    // Other readers take the tag as 32 bits.
    const known = tag >= 8 && tag < 2 ** 32 && (wire === WHOLE || wire === 1 || wire === PIECE || wire === FIXED);
    demand(known, 'the network file is not a protobuf message');
    if (wire === WHOLE) fields.push([tag, integer()]);
    else fields.push([tag, piece(wire === PIECE ? integer() : wire === FIXED ? 4 : 8)]);
  }
  return fields;
}

/** All values of a field, each in one of some encodings: other readers skip a field in another one. */
function valuesOf(message: Message, field: number, wires: readonly number[]): readonly (number | Bytes)[] {
  const found = message.filter(([tag]) => Math.floor(tag / 8) === field);
  const fits = found.every(([tag]) => wires.includes(tag % 8));
  demand(fits, `field ${field} of a message in the network file is encoded in another way`);
  return found.map(([, value]) => value);
}

/** All values of a field that are bytes. */
export const pieces = (message: Message, field: number, wires: readonly number[] = [PIECE]): readonly Bytes[] =>
  valuesOf(message, field, wires).filter((value) => typeof value !== 'number');

export const texts = (message: Message, field: number): readonly string[] =>
  pieces(message, field).map((piece) => decodeUtf8(piece, 'a name in the network file'));

export const messages = (message: Message, field: number): readonly Message[] => pieces(message, field).map(messageOf);

/** All whole numbers of a field, each by itself or many in a piece of bytes. */
export function integers(message: Message, field: number): readonly number[] {
  const numbers: number[] = [];
  for (const value of valuesOf(message, field, [WHOLE, PIECE])) {
    if (typeof value === 'number') numbers.push(value);
    else for (const { integer, hasMore } = readerOf(value); hasMore(); ) numbers.push(integer());
  }
  return numbers;
}

/** The value of a field that occurs at most once: programs differ in which of two they take. */
function only<T>(values: readonly T[], none: T): T {
  demand(values.length <= 1, 'a field of a message in the network file occurs twice');
  return values[0] ?? none;
}

export const text = (message: Message, field: number): string => only(texts(message, field), '');
export const message = (from: Message, field: number): Message => only(messages(from, field), []);
export const integer = (message: Message, field: number): number => Number(only(valuesOf(message, field, [WHOLE]), 0));

/** A number of 32 bits, as bytes. */
export const fixed = (message: Message, field: number): Bytes =>
  only(pieces(message, field, [FIXED]), new Uint8Array(4));

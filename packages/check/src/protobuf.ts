/** The encoding of ONNX files. A message is a list of numbered fields, each a whole number or bytes. */
import { type Bytes, decodeUtf8 } from './bytes.js';
import { demand } from './refused.js';

/** The fields of a message in order, each with its number; numbers of 32 and 64 bits as their bytes. */
export type Message = readonly (readonly [field: number, value: number | Bytes])[];

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
    const [field, wire] = [Math.floor(tag / 8), tag % 8];
    demand(wire === 0 || wire === 1 || wire === 2 || wire === 5, 'the network file is not a protobuf message');
    if (wire === 0) fields.push([field, integer()]);
    else fields.push([field, piece(wire === 2 ? integer() : wire === 1 ? 8 : 4)]);
  }
  return fields;
}

/** All values of a field. */
export const all = (message: Message, field: number): readonly (number | Bytes)[] =>
  message.filter(([number]) => number === field).map(([, value]) => value);

export const pieces = (message: Message, field: number): readonly Bytes[] =>
  all(message, field).map((value) => {
    demand(typeof value !== 'number', `field ${field} of a message in the network file is a number`);
    return value;
  });

export const texts = (message: Message, field: number): readonly string[] =>
  pieces(message, field).map((piece) => decodeUtf8(piece, 'a name in the network file'));

export const messages = (message: Message, field: number): readonly Message[] => pieces(message, field).map(messageOf);

/** All whole numbers of a field, each by itself or many in a piece of bytes. */
export function integers(message: Message, field: number): readonly number[] {
  const numbers: number[] = [];
  for (const value of all(message, field)) {
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
export const integer = (message: Message, field: number): number => only(integers(message, field), 0);
export const message = (from: Message, field: number): Message => only(messages(from, field), []);

/** The encoding of ONNX files. A message is a list of numbered fields, each a whole number or bytes. */
import { type Bytes, decodeUtf8 } from './bytes.js';
import { demand, Refused } from './refused.js';

/** The whole number at some place, 7 bits a byte, the lowest first, the last byte below 128; and the place behind it. */
function numberAt(bytes: Bytes, start: number): readonly [value: number, end: number] {
  let value = 0n;
  for (let at = start; at < start + 10; at++) {
    demand(at < bytes.length, 'a message in the network file is cut off');
    value |= BigInt(bytes[at]! & 127) << BigInt(7 * (at - start));
    if (bytes[at]! < 128) return [Number(BigInt.asIntN(64, value)), at + 1];
  }
  throw new Refused('a number in the network file does not end');
}

/** The values of each field by its number, in order; numbers of 32 and 64 bits as their bytes. */
type Fields = ReadonlyMap<number, readonly (number | Bytes)[]>;

function fieldsOf(bytes: Bytes): Fields {
  const fields = new Map<number, (number | Bytes)[]>();
  for (let at = 0; at < bytes.length; ) {
    const [tag, behind] = numberAt(bytes, at);
    const [field, wire] = [Math.floor(tag / 8), tag % 8];
    demand(wire === 0 || wire === 1 || wire === 2 || wire === 5, 'the network file is not a protobuf message');
    const [number, start] = wire === 0 || wire === 2 ? numberAt(bytes, behind) : [wire === 1 ? 8 : 4, behind];
    at = wire === 0 ? start : start + number;
    demand(at >= start && at <= bytes.length, 'a message in the network file is cut off');
    fields.set(field, fields.get(field) ?? []);
    fields.get(field)!.push(wire === 0 ? number : bytes.subarray(start, at));
  }
  return fields;
}

export const has = (field: number) => (fields: Fields) => fields.has(field);

/** All bytes of a field, read in some way. */
export function many<T>(field: number, read: (bytes: Bytes) => T) {
  return (fields: Fields): readonly T[] =>
    (fields.get(field) ?? []).map((value) => {
      demand(typeof value !== 'number', `field ${field} of a message in the network file is a number`);
      return read(value);
    });
}

export const bytes = (field: number) => many(field, (value) => value);
export const texts = (field: number) => many(field, (value) => decodeUtf8(value, 'a name in the network file'));

/** All whole numbers of a field, each by itself or many in a piece of bytes. */
export const integers = (field: number) => (fields: Fields) =>
  (fields.get(field) ?? []).flatMap((value): readonly number[] => {
    if (typeof value === 'number') return [value];
    const numbers: number[] = [];
    for (let at = 0; at < value.length; ) {
      const [number, end] = numberAt(value, at);
      numbers.push(number);
      at = end;
    }
    return numbers;
  });

/** The value of a field that occurs at most once: programs differ in which of two they take. */
export function only<T>(read: (fields: Fields) => readonly T[], none: T) {
  return (fields: Fields): T => {
    const values = read(fields);
    demand(values.length <= 1, 'a field of a message in the network file occurs twice');
    return values[0] ?? none;
  };
}

export const integer = (field: number) => only(integers(field), 0);
export const text = (field: number) => only(texts(field), '');

/** A message in a message; one without fields where there is none. */
export const one = <T>(field: number, read: (bytes: Bytes) => T) => only(many(field, read), read(new Uint8Array()));

/** A message of which some fields are read. */
export function message<F extends { readonly [name: string]: (fields: Fields) => unknown }>(reads: F) {
  return (bytes: Bytes): { readonly [K in keyof F]: ReturnType<F[K]> } => {
    const fields = fieldsOf(bytes);
    const values = Object.entries(reads).map(([name, read]) => [name, read(fields)]);
    return Object.fromEntries(values);
  };
}

/** The encoding of ONNX files. A message is a list of numbered fields, each a whole number or bytes. */
import { decodeUtf8 } from './bytes.js';
import { demand, Refused } from './refused.js';

export type Bytes = Uint8Array<ArrayBuffer>;

/** The values of each field by its number, in order; numbers of 32 and 64 bits as their bytes. */
export type Message = ReadonlyMap<number, readonly (bigint | Bytes)[]>;

/** Reads bytes from the first to the last. */
class Cursor {
  #at = 0;

  constructor(readonly bytes: Bytes) {}

  get ended(): boolean {
    return this.#at === this.bytes.length;
  }

  take(count: number): Bytes {
    const fits = count >= 0 && count <= this.bytes.length - this.#at;
    demand(fits, 'a message in the network file is cut off');
    this.#at += count;
    return this.bytes.subarray(this.#at - count, this.#at);
  }

  /** 7 bits a byte, the lowest first; the last byte is below 128. */
  varint(): bigint {
    let value = 0n;
    for (let bits = 0n; bits < 70n; bits += 7n) {
      const byte = this.take(1)[0]!;
      value |= BigInt(byte & 127) << bits;
      if (byte < 128) return BigInt.asIntN(64, value);
    }
    throw new Refused('a number in the network file does not end');
  }
}

export function messageOf(bytes: Bytes): Message {
  const [cursor, fields] = [new Cursor(bytes), new Map<number, (bigint | Bytes)[]>()];
  while (!cursor.ended) {
    const tag = Number(cursor.varint());
    const [field, wire] = [Math.floor(tag / 8), tag % 8];
    demand(wire === 0 || wire === 1 || wire === 2 || wire === 5, 'the network file is not a protobuf message');
    const value = wire === 0 ? cursor.varint() : cursor.take(wire === 2 ? Number(cursor.varint()) : wire === 1 ? 8 : 4);
    fields.set(field, fields.get(field) ?? []);
    fields.get(field)!.push(value);
  }
  return fields;
}

/** All bytes of a field. */
export const bytesOf = (message: Message, field: number): Bytes[] =>
  (message.get(field) ?? []).map((value) => {
    demand(typeof value !== 'bigint', `field ${field} of a message in the network file is a number`);
    return value;
  });

/** All whole numbers of a field, each by itself or many in a piece of bytes. */
export const integersOf = (message: Message, field: number): number[] =>
  (message.get(field) ?? []).flatMap((value) => {
    if (typeof value === 'bigint') return [Number(value)];
    const [cursor, numbers] = [new Cursor(value), [] as number[]];
    while (!cursor.ended) numbers.push(Number(cursor.varint()));
    return numbers;
  });

/** The value of a field that has one or none: programs differ in which of two they take. */
export function onlyOf<T>(values: readonly T[], none: T): T {
  demand(values.length <= 1, 'a field of a message in the network file occurs twice');
  return values[0] ?? none;
}

/** All texts of a field. */
export const textsOf = (message: Message, field: number): string[] =>
  bytesOf(message, field).map((bytes) => decodeUtf8(bytes, 'a name in the network file'));

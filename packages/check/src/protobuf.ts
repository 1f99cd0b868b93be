/** The encoding of ONNX files. A message is a list of numbered fields, each a whole number or bytes. */
import { type Bytes, decodeUtf8 } from './bytes.js';
import { demand, Refused } from './refused.js';

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
  varint(): number {
    let value = 0n;
    for (let bits = 0n; bits < 70n; bits += 7n) {
      const byte = this.take(1)[0]!;
      value |= BigInt(byte & 127) << bits;
      if (byte < 128) return Number(BigInt.asIntN(64, value));
    }
    throw new Refused('a number in the network file does not end');
  }
}

/** The value of a field that has one or none: programs differ in which of two they take. */
export function onlyOf<T>(values: readonly T[], none: T): T {
  demand(values.length <= 1, 'a field of a message in the network file occurs twice');
  return values[0] ?? none;
}

/** The values of each field by its number, in order; numbers of 32 and 64 bits as their bytes. A field that is asked for in the singular occurs at most once. */
export class Message {
  readonly #fields = new Map<number, (number | Bytes)[]>();

  constructor(bytes: Bytes = new Uint8Array()) {
    const cursor = new Cursor(bytes);
    while (!cursor.ended) {
      const tag = cursor.varint();
      const [field, wire] = [Math.floor(tag / 8), tag % 8];
      demand(wire === 0 || wire === 1 || wire === 2 || wire === 5, 'the network file is not a protobuf message');
      const value = wire === 0 ? cursor.varint() : cursor.take(wire === 2 ? cursor.varint() : wire === 1 ? 8 : 4);
      if (!this.has(field)) this.#fields.set(field, []);
      this.#fields.get(field)!.push(value);
    }
  }

  has(field: number): boolean {
    return this.#fields.has(field);
  }

  pieces(field: number): readonly Bytes[] {
    return (this.#fields.get(field) ?? []).map((value) => {
      demand(typeof value !== 'number', `field ${field} of a message in the network file is a number`);
      return value;
    });
  }

  /** Whole numbers, each by itself or many in a piece of bytes. */
  integers(field: number): readonly number[] {
    return (this.#fields.get(field) ?? []).flatMap((value) => {
      if (typeof value === 'number') return [value];
      const [cursor, numbers] = [new Cursor(value), [] as number[]];
      while (!cursor.ended) numbers.push(cursor.varint());
      return numbers;
    });
  }

  integer(field: number): number {
    return onlyOf(this.integers(field), 0);
  }

  texts(field: number): readonly string[] {
    return this.pieces(field).map((bytes) => decodeUtf8(bytes, 'a name in the network file'));
  }

  text(field: number): string {
    return onlyOf(this.texts(field), '');
  }

  messages(field: number): readonly Message[] {
    return this.pieces(field).map((bytes) => new Message(bytes));
  }

  message(field: number): Message {
    return onlyOf(this.messages(field), new Message());
  }
}

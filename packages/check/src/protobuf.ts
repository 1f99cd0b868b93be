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

function numbersIn(bytes: Bytes): readonly number[] {
  const numbers: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [number, end] = numberAt(bytes, at);
    numbers.push(number);
    at = end;
  }
  return numbers;
}

/** A message, its fields by their numbers. */
export class Message {
  /** The values of each field, in order; numbers of 32 and 64 bits as their bytes. */
  readonly #fields = new Map<number, (number | Bytes)[]>();

  constructor(bytes: Bytes) {
    for (let at = 0; at < bytes.length; ) {
      const [tag, behind] = numberAt(bytes, at);
      const [field, wire] = [Math.floor(tag / 8), tag % 8];
      demand(wire === 0 || wire === 1 || wire === 2 || wire === 5, 'the network file is not a protobuf message');
      const [number, start] = wire === 0 || wire === 2 ? numberAt(bytes, behind) : [wire === 1 ? 8 : 4, behind];
      at = wire === 0 ? start : start + number;
      demand(at >= start && at <= bytes.length, 'a message in the network file is cut off');
      const value = wire === 0 ? number : bytes.subarray(start, at);
      const values = this.#fields.get(field) ?? [];
      values.push(value);
      this.#fields.set(field, values);
    }
  }

  /** All values of a field. */
  all(field: number): readonly (number | Bytes)[] {
    return this.#fields.get(field) ?? [];
  }

  bytes(field: number): readonly Bytes[] {
    return this.all(field).map((value) => {
      demand(typeof value !== 'number', `field ${field} of a message in the network file is a number`);
      return value;
    });
  }

  texts(field: number): readonly string[] {
    return this.bytes(field).map((value) => decodeUtf8(value, 'a name in the network file'));
  }

  messages(field: number): readonly Message[] {
    return this.bytes(field).map((value) => new Message(value));
  }

  /** All whole numbers of a field, each by itself or many in a piece of bytes. */
  integers(field: number): readonly number[] {
    return this.all(field).flatMap((value) => (typeof value === 'number' ? value : numbersIn(value)));
  }

  text = (field: number): string => only(this.texts(field), '');
  integer = (field: number): number => only(this.integers(field), 0);
  message = (field: number): Message => only(this.messages(field), new Message(new Uint8Array()));
}

/** The value of a field that occurs at most once: programs differ in which of two they take. */
function only<T>(values: readonly T[], none: T): T {
  demand(values.length <= 1, 'a field of a message in the network file occurs twice');
  return values[0] ?? none;
}

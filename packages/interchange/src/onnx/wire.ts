import { CertError } from '@cert/core';

/** One field of a protobuf message: its number and what stands there, by the kind that the wire names. */
export type Field = { readonly number: number } & (
  | { readonly kind: 'varint'; readonly value: bigint }
  | { readonly kind: 'bytes' | 'fixed32' | 'fixed64'; readonly bytes: Uint8Array }
);

/** The error of a file that is no ONNX. */
export const badOnnx = (
  problem: string,
  cure = 'Export the network again, or check the file with an ONNX tool.',
): CertError => new CertError('bad-file', `The ONNX file ${problem}.`, cure);

/** Numbers of the wire: how the value of a field is written. */
const [VARINT, FIXED64, BYTES, FIXED32] = [0, 1, 2, 5];

/** Bytes of the longest integer, which has 64 bits. */
const LONGEST_VARINT = 10;

interface Varint {
  readonly value: bigint;
  readonly end: number;
}

function varintAt(bytes: Uint8Array, start: number): Varint {
  let [low, high] = [0n, 0n];
  // Most integers have one byte: numbers are faster than a bigint for each byte.
  let small = 0;
  for (let i = 0; i < LONGEST_VARINT; i++) {
    const byte = bytes[start + i];
    if (byte === undefined) throw badOnnx('ends within a number');
    if (i < 4) small |= (byte & 127) << (7 * i);
    else if (i === 4) low = BigInt(small);
    if (i >= 4) high |= BigInt(byte & 127) << BigInt(7 * i);
    if (byte < 128) return { value: i < 4 ? BigInt(small) : BigInt.asUintN(64, low | high), end: start + i + 1 };
  }
  throw badOnnx('has a number of more than 64 bits');
}

/** Shows every field of a message, in order. A field that begins or ends outside of the message is a `bad-file`. */
export function eachField(message: Uint8Array, visit: (field: Field) => void): void {
  const cut = (start: number, length: number): Uint8Array => {
    if (length > message.length - start) throw badOnnx('is cut off, or a length in it is wrong');
    return message.subarray(start, start + length);
  };
  for (let at = 0; at < message.length; ) {
    const tag = varintAt(message, at);
    const [number, wire] = [Number(tag.value >> 3n), Number(tag.value & 7n)];
    // Other readers take the tag as 32 bits.
    if (number === 0 || number >= 2 ** 29) throw badOnnx('has a field without a valid number');
    at = tag.end;
    if (wire === VARINT) {
      const { value, end } = varintAt(message, at);
      visit({ number, kind: 'varint', value });
      at = end;
    } else if (wire === BYTES) {
      const length = varintAt(message, at);
      const bytes = cut(length.end, Number(length.value));
      visit({ number, kind: 'bytes', bytes });
      at = length.end + bytes.length;
    } else if (wire === FIXED32 || wire === FIXED64) {
      const bytes = cut(at, wire === FIXED32 ? 4 : 8);
      visit({ number, kind: wire === FIXED32 ? 'fixed32' : 'fixed64', bytes });
      at += bytes.length;
    } else throw badOnnx(`has a field ${number} of a wire type that protobuf no longer supports`);
  }
}

/** The integers of a message that holds nothing else (a packed field). */
export function packedVarints(bytes: Uint8Array): bigint[] {
  const values: bigint[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { value, end } = varintAt(bytes, at);
    values.push(value);
    at = end;
  }
  return values;
}

/** A 64-bit integer with its sign. Beyond 2^53 it is rounded, which only limits such as "to the end" reach. */
export const signed = (value: bigint): number => Number(BigInt.asIntN(64, value));

const decoder = new TextDecoder('utf-8', { fatal: true });

/** The text of a field. */
export function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw badOnnx('has a name that is not UTF-8');
  }
}

import { badOnnx, eachField, type Field, packedVarints, signed, textOf } from './wire.js';

export const bytesOf = (field: Field): Uint8Array => {
  if (field.kind === 'bytes') return field.bytes;
  throw badOnnx(`has a number where field ${field.number} is a message`);
};

export const intOf = (field: Field): number => {
  if (field.kind === 'varint') return signed(field.value);
  throw badOnnx(`has no whole number where field ${field.number} is one`);
};

export const text = (field: Field) => textOf(bytesOf(field));

/** Bytes as numbers. */
export const numbersOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** Whole numbers of a repeated field, written one by one or packed. */
export const intsOf = (field: Field): number[] =>
  field.kind === 'bytes' ? packedVarints(field.bytes).map(signed) : [intOf(field)];

/** Adds the floating-point numbers of a repeated field, written one by one or packed. */
export function pushFloats(into: number[], field: Field, kind: 'fixed32' | 'fixed64'): void {
  const size = kind === 'fixed32' ? 4 : 8;
  if (field.kind === 'varint' || (field.kind !== 'bytes' && field.kind !== kind) || field.bytes.length % size !== 0) {
    throw badOnnx(`has no list of numbers where field ${field.number} is one`);
  }
  const numbers = numbersOf(field.bytes);
  for (let at = 0; at < field.bytes.length; at += size) {
    into.push(size === 4 ? numbers.getFloat32(at, true) : numbers.getFloat64(at, true));
  }
}

/** What happens with a field, by its number; fields that are not listed are skipped. */
type Fields = { readonly [number: number]: (field: Field) => void };

/**
 * Reads a message. A field of `once` that occurs twice is refused: readers differ in which one they take, and another network than the one
 * that is run would be verified.
 */
export function readMessage(message: Uint8Array, what: string, once: Fields, many: Fields = {}): void {
  const seen = new Set<number>();
  eachField(message, (field) => {
    const read = once[field.number];
    if (read !== undefined) {
      if (seen.has(field.number)) throw badOnnx(`has field ${field.number} of ${what} twice`);
      seen.add(field.number);
      read(field);
    } else many[field.number]?.(field);
  });
}

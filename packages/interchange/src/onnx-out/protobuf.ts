/** Fields of protobuf messages as bytes. A message is a list of chunks, so that weights are copied only once. */

/** Bytes of one or more fields, in order. */
export type Chunks = readonly Uint8Array[];

/** Numbers of the wire: how the value of a field is written. */
const [VARINT, BYTES, FIXED32] = [0, 2, 5];

const encoder = new TextEncoder();

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

const head = (number: number, wire: number, ...values: readonly number[]): Uint8Array =>
  Uint8Array.from([number * 8 + wire, ...values].flatMap(varint));

/** A whole number of up to 53 bits. */
export const integer = (number: number, value: number): Chunks => [head(number, VARINT, value)];

/** A float32. */
export const float = (number: number, value: number): Chunks => [
  head(number, FIXED32),
  new Uint8Array(Float32Array.of(value).buffer),
];

/** Bytes, which are not copied. */
export const bytes = (number: number, content: Uint8Array): Chunks => [head(number, BYTES, content.length), content];

/** A text in UTF-8. */
export const text = (number: number, content: string): Chunks => bytes(number, encoder.encode(content));

/** A message in a field. */
export function message(number: number, ...fields: readonly Chunks[]): Chunks {
  const chunks = fields.flat();
  return [head(number, BYTES, lengthOf(chunks)), ...chunks];
}

const lengthOf = (chunks: Chunks): number => chunks.reduce((sum, { length }) => sum + length, 0);

/** All fields of a message as one array. */
export function joined(fields: readonly Chunks[]): Uint8Array {
  const chunks = fields.flat();
  const all = new Uint8Array(lengthOf(chunks));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

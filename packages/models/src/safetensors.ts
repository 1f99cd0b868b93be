/**
 * The safetensors format: 8 bytes with the length of the header (little-endian), the header as JSON (dtype, shape and offsets of
 * every tensor, and a map of strings), then the data without holes. The one npm package of that name only reads, in browsers.
 */
import { CertError, describeValue, type HostTensor, parseJson, sizeOf } from '@cert/core';
import { DTYPES, type DtypeName } from './dtypes.js';
import type { FlatTensors } from './flat-tensors.js';
import { foreignFormat } from './foreign-format.js';

/** Content of a safetensors file. */
export interface Safetensors {
  /** float32 and int32 tensors by name, in the order of the header. Other dtypes are converted when they are read. */
  readonly tensors: FlatTensors;
  /** The map `__metadata__` of the header. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Longer headers are refused, as the reference reader does: the first bytes are then not a length at all. */
const MAX_HEADER = 100_000_000;
const METADATA = '__metadata__';

/**
 * Returns tensors and strings as the bytes of a safetensors file.
 *
 * @throws CertError `shape-mismatch` naming a tensor whose number of values does not match its shape; `bad-argument` for a tensor
 * named `__metadata__`
 */
export function encodeSafetensors({ tensors, metadata }: Safetensors): Uint8Array {
  let end = 0;
  const entries = Object.entries(tensors).map(([name, { shape, data }]) => {
    if (name === METADATA) {
      throw new CertError(
        'bad-argument',
        `A tensor is named "${METADATA}".`,
        'Rename the tensor: the format reserves this name.',
      );
    }
    if (data.length !== sizeOf(shape)) {
      throw new CertError(
        'shape-mismatch',
        `Tensor "${name}" has ${data.length} values, which do not match the shape [${shape}].`,
        'Give as many values as the shape has elements.',
      );
    }
    const begin = end;
    end += data.byteLength;
    const dtype = data instanceof Int32Array ? 'I32' : 'F32';
    return [name, { dtype, shape, data_offsets: [begin, end] }] as const;
  });
  const json = new TextEncoder().encode(JSON.stringify({ [METADATA]: metadata, ...Object.fromEntries(entries) }));
  // Spaces up to a multiple of 8, so that the data can be mapped as aligned arrays.
  const header = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + header + end).fill(0x20, 8 + json.length, 8 + header);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header), true);
  bytes.set(json, 8);
  let at = 8 + header;
  for (const { data } of Object.values(tensors)) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/**
 * Decodes a safetensors file. F64, F16 and BF16 become float32, other integers and BOOL become int32.
 *
 * @param source its name, for messages
 * @throws CertError `bad-file`: a file of PyTorch, Keras or TensorFlow Lite, a truncated file (with expected and actual size), a corrupt header, a duplicate name, a tensor of another
 * dtype or with a number that exceeds float32 or int32, offsets with gaps or overlaps
 */
export function decodeSafetensors(bytes: Uint8Array, source = 'the file'): Safetensors {
  const foreign = foreignFormat(bytes, source);
  if (foreign !== undefined) throw foreign;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8) throw truncated(source, 'at least 8', bytes.length);
  const length = Number(view.getBigUint64(0, true));
  if (length > MAX_HEADER) throw corrupt(source, `its first 8 bytes give a header of ${length} bytes`);
  const start = 8 + length;
  if (bytes.length < start) throw truncated(source, `at least ${start}`, bytes.length);
  const { [METADATA]: metadata = {}, ...entries } = parseHeader(bytes.subarray(8, start), source);
  if (!isRecord(metadata) || !isStrings(metadata)) throw corrupt(source, `${METADATA} is not a map of strings`);

  const found = Object.entries(entries).map(([name, entry]) => checkEntry(name, entry, source));
  let end = 0;
  for (const { name, offsets } of found.toSorted(
    (a, b) => a.offsets[0] - b.offsets[0] || a.offsets[1] - b.offsets[1],
  )) {
    if (offsets[0] !== end)
      throw corrupt(source, `the data of ${describeValue(name)} begins at ${offsets[0]} instead of ${end}`);
    end = offsets[1];
  }
  if (bytes.length < start + end) throw truncated(source, String(start + end), bytes.length);
  if (bytes.length > start + end)
    throw corrupt(source, `it has ${bytes.length} bytes and its tensors end at ${start + end}`);

  // slice() copies: the data may not be aligned in the file, and the caller's bytes stay the caller's.
  const read = ({ name, dtype, shape, offsets }: Entry): HostTensor => ({
    shape,
    data: DTYPES[dtype].read(new Uint8Array(bytes.subarray(start + offsets[0], start + offsets[1])).buffer, (value) => {
      throw corrupt(source, `${describeValue(name)} holds ${value}, which is too large to be read as float32 or int32`);
    }),
  });
  return { tensors: Object.fromEntries(found.map((entry) => [entry.name, read(entry)])), metadata };
}

interface Entry {
  readonly name: string;
  readonly dtype: DtypeName;
  readonly shape: readonly number[];
  readonly offsets: readonly [number, number];
}

function checkEntry(name: string, entry: unknown, source: string): Entry {
  const { dtype, shape, data_offsets: offsets } = isRecord(entry) ? entry : {};
  if (typeof dtype === 'string' && !Object.hasOwn(DTYPES, dtype)) {
    throw new CertError(
      'bad-file',
      `${source}: tensor ${describeValue(name)} has the dtype ${describeValue(dtype)}.`,
      `Convert the tensor first. Supported: ${Object.keys(DTYPES).join(', ')}.`,
    );
  }
  if (typeof dtype !== 'string' || !isCounts(shape) || !isCounts(offsets) || offsets.length !== 2) {
    throw corrupt(source, `the entry of ${describeValue(name)} is ${describeValue(entry)}`);
  }
  const [begin, end] = offsets as [number, number];
  const expected = DTYPES[dtype as DtypeName].width * sizeOf(shape);
  if (end - begin !== expected) {
    throw corrupt(
      source,
      `${describeValue(name)} of shape ${describeValue(shape)} has ${end - begin} bytes instead of ${expected}`,
    );
  }
  return { name, dtype: dtype as DtypeName, shape, offsets: [begin, end] };
}

function parseHeader(bytes: Uint8Array, source: string): Record<string, unknown> {
  let header: unknown;
  try {
    header = parseJson(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw corrupt(source, `its header is not JSON (${cause instanceof Error ? cause.message : cause})`, { cause });
  }
  if (!isRecord(header)) throw corrupt(source, 'its header is not a JSON object');
  return header;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isStrings = (value: Record<string, unknown>): value is Record<string, string> =>
  Object.values(value).every((entry) => typeof entry === 'string');

const isCounts = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);

const truncated = (source: string, expected: string, found: number) =>
  new CertError(
    'bad-file',
    `${source} is truncated: it has ${found} bytes and should have ${expected}.`,
    'Copy the file again, or use another checkpoint of the run.',
  );

const corrupt = (source: string, why: string, options?: ErrorOptions) =>
  new CertError(
    'bad-file',
    `${source} is not a valid safetensors file: ${why}.`,
    'Copy the file again, or use another checkpoint of the run.',
    options,
  );

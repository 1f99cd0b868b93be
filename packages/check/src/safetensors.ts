/** The safetensors format: 8 bytes with the length of the header, the header as JSON, then the tensors without holes. */
import { decodeUtf8 } from './bytes.js';
import { countOf, fieldsOf, listOf, parseJson, textOf } from './json.js';
import { demand } from './refused.js';

/** One tensor as it lies in the file. */
export interface StoredTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface SafetensorsFile {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** The strings under `__metadata__`. */
  readonly strings: ReadonlyMap<string, string>;
}

const WIDTHS = new Map(
  Object.entries({
    F64: 8,
    I64: 8,
    U64: 8,
    F32: 4,
    I32: 4,
    U32: 4,
    F16: 2,
    BF16: 2,
    I16: 2,
    U16: 2,
    I8: 1,
    U8: 1,
    BOOL: 1,
  }),
);

export function readSafetensors(bytes: Uint8Array<ArrayBuffer>): SafetensorsFile {
  demand(bytes.length >= 8, 'the network file has fewer than 8 bytes');
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const start = 8 + length;
  demand(start <= bytes.length, `the header of the network file has ${length} bytes, more than the file`);
  const header = parseJson(decodeUtf8(bytes.subarray(8, start), 'the header of the network file'), 'the header');
  demand(header instanceof Map, 'the header of the network file is not an object');

  const strings = new Map<string, string>();
  const tensors = new Map<string, StoredTensor>();
  const spans: [number, number][] = [];
  for (const [name, entry] of header) {
    const where = `"${name}" in the network file`;
    if (name === '__metadata__') {
      demand(entry instanceof Map, `${where} is not an object`);
      for (const [key, value] of entry) strings.set(key, textOf(value, `${where}: "${key}"`));
      continue;
    }
    const fields = fieldsOf(entry, where, ['dtype', 'shape', 'data_offsets']);
    const dtype = textOf(fields.get('dtype'), where);
    const shape = listOf(fields.get('shape'), where).map((n) => countOf(n, where, 0));
    const [begin = 0, end = 0, ...more] = listOf(fields.get('data_offsets'), where).map((n) => countOf(n, where, 0));
    const size = shape.reduce((product, n) => product * n, WIDTHS.get(dtype) ?? Number.NaN);
    demand(more.length === 0 && end - begin === size, `${where} does not have the bytes of its shape and dtype`);
    spans.push([begin, end]);
    tensors.set(name, { dtype, shape, bytes: bytes.subarray(start + begin, start + end) });
  }

  let covered = 0;
  for (const [begin, end] of spans.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    demand(begin === covered, `the tensors of the network file leave a hole or overlap at byte ${covered}`);
    covered = end;
  }
  demand(
    start + covered === bytes.length,
    `the network file should have ${start + covered} bytes and has ${bytes.length}`,
  );
  return { tensors, strings };
}

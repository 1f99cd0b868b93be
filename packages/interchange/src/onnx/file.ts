import { badOnnx, eachField, type Field, packedVarints, signed, textOf } from './wire.js';

/** A constant of the file. */
export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Whole numbers (shapes, axes) are held as float64 too. */
  readonly type: 'float32' | 'float64' | 'integer';
  /** As many as the shape has elements, in C order. */
  readonly data: Float32Array | Float64Array;
}

/** An attribute of a node; the field that was written is set. */
export interface OnnxAttribute {
  readonly name: string;
  readonly float?: number;
  readonly int?: number;
  readonly text?: string;
  readonly tensor?: OnnxTensor;
  /** Lists may be empty: then nothing or a list without elements was written. */
  readonly floats: readonly number[];
  readonly ints: readonly number[];
  /** Of a kind that no op here has: a graph, texts, types. */
  readonly other: boolean;
}

/** One operation. */
export interface OnnxNode {
  readonly name: string;
  readonly op: string;
  readonly domain: string;
  /** Names of values; empty for an optional input that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly OnnxAttribute[];
}

/** A declared input or output. */
export interface OnnxValueInfo {
  readonly name: string;
  /** ONNX's number of the type of the elements; 0 where none is given. */
  readonly type: number;
  /** A length is undefined where it is symbolic or missing; undefined altogether where the file gives no shape. */
  readonly shape: readonly (number | undefined)[] | undefined;
}

/** What is read of an ONNX file. */
export interface OnnxFile {
  readonly producer: string;
  /** Version of the default set of operators. */
  readonly opset: number;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
}

/** ONNX's numbers of types. */
const TYPES: { readonly [type: number]: OnnxTensor['type'] } = {
  1: 'float32',
  6: 'integer',
  7: 'integer',
  9: 'integer',
  11: 'float64',
};

/** ONNX's number of float32. */
export const FLOAT32 = 1;
/** ONNX's number of float64. */
export const FLOAT64 = 11;

const bytesOf = (field: Field): Uint8Array => {
  if (field.kind === 'bytes') return field.bytes;
  throw badOnnx(`has a number where field ${field.number} is a message`);
};

const intOf = (field: Field): number => {
  if (field.kind === 'varint') return signed(field.value);
  throw badOnnx(`has no whole number where field ${field.number} is one`);
};

const text = (field: Field) => textOf(bytesOf(field));

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** Whole numbers of a repeated field, written one by one or packed. */
const intsOf = (field: Field): number[] =>
  field.kind === 'bytes' ? packedVarints(field.bytes).map(signed) : [intOf(field)];

/** Adds the floating-point numbers of a repeated field, written one by one or packed. */
function pushFloats(into: number[], field: Field, kind: 'fixed32' | 'fixed64'): void {
  const size = kind === 'fixed32' ? 4 : 8;
  if (field.kind === 'varint' || (field.kind !== 'bytes' && field.kind !== kind) || field.bytes.length % size !== 0) {
    throw badOnnx(`has no list of numbers where field ${field.number} is one`);
  }
  const numbers = view(field.bytes);
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
function readMessage(message: Uint8Array, what: string, once: Fields, many: Fields = {}): void {
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

/** @throws CertError `bad-file` for bytes that are not an ONNX file, and for parts that could change what it computes and are not read */
export function readFile(bytes: Uint8Array): OnnxFile {
  let [producer, version] = ['', ''];
  let graph: Uint8Array | undefined;
  let functions = 0;
  const opsets = new Map<string, number>();
  readMessage(
    bytes,
    'the model',
    {
      2: (field) => {
        producer = text(field);
      },
      3: (field) => {
        version = text(field);
      },
      7: (field) => {
        graph = bytesOf(field);
      },
    },
    {
      8: (field) => {
        let [domain, number] = ['', 0];
        readMessage(bytesOf(field), 'an operator set', {
          1: (part) => {
            domain = text(part);
          },
          2: (part) => {
            number = intOf(part);
          },
        });
        if (domain === 'ai.onnx') domain = '';
        if (opsets.has(domain)) throw badOnnx(`imports the operator set "${domain}" twice`);
        opsets.set(domain, number);
      },
      25: () => {
        functions++;
      },
    },
  );
  if (graph === undefined) throw badOnnx('has no graph', 'Check that it is an ONNX file, decompressed.');
  if (functions > 0) throw badOnnx('defines local functions', 'Export the network without local functions.');
  const opset = opsets.get('');
  if (opset === undefined) throw badOnnx('does not declare the operator set version');
  return { producer: `${producer} ${version}`.trim(), opset, ...readGraph(graph) };
}

function readGraph(graph: Uint8Array): Pick<OnnxFile, 'nodes' | 'initializers' | 'inputs' | 'outputs'> {
  const nodes: OnnxNode[] = [];
  const initializers: OnnxTensor[] = [];
  const inputs: OnnxValueInfo[] = [];
  const outputs: OnnxValueInfo[] = [];
  readMessage(
    graph,
    'the graph',
    {},
    {
      1: (field) => nodes.push(readNode(bytesOf(field))),
      5: (field) => initializers.push(readTensor(bytesOf(field))),
      11: (field) => inputs.push(readValueInfo(bytesOf(field))),
      12: (field) => outputs.push(readValueInfo(bytesOf(field))),
      15: () => {
        throw badOnnx('has sparse weights', 'Export the network with dense weights.');
      },
    },
  );
  return { nodes, initializers, inputs, outputs };
}

function readNode(message: Uint8Array): OnnxNode {
  let [name, op, domain] = ['', '', ''];
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: OnnxAttribute[] = [];
  readMessage(
    message,
    'a node',
    {
      3: (field) => {
        name = text(field);
      },
      4: (field) => {
        op = text(field);
      },
      7: (field) => {
        domain = text(field);
      },
    },
    {
      1: (field) => inputs.push(text(field)),
      2: (field) => outputs.push(text(field)),
      5: (field) => attributes.push(readAttribute(bytesOf(field))),
    },
  );
  return { name, op, domain, inputs, outputs, attributes };
}

function readAttribute(message: Uint8Array): OnnxAttribute {
  let name = '';
  let other = false;
  let one: Pick<OnnxAttribute, 'float' | 'int' | 'text' | 'tensor'> = {};
  const floats: number[] = [];
  const ints: number[] = [];
  let type = 0;
  const refused = () => {
    other = true;
  };
  readMessage(
    message,
    'an attribute',
    {
      1: (field) => {
        name = text(field);
      },
      2: (field) => {
        if (field.kind !== 'fixed32') throw badOnnx('has no number where an attribute is one');
        one = { ...one, float: view(field.bytes).getFloat32(0, true) };
      },
      3: (field) => {
        one = { ...one, int: intOf(field) };
      },
      4: (field) => {
        one = { ...one, text: text(field) };
      },
      5: (field) => {
        one = { ...one, tensor: readTensor(bytesOf(field)) };
      },
      20: (field) => {
        type = intOf(field);
      },
    },
    {
      6: refused,
      7: (field) => pushFloats(floats, field, 'fixed32'),
      8: (field) => {
        for (const value of intsOf(field)) ints.push(value);
      },
      9: refused,
      10: refused,
      11: refused,
      14: refused,
      15: refused,
      21: refused,
      22: refused,
      23: refused,
    },
  );
  const written = [...Object.keys(one), ...(floats.length > 0 ? ['floats'] : []), ...(ints.length > 0 ? ['ints'] : [])];
  const kind = KINDS[type];
  // A runtime reads the field that the type names.
  if (written.length > 1 || (type !== 0 && written.some((field) => field !== kind))) {
    throw badOnnx(`has an attribute "${name.slice(0, 40)}" with values of several types`);
  }
  if (type !== 0 && kind === undefined) other = true;
  const empty = written.length === 0 && kind !== undefined ? ABSENT[kind] : {};
  return { name, ...empty, ...one, floats, ints, other };
}

/** Fields of an attribute by ONNX's number of its type. */
const KINDS: { readonly [type: number]: keyof typeof ABSENT } = {
  1: 'float',
  2: 'int',
  3: 'text',
  4: 'tensor',
  6: 'floats',
  7: 'ints',
};

/** What a field stands for that was not written because it has the default value of its type. */
const ABSENT = { float: { float: 0 }, int: { int: 0 }, text: { text: '' }, tensor: {}, floats: {}, ints: {} } as const;

function readTensor(message: Uint8Array): OnnxTensor {
  let name = '';
  let type = 0;
  let raw: Uint8Array | undefined;
  const shape: number[] = [];
  const floats: number[] = [];
  const doubles: number[] = [];
  const ints: number[] = [];
  let elsewhere = false;
  const refused = () => {
    elsewhere = true;
  };
  readMessage(
    message,
    'a tensor',
    {
      2: (field) => {
        type = intOf(field);
      },
      8: (field) => {
        name = text(field);
      },
      9: (field) => {
        raw = bytesOf(field);
      },
      14: (field) => {
        if (intOf(field) !== 0) elsewhere = true;
      },
    },
    {
      1: (field) => {
        for (const length of intsOf(field)) shape.push(length);
      },
      3: refused,
      4: (field) => pushFloats(floats, field, 'fixed32'),
      5: (field) => {
        for (const value of intsOf(field)) ints.push(value);
      },
      7: (field) => {
        for (const value of intsOf(field)) ints.push(value);
      },
      10: (field) => pushFloats(doubles, field, 'fixed64'),
      13: refused,
    },
  );
  const what = `has a tensor "${name}"`;
  if (elsewhere) {
    throw badOnnx(`${what} with external data`, 'Save the network and its weights in a single file.');
  }
  const kind = TYPES[type];
  if (kind === undefined) {
    throw badOnnx(
      `${what} of data type ${type}`,
      'Convert the network to float32: weights must be float32 or float64, and shapes int64.',
    );
  }
  if (shape.some((length) => !Number.isSafeInteger(length) || length < 0)) {
    throw badOnnx(`${what} of shape [${shape}]`);
  }
  const lists = [floats, doubles, ints].filter(({ length }) => length > 0);
  if (lists.length + (raw === undefined || raw.length === 0 ? 0 : 1) > 1) {
    throw badOnnx(`${what} whose numbers are given twice`);
  }
  const data = raw !== undefined && raw.length > 0 ? fromRaw(raw, type, what) : fromLists(kind, floats, doubles, ints);
  if (shape.reduce((product, length) => product * length, 1) !== data.length) {
    throw badOnnx(`${what} of shape [${shape}] with ${data.length} numbers`);
  }
  return { name, shape, type: kind, data };
}

function fromLists(type: OnnxTensor['type'], floats: number[], doubles: number[], ints: number[]): OnnxTensor['data'] {
  if (type === 'float32') return Float32Array.from(floats);
  return Float64Array.from(type === 'float64' ? doubles : ints);
}

/** Bytes of one element, by ONNX's number of the type. */
const ELEMENT_SIZE: { readonly [type: number]: number } = { 1: 4, 6: 4, 7: 8, 9: 1, 11: 8 };

function fromRaw(raw: Uint8Array, type: number, what: string): OnnxTensor['data'] {
  const size = ELEMENT_SIZE[type]!;
  if (raw.length % size !== 0) throw badOnnx(`${what} whose ${raw.length} bytes are not a whole number of elements`);
  const numbers = view(raw);
  const count = raw.length / size;
  if (type === FLOAT32) {
    const data = new Float32Array(count);
    for (let i = 0; i < count; i++) data[i] = numbers.getFloat32(4 * i, true);
    return data;
  }
  const read: { readonly [type: number]: (i: number) => number } = {
    6: (i) => numbers.getInt32(4 * i, true),
    7: (i) => Number(numbers.getBigInt64(8 * i, true)),
    9: (i) => numbers.getUint8(i),
    11: (i) => numbers.getFloat64(8 * i, true),
  };
  const element = read[type]!;
  const data = new Float64Array(count);
  for (let i = 0; i < count; i++) data[i] = element(i);
  return data;
}

function readValueInfo(message: Uint8Array): OnnxValueInfo {
  let name = '';
  let type = 0;
  let shape: (number | undefined)[] | undefined;
  const readShape = (field: Field) => {
    const lengths: (number | undefined)[] = [];
    readMessage(
      bytesOf(field),
      'a shape',
      {},
      {
        1: (part) => {
          let length: number | undefined;
          readMessage(bytesOf(part), 'an axis', {
            1: (value) => {
              length = intOf(value);
            },
          });
          lengths.push(length !== undefined && length > 0 ? length : undefined);
        },
      },
    );
    shape = lengths;
  };
  readMessage(message, 'an input or output', {
    1: (field) => {
      name = text(field);
    },
    2: (field) =>
      readMessage(bytesOf(field), 'a type', {
        1: (tensor) =>
          readMessage(bytesOf(tensor), 'a tensor type', {
            1: (part) => {
              type = intOf(part);
            },
            2: readShape,
          }),
      }),
  });
  return { name, type, shape };
}

import { bytesOf, intOf, intsOf, numbersOf, pushFloats, readMessage, text } from './message.js';
import { type OnnxTensor, readTensor } from './tensor.js';
import { badOnnx, type Field } from './wire.js';

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
        one = { ...one, float: numbersOf(field.bytes).getFloat32(0, true) };
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

/** Collects the nodes and constants of an ONNX graph and encodes them. Numbers of fields are those of onnx.proto. */
import type { Shape } from '@cert/core';
import { bytes, type Chunks, float, integer, joined, message, text } from './protobuf.js';

/** Version of the operators and of the file format: old enough for every current reader. */
const [OPSET, IR_VERSION] = [17, 8];

/** ONNX's numbers of the types of tensors, and of attributes. */
const TENSOR = { float32: 1, int64: 7, string: 8 } as const;
const ATTRIBUTE = { float: 1, int: 2, ints: 7, strings: 8 } as const;

/** Operators outside of ONNX's standard domain, and the version of that domain. */
const ML_OPS: readonly string[] = ['OneHotEncoder'];
const [ML_DOMAIN, ML_OPSET] = ['ai.onnx.ml', 3];

/** An attribute: a whole number, a list of whole numbers or of texts, or a float32. */
export type Attribute = number | readonly number[] | readonly string[] | { readonly float: number };

/** An input or output with the batch axis in front: a number, or a name for any number of examples. */
export interface Port {
  readonly name: string;
  readonly shape: readonly (number | string)[];
  /** Default float32. */
  readonly type?: 'float32' | 'string';
}

/** What a file says besides its graph. */
interface FileFacts {
  readonly graph: string;
  readonly producer: { readonly name: string; readonly version: string };
  readonly metadata: { readonly [key: string]: string };
}

interface WrittenNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: { readonly [name: string]: Attribute };
}

/** Collects an ONNX graph. */
export interface GraphWriter {
  /** Adds a node, in front of all that read it. Returns the name of its value: the one asked for, or that with a number. */
  node(
    op: string,
    inputs: readonly string[],
    name: string,
    attributes?: { readonly [name: string]: Attribute },
  ): string;
  /** Adds a float32 constant. Returns its name. */
  floats(name: string, shape: Shape, data: Float32Array): string;
  /** Adds a list of int64 constants. Returns its name. */
  integers(name: string, data: readonly number[]): string;
  /** The bytes of the file. `value` becomes the output, under the name of `output`. */
  finish(inputs: readonly Port[], output: Port, value: string, facts: FileFacts): Uint8Array;
}

/** Starts a graph. @param reserved names of its inputs and output */
export function graphWriter(reserved: readonly string[]): GraphWriter {
  const taken = new Set(reserved);
  const nodes: WrittenNode[] = [];
  const constants: Chunks[] = [];

  const fresh = (name: string): string => {
    let free = name;
    for (let i = 2; taken.has(free); i++) free = `${name}_${i}`;
    taken.add(free);
    return free;
  };
  const constant = (name: string, type: number, shape: Shape, data: Float32Array | BigInt64Array): string => {
    const own = fresh(name);
    const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const sides = shape.map((n) => integer(1, n));
    constants.push(message(5, ...sides, integer(2, type), text(8, own), bytes(9, raw)));
    return own;
  };

  return {
    node(op, inputs, name, attributes = {}) {
      const output = fresh(name);
      nodes.push({ op, inputs, output, attributes });
      return output;
    },
    floats: (name, shape, data) => constant(name, TENSOR.float32, shape, data),
    integers: (name, data) => constant(name, TENSOR.int64, [data.length], BigInt64Array.from(data, BigInt)),
    finish(inputs, output, value, { graph, producer, metadata }) {
      const made = nodes.some((node) => node.output === value);
      // An input that is the output, too, cannot be renamed.
      const all = made ? nodes : [...nodes, { op: 'Identity', inputs: [value], output: output.name, attributes: {} }];
      const renamed = (name: string) => (made && name === value ? output.name : name);
      return joined([
        integer(1, IR_VERSION),
        text(2, producer.name),
        ...(producer.version === '' ? [] : [text(3, producer.version)]),
        message(
          7,
          ...all.map((node) => encodeNode(node, renamed)),
          text(2, graph),
          ...constants,
          ...inputs.map((input) => encodePort(11, input)),
          encodePort(12, output),
        ),
        message(8, text(1, ''), integer(2, OPSET)),
        ...(all.some(isMl) ? [message(8, text(1, ML_DOMAIN), integer(2, ML_OPSET))] : []),
        ...Object.entries(metadata).map(([key, fact]) => message(14, text(1, key), text(2, fact))),
      ]);
    },
  };
}

const isMl = ({ op }: Pick<WrittenNode, 'op'>): boolean => ML_OPS.includes(op);

function encodeNode({ op, inputs, output, attributes }: WrittenNode, renamed: (name: string) => string): Chunks {
  return message(
    1,
    ...inputs.map((name) => text(1, renamed(name))),
    text(2, renamed(output)),
    text(3, output),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => encodeAttribute(name, value)),
    ...(isMl({ op }) ? [text(7, ML_DOMAIN)] : []),
  );
}

function encodeAttribute(name: string, value: Attribute): Chunks {
  if (typeof value === 'number') return message(5, text(1, name), integer(3, value), integer(20, ATTRIBUTE.int));
  if ('float' in value) return message(5, text(1, name), float(2, value.float), integer(20, ATTRIBUTE.float));
  const items = value.map((item) => (typeof item === 'string' ? text(9, item) : integer(8, item)));
  const type = typeof value[0] === 'string' ? ATTRIBUTE.strings : ATTRIBUTE.ints;
  return message(5, text(1, name), ...items, integer(20, type));
}

function encodePort(field: number, { name, shape, type = 'float32' }: Port): Chunks {
  const sides = shape.map((side) => message(1, typeof side === 'number' ? integer(1, side) : text(2, side)));
  return message(field, text(1, name), message(2, message(1, integer(1, TENSOR[type]), message(2, ...sides))));
}

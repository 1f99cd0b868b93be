/**
 * Networks from ONNX files. The first dimension of every value counts examples and is 1; images have their channels in front of their pixels. Numbers of
 * fields are those of onnx.proto.
 */
import { type Bytes, floatsOf } from './bytes.js';
import type { Graph } from './graph.js';
import { sizeOf } from './layers.js';
import { type Attribute, Constant } from './ops.js';
import {
  FIXED,
  fixed,
  integer,
  integers,
  type Message,
  message,
  messageOf,
  messages,
  PIECE,
  pieces,
  text,
  texts,
} from './protobuf.js';
import { demand, within } from './refused.js';

/** The two names of the operators of ONNX itself. */
const STANDARD = ['', 'ai.onnx'];

/** Numbers are bytes of their own, or a list for the data type; a tensor that has both is refused. */
function constantOf(tensor: Message): Constant {
  const [where, type, shape] = [`tensor "${text(tensor, 8)}"`, integer(tensor, 2), integers(tensor, 1)];
  demand(type === 1 || type === 7, `${where}: the data type ${type} is neither float32 nor int64`);
  demand(integer(tensor, 14) === 0 && pieces(tensor, 13).length === 0, `${where}: the numbers are in another file`);
  const [floats, whole] = [pieces(tensor, 4, [PIECE, FIXED]), integers(tensor, 7)];
  demand((type === 1 ? whole : floats).length === 0, `${where}: it has numbers of another type`);
  const listed = [...floats, new Uint8Array(BigInt64Array.from(whole, BigInt).buffer)];
  const [bytes = new Uint8Array(), ...more] = [...pieces(tensor, 9), ...listed.filter(({ length }) => length > 0)];
  demand(more.length === 0, `${where}: what has its numbers occurs twice`);
  const fits = shape.every((n) => n >= 0) && bytes.length === sizeOf(shape) * (type === 1 ? 4 : 8);
  demand(fits, `${where}: ${bytes.length} bytes do not fit the shape [${shape}]`);
  return new Constant(shape, bytes, type === 1);
}

/** @throws Refused for what is not one graph of ops of ONNX itself */
export function readOnnx(bytes: Bytes): Graph {
  const model = messageOf(bytes);
  const graph = message(model, 7);
  const [own, ...others] = messages(model, 8).filter((each) => STANDARD.includes(text(each, 1)));
  demand(others.length === 0, 'the version of the ONNX operators occurs twice');
  const version = own === undefined ? 0 : integer(own, 2);
  demand(version >= 7 && version <= 25, `version ${version} of the ONNX operators is not read, only 7 to 25`);
  // They may give ops of the standard another meaning.
  demand(pieces(model, 25).length === 0, 'the network file has functions of its own');
  demand(pieces(graph, 15).length === 0, 'the network file has sparse tensors');
  const tensors = new Map<string, Constant>();
  for (const stored of messages(graph, 5)) {
    const name = text(stored, 8);
    demand(name !== '' && !tensors.has(name), `a tensor has no name, or two are named "${name}"`);
    tensors.set(name, constantOf(stored));
  }

  const [input, ...more] = messages(graph, 11).filter((each) => !tensors.has(text(each, 1)));
  demand(input !== undefined && more.length === 0, 'the network does not have one input');
  const type = message(message(input, 2), 1);
  demand(integer(type, 1) === 1, 'the input of the network is not float32');
  const sides = messages(message(type, 2), 1);
  const [examples, ...inputShape] = sides.map((side) => integer(side, 1));
  // A first dimension without a number stands for any number of examples.
  demand((examples === 0 || examples === 1) && inputShape.length >= 1, 'the first dimension of the input is not 1');
  demand(Math.min(...inputShape) >= 1, `the input has the shape [${inputShape}]`);
  const [output, ...rest] = messages(graph, 12);
  demand(output !== undefined && rest.length === 0, 'the network does not have one output');
  const nodes = messages(graph, 1).map(nodeOf);
  return { input: text(input, 1), inputShape, channelsLast: false, tensors, nodes, output: text(output, 1) };
}

function nodeOf(node: Message): Graph['nodes'][number] {
  const [name = '', ...more] = texts(node, 2);
  const op = text(node, 4);
  return within(`node "${name}" (${op})`, () => {
    demand(name !== '' && more.length === 0, 'the node does not have one output');
    demand(STANDARD.includes(text(node, 7)) && /^[A-Z]/.test(op), 'the op is not one of ONNX itself');
    const attributes = messages(node, 5).map((each) => [text(each, 1), attributeOf(each)] as const);
    demand(new Map(attributes).size === attributes.length, 'an attribute occurs twice');
    return { name, op, inputs: texts(node, 1), attributes: Object.fromEntries(attributes) };
  });
}

/** The value of an attribute by its type. */
function attributeOf(attribute: Message): Attribute {
  const readers: { readonly [type: number]: () => Attribute } = {
    1: () => ({ float: floatsOf(fixed(attribute, 2), 'an attribute')[0]! }),
    2: () => integer(attribute, 3),
    3: () => text(attribute, 4),
    4: () => constantOf(message(attribute, 5)),
    7: () => integers(attribute, 8),
  };
  const read = readers[integer(attribute, 20)];
  demand(read !== undefined, `the attribute "${text(attribute, 1)}" is of a type that is not read`);
  return read();
}

/**
 * Networks from ONNX files. The first dimension of every value counts examples and is 1; images have their channels in front of their pixels. Numbers of
 * fields are those of onnx.proto.
 */
import { type Bytes, floatsOf } from './bytes.js';
import type { Graph } from './graph.js';
import { sizeOf } from './layers.js';
import { type Attribute, Constant } from './ops.js';
import { Message } from './protobuf.js';
import { demand, within } from './refused.js';

/** The two names of the operators of ONNX itself. */
const STANDARD = ['', 'ai.onnx'];

/** Numbers are bytes of their own, or a list for the data type; a tensor that has both is refused. */
function constantOf(tensor: Message): Constant {
  const [where, type, shape] = [`tensor "${tensor.text(8)}"`, tensor.integer(2), tensor.integers(1)];
  demand(type === 1 || type === 7, `${where}: the data type ${type} is neither float32 nor int64`);
  demand(tensor.integer(14) === 0 && tensor.all(13).length === 0, `${where}: the numbers are in another file`);
  const [floats, integers] = [tensor.bytes(4), tensor.integers(7)];
  demand((type === 1 ? integers : floats).length === 0, `${where}: it has numbers of another type`);
  const listed = [...floats, new Uint8Array(BigInt64Array.from(integers, BigInt).buffer)];
  const [bytes = new Uint8Array(), ...more] = [...tensor.bytes(9), ...listed.filter(({ length }) => length > 0)];
  demand(more.length === 0, `${where}: what has its numbers occurs twice`);
  const fits = shape.every((n) => n >= 0) && bytes.length === sizeOf(shape) * (type === 1 ? 4 : 8);
  demand(fits, `${where}: ${bytes.length} bytes do not fit the shape [${shape}]`);
  return new Constant(shape, bytes, type === 1);
}

/** @throws Refused for what is not one graph of ops of ONNX itself */
export function readOnnx(bytes: Bytes): Graph {
  const model = new Message(bytes);
  const graph = model.message(7);
  const [own, ...others] = model.messages(8).filter((each) => STANDARD.includes(each.text(1)));
  demand(others.length === 0, 'the version of the ONNX operators occurs twice');
  const version = own?.integer(2) ?? 0;
  demand(version >= 7 && version <= 25, `version ${version} of the ONNX operators is not read, only 7 to 25`);
  // They may give ops of the standard another meaning.
  demand(model.all(25).length === 0, 'the network file has functions of its own');
  demand(graph.all(15).length === 0, 'the network file has sparse tensors');
  const tensors = new Map<string, Constant>();
  for (const stored of graph.messages(5)) {
    const name = stored.text(8);
    demand(name !== '' && !tensors.has(name), `a tensor has no name, or two are named "${name}"`);
    tensors.set(name, constantOf(stored));
  }

  const [input, ...more] = graph.messages(11).filter((each) => !tensors.has(each.text(1)));
  demand(input !== undefined && more.length === 0, 'the network does not have one input');
  const type = input.message(2).message(1);
  demand(type.integer(1) === 1, 'the input of the network is not float32');
  const sides = type.message(2).messages(1);
  const [examples, ...inputShape] = sides.map((side) => side.integer(1));
  // A first dimension without a number stands for any number of examples.
  demand((examples === 0 || examples === 1) && inputShape.length >= 1, 'the first dimension of the input is not 1');
  demand(Math.min(...inputShape) >= 1, `the input has the shape [${inputShape}]`);
  const [output, ...rest] = graph.messages(12);
  demand(output !== undefined && rest.length === 0, 'the network does not have one output');
  const nodes = graph.messages(1).map(nodeOf);
  return { input: input.text(1), inputShape, channelsLast: false, tensors, nodes, output: output.text(1) };
}

function nodeOf(node: Message): Graph['nodes'][number] {
  const [name = '', ...more] = node.texts(2);
  const op = node.text(4);
  return within(`node "${name}" (${op})`, () => {
    demand(name !== '' && more.length === 0, 'the node does not have one output');
    demand(STANDARD.includes(node.text(7)) && /^[A-Z]/.test(op), 'the op is not one of ONNX itself');
    const attributes = node.messages(5).map((each) => [each.text(1), attributeOf(each)] as const);
    demand(new Map(attributes).size === attributes.length, 'an attribute occurs twice');
    return { name, op, inputs: node.texts(1), attributes: Object.fromEntries(attributes) };
  });
}

/** The value of an attribute by its type. */
function attributeOf(attribute: Message): Attribute {
  const readers: { readonly [type: number]: () => Attribute } = {
    1: () => ({ float: floatsOf(attribute.bytes(2)[0] ?? new Uint8Array(4), 'an attribute')[0]! }),
    2: () => attribute.integer(3),
    3: () => attribute.text(4),
    4: () => constantOf(attribute.message(5)),
    7: () => attribute.integers(8),
  };
  const read = readers[attribute.integer(20)];
  demand(read !== undefined, `the attribute "${attribute.text(1)}" is of a type that is not read`);
  return read();
}

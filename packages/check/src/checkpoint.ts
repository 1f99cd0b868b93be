/**
 * Checkpoints of cert: safetensors files (8 bytes with the length of the header, the header as JSON, then the tensors in its order, without holes),
 * the graph as JSON in the header, parameters as tensors `params.NODE.NAME` and `stats.NODE.NAME`. Images have their channels last.
 */
import { type Bytes, decodeUtf8, floatsOf, sha256 } from './bytes.js';
import { any, count, list, number, object, parseJson, record, shape, text } from './json.js';
import type { AffineLayer, Layer, Value } from './layers.js';
import { average, convolution, normalized, scaled, sizeOf, sums, transposed } from './layers.js';
import { inputOf, layersBehind, type Network, plain, same, type Tensor } from './network.js';
import { demand, within } from './refused.js';

const STORED = object({ dtype: text, shape: list(count(0)), data_offsets: list(count(0)) });

/** The tensors of a safetensors file by name, and what its header has under `__metadata__`. */
function readSafetensors(bytes: Bytes) {
  demand(bytes.length >= 8, 'the network file has fewer than 8 bytes');
  const start = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  demand(start <= bytes.length, `the header of the network file has ${start - 8} bytes, more than the file`);
  const written = decodeUtf8(bytes.subarray(8, start), 'the header of the network file');
  const header = record(any)(parseJson(written, 'the header'), 'the header');
  const tensors = new Map<string, ReturnType<typeof STORED> & { readonly bytes: Bytes }>();
  let covered = start;
  for (const [name, entry] of header) {
    if (name === '__metadata__') continue;
    const tensor = STORED(entry, `"${name}" in the network file`);
    const [begin, end] = tensor.data_offsets.map((at) => start + at) as [number, number];
    const next = begin === covered && end >= begin;
    demand(next, `the tensors of the network file are not in order, or leave a hole or overlap: "${name}"`);
    tensors.set(name, { ...tensor, bytes: bytes.slice(begin, end) });
    covered = end;
  }
  demand(covered === bytes.length, `the network file should have ${covered} bytes, not ${bytes.length}`);
  const metadata = record(any)(header.get('__metadata__') ?? null, 'the metadata of the network file');
  return { tensors, metadata };
}

/** An image has three dimensions, a vector one. */
function shaped(layer: Layer, shape: readonly number[]): Value {
  const [height, width, channels] = [1, 1, ...shape].slice(-3) as [number, number, number];
  return { layer, shape, grid: { height, width, channels, channelsLast: true } };
}

const imageOf = (layer: AffineLayer): Value => shaped(layer, [layer.to.height, layer.to.width, layer.to.channels]);
const vectorOf = (layer: Layer): Value => shaped(layer, [layer.size]);

const NONE = object({});
const WEIGHTS = { params: object({ kernel: shape, bias: shape }), stats: NONE };
const PLAIN = { attrs: NONE, params: NONE, stats: NONE };
/** The attributes of each op, and the shapes of its parameters and statistics. */
const FORMS = {
  ...{ globalAvgPool: PLAIN, relu: PLAIN, add: PLAIN, flatten: PLAIN },
  conv2d: { ...WEIGHTS, attrs: object({ stride: count(1), padding: count(0), groups: count(1) }) },
  dense: { ...WEIGHTS, attrs: NONE },
  batchNorm: {
    attrs: object({ momentum: any, epsilon: number }),
    ...{ params: object({ gamma: shape, beta: shape }), stats: object({ mean: shape, variance: shape }) },
  },
  affine: { ...PLAIN, attrs: object({ scale: list(number), shift: list(number) }) },
  avgPool: { ...PLAIN, attrs: object({ size: count(1) }) },
};
type Op = keyof typeof FORMS;

const MODEL = object({ inputShape: shape, classes: count(2), nodes: list(any) });
const NODE = object({ name: text, op: text, inputs: list(text), attrs: any, shape, params: any, stats: any });

/** @throws Refused for all that is not a complete network of known ops */
export async function readCheckpoint(bytes: Bytes): Promise<Network> {
  const { tensors, metadata } = readSafetensors(bytes);
  const format = text(metadata.get('format') ?? null, 'the format of the network file');
  demand(/^cert-checkpoint-[12]$/.test(format), `the network file is of the format "${format}", not cert-checkpoint-2`);
  const written = text(metadata.get('model') ?? null, 'the model in the header');
  const { inputShape, classes, nodes } = MODEL(parseJson(written, 'the model'), 'the model');

  let last = shaped(inputOf(inputShape), inputShape);
  const values = new Map([['input', last]]);
  const used = new Set<string>();
  for (const json of nodes) {
    const node = NODE(json, 'a node');
    last = within(`node "${node.name}" (${node.op})`, () => {
      demand(/^[^.]+$/.test(node.name), 'the name cannot be part of the name of a tensor');
      demand(!values.has(node.name), 'another node has this name');
      const inputs = node.inputs.map((input) => {
        const value = values.get(input);
        demand(value !== undefined, 'an input does not come before the node');
        return value;
      });
      const made = compute(node, inputs, (key, declared) => {
        const tensor = tensors.get(key);
        demand(tensor?.dtype === 'F32', `tensor ${key} is ${tensor?.dtype ?? 'missing'}, not float32`);
        demand(same(tensor.shape, declared), `tensor ${key} has the shape [${tensor.shape}], not as declared`);
        demand(tensor.bytes.length === 4 * sizeOf(declared), `tensor ${key} does not have the bytes of its shape`);
        used.add(key);
        return { shape: declared, data: floatsOf(tensor.bytes, `tensor ${key}`) };
      });
      demand(same(made.shape, node.shape), `the shape is [${made.shape}], not as declared`);
      return made;
    });
    values.set(node.name, last);
  }
  demand(same(last.shape, [classes]), `the last node has the shape [${last.shape}] for ${classes} classes`);
  const hashes = new Map<string, string>();
  for (const [name, tensor] of tensors) {
    demand(!/^(params|stats)\./.test(name) || used.has(name), `tensor "${name}" belongs to no node`);
    if (used.has(name)) hashes.set(name, await sha256(tensor.bytes));
  }
  return { inputShape, classes, layers: layersBehind(last.layer), tensors: hashes };
}

/** What a node computes. */
function compute(
  { name, op: named, ...node }: ReturnType<typeof NODE>,
  inputs: readonly Value[],
  tensorOf: (key: string, declared: readonly number[]) => Tensor,
): Value {
  demand(Object.hasOwn(FORMS, named), 'no rule for this op');
  const op = named as Op;
  const arity = op === 'add' ? 2 : 1;
  demand(inputs.length === arity, `there are ${inputs.length} inputs instead of ${arity}`);
  const value = inputs[0]!;
  const { grid, shape } = value;
  const ranks = op === 'dense' ? [1] : ['conv2d', 'avgPool', 'globalAvgPool'].includes(op) ? [3] : [1, 3];
  demand(ranks.includes(shape.length), `the input [${shape}] does not have ${ranks.join(' or ')} dimensions`);
  // Here for all ops, since what is not read below must not be there.
  FORMS[op].attrs(node.attrs, 'attrs');
  const tensors = new Map<string, Tensor>();
  for (const kind of ['params', 'stats'] as const) {
    for (const [key, declared] of Object.entries<readonly number[]>(FORMS[op][kind](node[kind], kind))) {
      tensors.set(key, tensorOf(`${kind}.${name}.${key}`, declared));
    }
  }
  const data = (key: string) => tensors.get(key)!.data;
  switch (op) {
    case 'conv2d':
    case 'dense': {
      // [height, width, channels / groups, filters], of a dense layer [channels, filters]
      const sides = tensors.get('kernel')!.shape;
      const filters = data('bias').length;
      const fits = sides.length === (op === 'dense' ? 2 : 4) && sides.at(-1) === filters;
      demand(fits, `the kernel has the shape [${sides}] beside ${filters} biases`);
      const kernel = transposed(data('kernel'), filters);
      if (op === 'dense') return vectorOf(convolution(value, {}, kernel, 1, data('bias')));
      const { stride, padding, groups } = FORMS[op].attrs(node.attrs, 'attrs');
      const window = { size: sides.slice(0, 2), stride: [stride, stride], padding: Array(4).fill(padding) };
      return imageOf(convolution(value, window, kernel, groups, data('bias')));
    }
    case 'batchNorm': {
      const { epsilon } = FORMS[op].attrs(node.attrs, 'attrs');
      return shaped(normalized(value, ['gamma', 'beta', 'mean', 'variance'].map(data), epsilon), shape);
    }
    case 'affine': {
      const { scale, shift } = FORMS[op].attrs(node.attrs, 'attrs');
      return shaped(scaled(sums(value, {}), scale, shift), shape);
    }
    case 'avgPool': {
      const { size } = FORMS[op].attrs(node.attrs, 'attrs');
      return imageOf(average(value, { size: [size, size], stride: [size, size] }));
    }
    case 'globalAvgPool':
      return vectorOf(average(value, { size: [grid.height, grid.width] }));
    case 'flatten':
      return vectorOf(value.layer);
    default:
      return shaped(plain(op, name, inputs), shape);
  }
}

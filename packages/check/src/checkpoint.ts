/**
 * Checkpoints of cert: safetensors files (8 bytes with the length of the header, the header as JSON, then the tensors without holes), the graph as JSON
 * in the header, parameters as tensors `params.NODE.NAME` and `stats.NODE.NAME`. Images have their channels last.
 */
import { type Bytes, decodeUtf8, floatsOf, sha256 } from './bytes.js';
import {
  any,
  count,
  type Fields,
  type Json,
  list,
  number,
  object,
  parseJson,
  record,
  shape as sides,
  text,
  type Values,
} from './json.js';
import {
  type AffineLayer,
  average,
  convolution,
  type Image,
  normalized,
  scaled,
  sizeOf,
  sums,
  transposed,
  type Window,
} from './layers.js';
import { inputOf, layersBehind, type Network, plain, same, type Value } from './network.js';
import { demand, within } from './refused.js';

const STORED = object({ dtype: text, shape: list(count(0)), data_offsets: list(count(0)) });

/** The tensors of a safetensors file by name, and what its header has under `__metadata__`. */
function readSafetensors(bytes: Bytes) {
  demand(bytes.length >= 8, 'the network file has fewer than 8 bytes');
  const start = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  demand(start <= bytes.length, `the header of the network file has ${start - 8} bytes, more than the file`);
  const written = decodeUtf8(bytes.subarray(8, start), 'the header of the network file');
  const header = new Map(record(any)(parseJson(written, 'the header'), 'the header'));
  const metadata = record(any)(header.get('__metadata__') ?? null, 'the metadata of the network file');
  header.delete('__metadata__');
  const tensors = [...header].map(([name, entry]) => {
    const { data_offsets, ...stored } = STORED(entry, `"${name}" in the network file`);
    const [begin, end] = data_offsets as [number, number];
    return { ...stored, name, begin, end, bytes: bytes.slice(start + begin, start + end) };
  });
  let covered = 0;
  for (const { begin, end } of tensors.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    const next = begin === covered && end >= begin;
    demand(next, `the tensors of the network file leave a hole or overlap at byte ${covered}`);
    covered = end;
  }
  const whole = start + covered;
  demand(whole === bytes.length, `the network file should have ${whole} bytes, not ${bytes.length}`);
  return { metadata, tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])) };
}

/** A node as its rule gets it. */
interface Node {
  readonly name: string;
  readonly inputs: readonly Value[];
  /** The first input. */
  readonly image: Image;
  readonly shape: readonly number[];
  readonly tensors: readonly Tensor[];
}

interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * What a node of an op is, and what it computes.
 *
 * @param ranks how many dimensions its first input may have: 1 for a vector, 3 for an image
 * @param params the names of its parameters; `compute` gets them in this order, then the statistics
 */
const rule = <A extends Fields>(
  ranks: readonly number[],
  attrs: A,
  params: readonly string[],
  compute: (node: Node, attrs: Values<A>) => Value,
  stats: readonly string[] = [],
) => ({ ranks, params, stats, compute: (node: Node, json: Json) => compute(node, object(attrs)(json, 'attrs')) });

const WEIGHTS = ['kernel', 'bias'];

/** @param kernel [height, width, channels / groups, filters], of a dense layer [channels, filters] */
function convolved({ image, tensors }: Node, window: Window, groups: number): AffineLayer {
  const [{ shape, data }, bias] = tensors as [Tensor, Tensor];
  const filters = bias.data.length;
  const fits = shape.length === (window.size === undefined ? 4 : 2) && shape.at(-1) === filters;
  demand(fits, `the kernel has the shape [${shape}] beside ${filters} biases`);
  return convolution(image, { size: shape.slice(0, 2), ...window }, transposed(data, filters), groups, bias.data);
}

const asImage = (layer: AffineLayer): Value => {
  const { height, width, channels } = layer.to;
  return { layer, shape: [height, width, channels] };
};
const asVector = (layer: AffineLayer): Value => ({ layer, shape: [layer.size] });

const RULES: { readonly [op: string]: ReturnType<typeof rule> } = {
  conv2d: rule([3], { stride: count(1), padding: count(0), groups: count(1) }, WEIGHTS, (node, attrs) => {
    const { stride, padding, groups } = attrs;
    return asImage(convolved(node, { stride: [stride, stride], padding: Array(4).fill(padding) }, groups));
  }),
  dense: rule([1], {}, WEIGHTS, (node) => asVector(convolved(node, { size: [1, 1] }, 1))),
  batchNorm: rule(
    [1, 3],
    { momentum: any, epsilon: number },
    ['gamma', 'beta'],
    ({ image, shape, tensors }, { epsilon }) => {
      const numbers = tensors.map(({ data }) => data);
      return { layer: normalized(image, numbers, epsilon), shape };
    },
    ['mean', 'variance'],
  ),
  affine: rule([1, 3], { scale: list(number), shift: list(number) }, [], ({ image, shape }, { scale, shift }) => {
    return { layer: scaled(sums(image, {}), Float64Array.from(scale), Float64Array.from(shift)), shape };
  }),
  avgPool: rule([3], { size: count(1) }, [], ({ image }, { size }) => {
    return asImage(average(image, { size: [size, size], stride: [size, size] }));
  }),
  globalAvgPool: rule([3], {}, [], ({ image }) => {
    return asVector(average(image, { size: [image.grid.height, image.grid.width] }));
  }),
  relu: rule([1, 3], {}, [], ({ name, inputs }) => plain('relu', name, inputs)),
  add: rule([1, 3], {}, [], ({ name, inputs }) => plain('add', name, inputs)),
  flatten: rule([1, 3], {}, [], ({ image: { layer } }) => ({ layer, shape: [layer.size] })),
};

const MODEL = object({ inputShape: sides, classes: count(2), nodes: list(any) });
const NODE = object({ name: text, op: text, inputs: list(text), attrs: any, shape: sides, params: any, stats: any });

/** @throws Refused for all that is not a complete network of known ops */
export async function readCheckpoint(bytes: Bytes): Promise<Network> {
  const { tensors, metadata } = readSafetensors(bytes);
  const format = text(metadata.get('format') ?? null, 'the format of the network file');
  demand(/^cert-checkpoint-[12]$/.test(format), `the network file is of the format "${format}", not cert-checkpoint-2`);
  const written = text(metadata.get('model') ?? null, 'the model in the header');
  const { inputShape, classes, nodes } = MODEL(parseJson(written, 'the model'), 'the model');

  let last = inputOf(inputShape);
  const values = new Map([['input', last]]);
  const used = new Set<string>();
  for (const json of nodes) {
    const { name, op, ...node } = NODE(json, 'a node');
    last = within(`node "${name}" (${op})`, () => {
      demand(/^[^.]+$/.test(name), 'the name cannot be part of the name of a tensor');
      demand(!values.has(name), 'another node has this name');
      demand(Object.hasOwn(RULES, op), 'no rule for this op');
      const known = RULES[op]!;
      const inputs = node.inputs.map((input) => {
        const value = values.get(input);
        demand(value !== undefined, 'an input does not come before the node');
        return value;
      });
      const arity = op === 'add' ? 2 : 1;
      demand(inputs.length === arity, `there are ${inputs.length} inputs instead of ${arity}`);
      const { layer, shape } = inputs[0]!;
      const { ranks } = known;
      demand(ranks.includes(shape.length), `the input [${shape}] does not have ${ranks.join(' or ')} dimensions`);
      const [height, width, channels] = [1, 1, ...shape].slice(-3) as [number, number, number];
      const image = { layer, grid: { height, width, channels, channelsLast: true } };
      const read = (kind: 'params' | 'stats') => {
        const declared = object(Object.fromEntries(known[kind].map((each) => [each, sides])))(node[kind], kind);
        return known[kind].map((each) => {
          const key = `${kind}.${name}.${each}`;
          const tensor = tensors.get(key);
          demand(tensor?.dtype === 'F32', `tensor ${key} is ${tensor?.dtype ?? 'missing'}, not float32`);
          const { shape, bytes } = tensor;
          demand(same(shape, declared[each]!), `tensor ${key} has the shape [${shape}], not as declared`);
          demand(bytes.length === 4 * sizeOf(shape), `tensor ${key} does not have the bytes of its shape`);
          used.add(key);
          return { shape, data: floatsOf(bytes, `tensor ${key}`) };
        });
      };
      const made = known.compute(
        { name, inputs, image, shape, tensors: [...read('params'), ...read('stats')] },
        node.attrs,
      );
      demand(same(made.shape, node.shape), `the shape is [${made.shape}], not as declared`);
      return made;
    });
    values.set(name, last);
  }
  demand(same(last.shape, [classes]), `the last node has the shape [${last.shape}] for ${classes} classes`);
  const hashes = new Map<string, string>();
  for (const [name, tensor] of tensors) {
    demand(!/^(params|stats)\./.test(name) || used.has(name), `tensor "${name}" belongs to no node`);
    if (used.has(name)) hashes.set(name, await sha256(tensor.bytes));
  }
  return { inputShape, classes, layers: layersBehind(last.layer), tensors: hashes };
}

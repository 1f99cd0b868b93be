/** A network from a checkpoint: the graph is JSON in the header, parameters are tensors `params.NODE.NAME` and `stats.NODE.NAME`. */
import { floatsOf, sha256 } from './bytes.js';
import { countOf, fieldsOf, type Json, type JsonObject, listOf, parseJson, shapeOf, textOf } from './json.js';
import {
  type AffineLayer,
  average,
  channelwise,
  convolution,
  type Layer,
  normalized,
  type Shape3,
  sizeOf,
} from './layers.js';
import { demand, Refused } from './refused.js';
import { readSafetensors, type StoredTensor } from './safetensors.js';

export interface Network {
  readonly inputShape: readonly number[];
  readonly classes: number;
  /** In order; value 0 is the input, value i + 1 the output of layer i. Only layers that the logits need. */
  readonly layers: readonly Layer[];
  /** Names of all ReLU nodes. */
  readonly relus: ReadonlySet<string>;
  /** SHA-256 of each tensor of the graph, by name. */
  readonly tensors: ReadonlyMap<string, string>;
}

/** A value of the graph: which one, and its shape as the file gives it. */
interface Value {
  readonly index: number;
  readonly shape: readonly number[];
}

/** A vector is one pixel with many channels. */
function shape3(shape: readonly number[], where: string): Shape3 {
  demand(shape.length === 1 || shape.length === 3, `${where} has the shape [${shape}], neither a vector nor an image`);
  demand(sizeOf(shape) <= 2 ** 26, `${where} has the shape [${shape}], more than 2^26 numbers`);
  return shape.length === 1 ? [1, 1, shape[0]!] : [shape[0]!, shape[1]!, shape[2]!];
}

const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((n, i) => n === b[i]);

/** @throws Refused for all that is not a complete network of known ops */
export async function readNetwork(bytes: Uint8Array<ArrayBuffer>): Promise<Network> {
  const { tensors: stored, strings } = readSafetensors(bytes);
  const format = strings.get('format') ?? 'nothing';
  demand(/^cert-checkpoint-[12]$/.test(format), `the network file is of the format "${format}", not cert-checkpoint-2`);
  const text = strings.get('model');
  demand(text !== undefined, 'the network file has no model in its header');
  const model = fieldsOf(parseJson(text, 'the model'), 'the model', ['inputShape', 'classes', 'nodes']);
  const inputShape = shapeOf(model.get('inputShape'), 'the input shape');
  shape3(inputShape, 'the input');

  const values = new Map<string, Value>([['input', { index: 0, shape: inputShape }]]);
  const layers: Layer[] = [];
  const relus = new Set<string>();
  const used = new Set<string>();
  let last = 'input';
  for (const json of listOf(model.get('nodes'), 'the nodes')) {
    const fields = fieldsOf(json, 'a node', ['name', 'op', 'inputs', 'attrs', 'shape', 'params', 'stats']);
    const node = new NodeReader(fields, values, stored, used);
    const { layer, shape } = read(node, layers);
    demand(
      same(shape, shapeOf(fields.get('shape'), node.where)),
      `${node.where} does not have the shape [${shape}] that follows`,
    );
    demand(!values.has(node.name), `two nodes are named "${node.name}"`);
    node.finish();
    if (typeof layer !== 'number') {
      layers.push(layer);
      if (layer.kind === 'relu') relus.add(node.name);
    }
    values.set(node.name, { index: typeof layer === 'number' ? layer : layers.length, shape });
    last = node.name;
  }
  const logits = values.get(last)!;
  const classes = countOf(model.get('classes'), 'the number of classes', 2);
  demand(same(logits.shape, [classes]), `the last node has the shape [${logits.shape}] for ${classes} classes`);
  for (const name of stored.keys()) {
    demand(!/^(params|stats)\./.test(name) || used.has(name), `tensor "${name}" belongs to no node`);
  }
  const hashes = [...used].map(async (name) => [name, await sha256(stored.get(name)!.bytes.slice())] as const);
  return {
    inputShape,
    classes,
    layers: needed(layers, logits.index),
    relus,
    tensors: new Map(await Promise.all(hashes)),
  };
}

/** Layers that lead to a value, renumbered: a convolution that went into the normalization after it is left out. */
function needed(layers: readonly Layer[], output: number): Layer[] {
  const inputsOf = (layer: Layer) => (layer.kind === 'add' ? layer.inputs : [layer.input]);
  const wanted = new Set([output]);
  for (let i = layers.length; i >= 1; i--)
    if (wanted.has(i)) for (const input of inputsOf(layers[i - 1]!)) wanted.add(input);
  const places = new Map([[0, 0]]);
  const kept: Layer[] = [];
  for (const [i, layer] of layers.entries()) {
    if (!wanted.has(i + 1)) continue;
    const [a, b] = inputsOf(layer).map((input) => places.get(input)!) as [number, number];
    kept.push(layer.kind === 'add' ? { ...layer, inputs: [a, b] } : { ...layer, input: a });
    places.set(i + 1, kept.length);
  }
  return kept;
}

/** One node of the graph, with checks of all that is asked of it. */
class NodeReader {
  readonly name: string;
  readonly op: string;
  readonly where: string;
  readonly inputs: readonly Value[];
  readonly #asked = { params: new Set<string>(), stats: new Set<string>() };

  constructor(
    readonly fields: JsonObject,
    values: ReadonlyMap<string, Value>,
    readonly stored: ReadonlyMap<string, StoredTensor>,
    readonly used: Set<string>,
  ) {
    this.name = textOf(fields.get('name'), 'the name of a node');
    this.op = textOf(fields.get('op'), 'the op of a node');
    this.where = `node "${this.name}" (${this.op})`;
    demand(/^[^.]+$/.test(this.name), `${this.where} has a name that cannot be part of a tensor's name`);
    this.inputs = listOf(fields.get('inputs'), this.where).map((json) => {
      const input = values.get(textOf(json, this.where));
      demand(input !== undefined, `${this.where} reads a node that does not come before it`);
      return input;
    });
    const arity = this.op === 'add' ? 2 : 1;
    demand(this.inputs.length === arity, `${this.where} has ${this.inputs.length} inputs instead of ${arity}`);
  }

  /** The attributes, exactly those named. */
  attributes(...names: string[]): JsonObject {
    return fieldsOf(this.fields.get('attrs'), `${this.where}: attrs`, names);
  }

  /** A float32 tensor that the graph declares, in the shape that it should have; of a shape with unknown parts if `shape` is a rank. */
  tensor(
    kind: 'params' | 'stats',
    name: string,
    shape: readonly number[] | number,
  ): { data: Float32Array; shape: readonly number[] } {
    this.#asked[kind].add(name);
    const key = `${kind}.${this.name}.${name}`;
    const declared = this.fields.get(kind);
    const wanted = shapeOf(declared instanceof Map ? declared.get(name) : undefined, `the declared shape of ${key}`);
    const tensor = this.stored.get(key);
    demand(tensor !== undefined, `tensor ${key} is missing`);
    demand(tensor.dtype === 'F32', `tensor ${key} is ${tensor.dtype}, not float32`);
    demand(same(tensor.shape, wanted), `tensor ${key} has the shape [${tensor.shape}] and is declared as [${wanted}]`);
    const fits = typeof shape === 'number' ? wanted.length === shape : same(wanted, shape);
    demand(fits, `tensor ${key} has the shape [${wanted}], which does not fit its node`);
    this.used.add(key);
    return { data: floatsOf(tensor.bytes, `tensor ${key}`), shape: wanted };
  }

  /** After everything was asked for: nothing else is declared. */
  finish(): void {
    for (const kind of ['params', 'stats'] as const) {
      fieldsOf(this.fields.get(kind), `${this.where}: ${kind}`, [...this.#asked[kind]]);
    }
  }
}

/** A layer, or the number of the value that a node only renames. */
function read(node: NodeReader, layers: readonly Layer[]): { layer: Layer | number; shape: readonly number[] } {
  const [{ index: input, shape }, second] = node.inputs as [Value, Value | undefined];
  const { where } = node;
  const from = shape3(shape, where);
  const image = (): void => demand(shape.length === 3, `${where} reads [${shape}], not an image`);
  switch (node.op) {
    case 'conv2d': {
      image();
      const attributes = node.attributes('stride', 'padding', 'groups');
      const stride = countOf(attributes.get('stride'), where, 1);
      const padding = countOf(attributes.get('padding'), where, 0);
      const groups = countOf(attributes.get('groups'), where, 1);
      const kernel = node.tensor('params', 'kernel', 4);
      const [height, width, channels, filters] = kernel.shape as [number, number, number, number];
      demand(channels * groups === from[2] && filters % groups === 0, `${where} has ${groups} groups that do not fit`);
      const side = (n: number, kernelSide: number) => Math.floor((n + 2 * padding - kernelSide) / stride) + 1;
      const to: Shape3 = [side(from[0], height), side(from[1], width), filters];
      demand(to[0] >= 1 && to[1] >= 1, `${where} has a kernel that is larger than its input`);
      shape3(to, where);
      const bias = node.tensor('params', 'bias', [filters]).data;
      const size = [height, width] as const;
      return {
        layer: convolution({ input, from, to, kernel: kernel.data, size, stride, padding, groups }, bias),
        shape: to,
      };
    }
    case 'dense': {
      node.attributes();
      demand(shape.length === 1, `${where} reads [${shape}], not a vector`);
      const kernel = node.tensor('params', 'kernel', 2);
      const [inputs, units] = kernel.shape as [number, number];
      demand(inputs === from[2], `${where} has a kernel for ${inputs} inputs and gets ${from[2]}`);
      const bias = node.tensor('params', 'bias', [units]).data;
      const to: Shape3 = [1, 1, units];
      const rest = { kernel: kernel.data, size: [1, 1] as const, stride: 1, padding: 0, groups: 1 };
      return { layer: convolution({ input, from, to, ...rest }, bias), shape: [units] };
    }
    case 'batchNorm': {
      const attributes = node.attributes('momentum', 'epsilon');
      const epsilon = attributes.get('epsilon');
      demand(typeof epsilon === 'number' && epsilon >= 0, `${where} has no epsilon from 0`);
      const tensor = (kind: 'params' | 'stats', name: string) => node.tensor(kind, name, [from[2]]).data;
      const norm = {
        gamma: tensor('params', 'gamma'),
        beta: tensor('params', 'beta'),
        mean: tensor('stats', 'mean'),
        variance: tensor('stats', 'variance'),
        epsilon,
      };
      const before = layers[input - 1];
      const fuses = before?.kind === 'affine' && same(before.to, from);
      return { layer: normalized(where, fuses ? before : identity(input, from), norm), shape };
    }
    case 'affine': {
      const attributes = node.attributes('scale', 'shift');
      const [scale, shift] = (['scale', 'shift'] as const).map((name) =>
        numbersOf(attributes.get(name), from[2], where),
      );
      return { layer: channelwise(input, from, scale!, shift!), shape };
    }
    case 'avgPool': {
      image();
      const size = countOf(node.attributes('size').get('size'), where, 1);
      const to: Shape3 = [Math.floor(from[0] / size), Math.floor(from[1] / size), from[2]];
      demand(to[0] >= 1 && to[1] >= 1, `${where} has windows that are larger than its input`);
      return { layer: average(input, from, to, [size, size], size), shape: to };
    }
    case 'globalAvgPool':
      image();
      node.attributes();
      return { layer: average(input, from, [1, 1, from[2]], [from[0], from[1]], 1), shape: [from[2]] };
    case 'relu':
      node.attributes();
      return { layer: { kind: 'relu', name: node.name, input, to: from }, shape };
    case 'add':
      node.attributes();
      demand(same(shape, second!.shape), `${where} adds [${shape}] and [${second!.shape}]`);
      return { layer: { kind: 'add', inputs: [input, second!.index], to: from }, shape };
    case 'flatten':
      node.attributes();
      return { layer: input, shape: [sizeOf(shape)] };
    default:
      throw new Refused(`${where}: no rule for this op`);
  }
}

/** What a batch normalization changes where no affine layer is before it. */
const identity = (input: number, shape: Shape3): AffineLayer =>
  channelwise(input, shape, new Array(shape[2]).fill(1), new Array(shape[2]).fill(0));

function numbersOf(json: Json | undefined, count: number, where: string): number[] {
  const list = listOf(json, where);
  demand(list.length === count, `${where} has ${list.length} numbers for ${count} channels`);
  return list.map((n) => {
    demand(typeof n === 'number', `${where} has something else than a number in a list of numbers`);
    return n;
  });
}

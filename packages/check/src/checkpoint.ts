/**
 * Checkpoints of cert: safetensors files (8 bytes with the length of the header, the header as JSON, then the tensors without holes), the graph as JSON
 * in the header, parameters as tensors `params.NODE.NAME` and `stats.NODE.NAME`. Images have their channels last.
 */
import { decodeUtf8, floatsOf, sha256 } from './bytes.js';
import { countOf, fieldsOf, type JsonObject, listOf, numberOf, objectOf, parseJson, shapeOf, textOf } from './json.js';
import { type AffineLayer, average, convolution, normalized, POINT, scaled, sizeOf, sums } from './layers.js';
import { inputOf, layersBehind, type Network, same, type Value } from './network.js';
import { demand, Refused, within } from './refused.js';

/** One tensor as it lies in the file. */
interface StoredTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The tensors of a safetensors file by name, and what its header has under `__metadata__`. */
function readSafetensors(bytes: Uint8Array<ArrayBuffer>) {
  demand(bytes.length >= 8, 'the network file has fewer than 8 bytes');
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const start = 8 + length;
  demand(start <= bytes.length, `the header of the network file has ${length} bytes, more than the file`);
  const text = decodeUtf8(bytes.subarray(8, start), 'the header of the network file');
  const header = objectOf(parseJson(text, 'the header'), 'the header');
  const tensors = new Map<string, StoredTensor>();
  const spans: [number, number][] = [];
  for (const [name, entry] of header) {
    if (name === '__metadata__') continue;
    const where = `"${name}" in the network file`;
    const fields = fieldsOf(entry, where, ['dtype', 'shape', 'data_offsets']);
    const numbers = (key: string) => listOf(fields.get(key), where).map((n) => countOf(n, where, 0));
    const [begin, end] = numbers('data_offsets') as [number, number];
    spans.push([begin, end]);
    const data = bytes.slice(start + begin, start + end);
    tensors.set(name, { dtype: textOf(fields.get('dtype'), where), shape: numbers('shape'), bytes: data });
  }
  let covered = 0;
  for (const [begin, end] of spans.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    demand(
      begin === covered && end >= begin,
      `the tensors of the network file leave a hole or overlap at byte ${covered}`,
    );
    covered = end;
  }
  demand(
    start + covered === bytes.length,
    `the network file should have ${start + covered} bytes, not ${bytes.length}`,
  );
  return { tensors, metadata: objectOf(header.get('__metadata__'), 'the metadata of the network file') };
}

/** The names of what a node has: attributes, parameters, statistics. */
const FORMS = new Map<string, { attrs?: string[]; params?: string[]; stats?: string[] }>([
  ['conv2d', { attrs: ['stride', 'padding', 'groups'], params: ['kernel', 'bias'] }],
  ['dense', { params: ['kernel', 'bias'] }],
  ['batchNorm', { attrs: ['momentum', 'epsilon'], params: ['gamma', 'beta'], stats: ['mean', 'variance'] }],
  ['affine', { attrs: ['scale', 'shift'] }],
  ['avgPool', { attrs: ['size'] }],
  ...['globalAvgPool', 'relu', 'add', 'flatten'].map((op): [string, object] => [op, {}]),
]);

/** @throws Refused for all that is not a complete network of known ops */
export async function readCheckpoint(bytes: Uint8Array<ArrayBuffer>): Promise<Network> {
  const { tensors, metadata } = readSafetensors(bytes);
  const format = textOf(metadata.get('format'), 'the format of the network file');
  demand(/^cert-checkpoint-[12]$/.test(format), `the network file is of the format "${format}", not cert-checkpoint-2`);
  const text = textOf(metadata.get('model'), 'the model in the header');
  const model = fieldsOf(parseJson(text, 'the model'), 'the model', ['inputShape', 'classes', 'nodes']);
  const inputShape = shapeOf(model.get('inputShape'), 'the input shape');

  let last = inputOf(inputShape);
  const values = new Map([['input', last]]);
  const used = new Set<string>();
  for (const json of listOf(model.get('nodes'), 'the nodes')) {
    const fields = fieldsOf(json, 'a node', ['name', 'op', 'inputs', 'attrs', 'shape', 'params', 'stats']);
    const name = textOf(fields.get('name'), 'the name of a node');
    last = within(`node "${name}" (${fields.get('op')})`, () => {
      demand(/^[^.]+$/.test(name), 'the name cannot be part of the name of a tensor');
      demand(!values.has(name), 'another node has this name');
      const value = compute(nodeOf(fields, values, tensors, used));
      demand(
        same(value.shape, shapeOf(fields.get('shape'), 'shape')),
        `the shape is [${value.shape}], not as declared`,
      );
      return value;
    });
    values.set(name, last);
  }
  const classes = countOf(model.get('classes'), 'the number of classes', 2);
  demand(same(last.shape, [classes]), `the last node has the shape [${last.shape}] for ${classes} classes`);
  const hashes = new Map<string, string>();
  for (const [name, tensor] of tensors) {
    demand(!/^(params|stats)\./.test(name) || used.has(name), `tensor "${name}" belongs to no node`);
    if (used.has(name)) hashes.set(name, await sha256(tensor.bytes));
  }
  return { inputShape, classes, layers: [...layersBehind(last.layer)], tensors: hashes };
}

/** Checks the form of a node. */
function nodeOf(
  fields: JsonObject,
  values: ReadonlyMap<string, Value>,
  stored: ReadonlyMap<string, StoredTensor>,
  used: Set<string>,
) {
  const [name, op] = [textOf(fields.get('name'), 'name'), textOf(fields.get('op'), 'op')];
  const form = FORMS.get(op);
  demand(form !== undefined, 'no rule for this op');
  const inputs = listOf(fields.get('inputs'), 'inputs').map((json) => {
    const input = values.get(textOf(json, 'inputs'));
    demand(input !== undefined, 'an input does not come before the node');
    return input;
  });
  const arity = op === 'add' ? 2 : 1;
  demand(inputs.length === arity, `there are ${inputs.length} inputs instead of ${arity}`);
  const attrs = fieldsOf(fields.get('attrs'), 'attrs', form.attrs ?? []);
  const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const kind of ['params', 'stats'] as const) {
    for (const [tensor, declared] of fieldsOf(fields.get(kind), kind, form[kind] ?? [])) {
      const key = `${kind}.${name}.${tensor}`;
      const { dtype, shape, bytes } = stored.get(key) ?? {};
      demand(shape !== undefined && bytes !== undefined, `tensor ${key} is missing`);
      demand(dtype === 'F32', `tensor ${key} is ${dtype}, not float32`);
      demand(same(shape, shapeOf(declared, key)), `tensor ${key} has the shape [${shape}], not as declared`);
      demand(bytes.length === 4 * sizeOf(shape), `tensor ${key} does not have the bytes of its shape`);
      tensors.set(tensor, { shape, data: floatsOf(bytes, `tensor ${key}`) });
      used.add(key);
    }
  }
  return { name, op, inputs, attrs, tensors };
}

/** What a node computes. */
function compute({ name, op, inputs, attrs, tensors }: ReturnType<typeof nodeOf>): Value {
  const [input, second] = inputs as [Value, Value | undefined];
  const { layer, shape } = input;
  const rank = op === 'dense' ? 1 : ['conv2d', 'avgPool', 'globalAvgPool'].includes(op) ? 3 : shape.length;
  demand(
    shape.length === rank && rank % 2 === 1,
    `the input [${shape}] is not ${rank === 1 ? 'a vector' : 'an image'}`,
  );
  const [height, width, channels] = (rank === 1 ? [1, 1, ...shape] : shape) as [number, number, number];
  const image = { layer, grid: { height, width, channels, channelsLast: true } };
  const data = (tensor: string) => tensors.get(tensor)!.data;
  const count = (attr: string, least: number) => countOf(attrs.get(attr), attr, least);
  const numbers = (attr: string) => listOf(attrs.get(attr), attr).map((n) => numberOf(n, attr));
  const shaped = (made: AffineLayer): Value => {
    const { height, width, channels } = made.to;
    return { layer: made, shape: op === 'conv2d' || op === 'avgPool' ? [height, width, channels] : [channels] };
  };
  switch (op) {
    case 'conv2d':
    case 'dense': {
      const kernel = tensors.get('kernel')!;
      const fits = kernel.shape.length === (op === 'dense' ? 2 : 4) && kernel.shape.at(-1) === data('bias').length;
      demand(fits, `the kernel has the shape [${kernel.shape}] beside ${data('bias').length} biases`);
      if (op === 'dense') return shaped(convolution(image, POINT, kernel.data, 1, data('bias')));
      const [stride, padding] = [count('stride', 1), count('padding', 0)];
      const window = {
        size: [kernel.shape[0]!, kernel.shape[1]!],
        stride: [stride, stride],
        dilation: [1, 1],
        padding: [padding, padding, padding, padding],
      };
      return shaped(convolution(image, window, kernel.data, count('groups', 1), data('bias')));
    }
    case 'batchNorm': {
      const epsilon = numberOf(attrs.get('epsilon'), 'epsilon');
      return { layer: normalized(image, ['gamma', 'beta', 'mean', 'variance'].map(data), epsilon), shape };
    }
    case 'affine':
      return { layer: scaled(sums(image, POINT), numbers('scale'), numbers('shift')), shape };
    case 'avgPool': {
      const size = count('size', 1);
      return shaped(average(image, { ...POINT, size: [size, size], stride: [size, size] }));
    }
    case 'globalAvgPool':
      return shaped(average(image, { ...POINT, size: [height, width] }));
    case 'relu':
      return { layer: { kind: 'relu', name, inputs: [layer], size: layer.size }, shape };
    case 'add':
      demand(same(shape, second!.shape), `the shapes [${shape}] and [${second!.shape}] differ`);
      return { layer: { kind: 'add', name, inputs: [layer, second!.layer], size: layer.size }, shape };
    case 'flatten':
      return { layer, shape: [layer.size] };
    default:
      throw new Refused('no rule for this op');
  }
}

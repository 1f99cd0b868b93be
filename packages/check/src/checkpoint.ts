/**
 * Checkpoints of cert: safetensors files (8 bytes with the length of the header, the header as JSON, then the tensors in its order, without holes),
 * the graph as JSON in the header, parameters as tensors `params.NODE.NAME` and `stats.NODE.NAME`. Images have their channels last.
 */
import { type Bytes, decodeUtf8 } from './bytes.js';
import type { Graph } from './graph.js';
import { any, count, list, number, object, parseJson, type Read, record, shape, text } from './json.js';
import { same, sizeOf } from './layers.js';
import { Constant } from './ops.js';
import { demand, within } from './refused.js';

const STORED = object({ dtype: text, shape: list(count(0)), data_offsets: list(count(0), 2, 2) });
type Stored = ReturnType<typeof STORED> & { readonly bytes: Bytes };

/** The tensors of a safetensors file by name, and what its header has under `__metadata__`. */
function readSafetensors(bytes: Bytes) {
  demand(bytes.length >= 8, 'the network file has fewer than 8 bytes');
  const start = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  demand(start <= bytes.length, `the header of the network file has ${start - 8} bytes, more than the file`);
  const written = decodeUtf8(bytes.subarray(8, start), 'the header of the network file');
  const header = record(any)(parseJson(written.trimEnd(), 'the header'), 'the header');
  const metadata = record(text)(header.get('__metadata__') ?? null, 'the metadata of the network file');
  header.delete('__metadata__');
  const stored = new Map<string, Stored>();
  let covered = start;
  for (const [name, entry] of header) {
    const tensor = STORED(entry, `"${name}" in the network file`);
    const [begin, end] = tensor.data_offsets.map((at) => start + at) as [number, number];
    const next = begin === covered && end >= begin;
    demand(next, `the tensors of the network file are not in order, or leave a hole or overlap: "${name}"`);
    stored.set(name, { ...tensor, bytes: bytes.slice(begin, end) });
    covered = end;
  }
  demand(covered === bytes.length, `the network file should have ${covered} bytes, not ${bytes.length}`);
  return { stored, metadata };
}

const attribute: Read<number | readonly number[]> = (json, where) =>
  Array.isArray(json) ? list(number)(json, where) : number(json, where);
const SHAPES = record(shape);
const [NAMES, ATTRIBUTES] = [list(text), record(attribute)];
const NODE = object({ name: text, op: text, inputs: NAMES, attrs: ATTRIBUTES, shape, params: SHAPES, stats: SHAPES });
const MODEL = object({ inputShape: shape, classes: count(1), nodes: list(NODE) });

const WEIGHTS = { params: ['kernel', 'bias'], stats: [] };
/** The tensors that ops read after their values. */
const TENSORS = new Map([
  ['conv2d', WEIGHTS],
  ['dense', WEIGHTS],
  ['batchNorm', { params: ['gamma', 'beta'], stats: ['mean', 'variance'] }],
]);

/** @throws Refused for what is not a checkpoint with all tensors of its graph */
export function readCheckpoint(bytes: Bytes): Graph {
  const { stored, metadata } = readSafetensors(bytes);
  const format = metadata.get('format') ?? '';
  demand(/^cert-checkpoint-[12]$/.test(format), `the network file is of the format "${format}", not cert-checkpoint-2`);
  const { inputShape, classes, nodes } = MODEL(parseJson(metadata.get('model') ?? '', 'the model'), 'the model');
  const tensors = new Map<string, Constant>();
  const nodeOf = ({ name, op, inputs, attrs, shape, ...declared }: ReturnType<typeof NODE>) => {
    const usable = [name, ...inputs].every((each) => /^[^.]+$/.test(each));
    demand(usable, 'a name cannot be part of the name of a tensor');
    const arity = op === 'add' ? 2 : 1;
    demand(inputs.length === arity, `there are ${inputs.length} inputs instead of ${arity}`);
    demand(/^[a-z]/.test(op), 'the op is not one of checkpoints');
    const reads = (['params', 'stats'] as const).flatMap((kind) => {
      const keys = TENSORS.get(op)?.[kind] ?? [];
      const extra = [...declared[kind].keys()].find((key) => !keys.includes(key));
      demand(extra === undefined, `${kind} has the unknown field "${extra}"`);
      return keys.map((key) => {
        const place = `${kind}.${name}.${key}`;
        const [tensor, sides = []] = [stored.get(place), declared[kind].get(key)];
        demand(tensor?.dtype === 'F32', `tensor ${place} is ${tensor?.dtype ?? 'missing'}, not float32`);
        const fits = same(tensor.shape, sides) && sides.at(-1) === shape.at(-1);
        demand(fits, `tensor ${place} has the shape [${tensor.shape}], not as declared`);
        demand(tensor.bytes.length === 4 * sizeOf(sides), `tensor ${place} does not have the bytes of its shape`);
        tensors.set(place, new Constant(sides, tensor.bytes, true));
        return place;
      });
    });
    return { name, op, inputs: [...inputs, ...reads], attributes: Object.fromEntries(attrs), shape };
  };
  const made = nodes.map((node) => within(`node "${node.name}" (${node.op})`, () => nodeOf(node)));
  const unused = [...stored.keys()].find((name) => /^(params|stats)\./.test(name) && !tensors.has(name));
  demand(unused === undefined, `tensor "${unused}" belongs to no node`);
  const last = made.at(-1);
  const fits = last !== undefined && same(last.shape, [classes]);
  demand(fits, `the last node has the shape [${last?.shape}] for ${classes} classes`);
  return { input: 'input', inputShape, channelsLast: true, tensors, nodes: made, output: last.name };
}

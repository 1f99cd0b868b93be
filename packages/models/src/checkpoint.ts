import {
  CertError,
  checkModel,
  describeValue,
  type HostParams,
  type HostTree,
  type Model,
  parseJson,
  type Shape,
} from '@cert/core';
import { sha256 as sha256Hash } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { type FlatTensors, flattenHost, unflattenHost } from './flat-tensors.js';
import { decodeSafetensors, encodeSafetensors } from './safetensors.js';

/** A JSON value; numbers are finite. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };

/** A model during or after training, with everything needed to rebuild the model and resume training. Plain data. */
export interface Checkpoint {
  /** The graph. */
  readonly model: Model;
  /** Parameters (float32) of every node that has any. */
  readonly params: HostParams;
  /** Running statistics (float32) of every node that has any. */
  readonly stats: HostParams;
  /** Other tensors, such as `{ optimizer: { m: ..., v: ... } }`; the keys `params` and `stats` are reserved. */
  readonly extra?: HostTree | undefined;
  /** Other data, such as configuration, epoch and metrics. */
  readonly metadata?: JsonValue | undefined;
}

/** Result of {@link decodeCheckpoint}. */
export interface DecodedCheckpoint extends Required<Checkpoint> {
  /** Whether the file has a (matching) checksum; `absent` for files of older versions. */
  readonly checksum: 'verified' | 'absent';
}

/** The version of the layout inside the file; stored with it. The first one had no checksum. */
const FORMAT = 'cert-checkpoint-2';
const WITHOUT_CHECKSUM = 'cert-checkpoint-1';

/**
 * Returns a checkpoint as the bytes of a safetensors file. Tensors are named `params.conv1.kernel`, `stats.bn1.mean`,
 * `optimizer.m.conv1.kernel`; model and metadata are stored as JSON in the metadata of the file, together with a SHA-256 of all content.
 *
 * @throws CertError `shape-mismatch` naming a tensor that does not fit the model; `bad-argument` for metadata that JSON cannot store (NaN,
 * infinity), names with dots, and a key `params` or `stats` in `extra`
 */
export function encodeCheckpoint({ model, params, stats, extra = {}, metadata = null }: Checkpoint): Uint8Array {
  for (const key of ['params', 'stats']) {
    if (!Object.hasOwn(extra, key)) continue;
    throw new CertError('bad-argument', `extra has the key "${key}".`, 'Rename the key: checkpoints reserve this one.');
  }
  const tensors = flattenHost({ params, stats, ...extra });
  checkTensors(model, tensors, 'The checkpoint');
  const strings = { format: FORMAT, model: toJson('model', model), metadata: toJson('metadata', metadata) };
  return encodeSafetensors({ tensors, metadata: { ...strings, sha256: checksum(tensors, strings) } });
}

/**
 * Decodes the bytes of {@link encodeCheckpoint}.
 *
 * @param source name of the file, for messages
 * @throws CertError `bad-file` for a truncated or corrupt file, a wrong checksum, or a file that is not a checkpoint; `shape-mismatch`
 * naming a tensor that does not fit the model in the file
 */
export function decodeCheckpoint(bytes: Uint8Array, source = 'the checkpoint'): DecodedCheckpoint {
  const { tensors, metadata: strings } = decodeSafetensors(bytes, source);
  if (strings.format !== FORMAT && strings.format !== WITHOUT_CHECKSUM) {
    throw new CertError(
      'bad-file',
      `${source} is a safetensors file of the format ${describeValue(strings.format ?? 'unknown')}, not ${FORMAT}.`,
      strings.format?.startsWith('cert-')
        ? 'Give a checkpoint written by this version of the library.'
        : 'It has tensors, but no model. Load them into a model with fromStateDict of @cert/interchange and save both with saveCheckpoint of @cert/models/node, or export the network to ONNX.',
    );
  }
  const { sha256, ...hashed } = strings;
  if ((sha256 !== undefined || strings.format === FORMAT) && sha256 !== checksum(tensors, hashed)) {
    throw new CertError(
      'bad-file',
      `${source} was modified or damaged after it was written: its checksum does not match.`,
      'Copy the file again, or use another checkpoint of the run.',
    );
  }
  const model = parseModel(strings.model, source);
  checkTensors(model, tensors, source);
  const { params = {}, stats = {}, ...extra } = unflattenHost(tensors, source);
  return {
    model,
    // checkTensors has found exactly the two levels that the model names.
    params: params as HostParams,
    stats: stats as HostParams,
    extra,
    metadata: readJson(strings.metadata, 'metadata', source) as JsonValue,
    checksum: sha256 === undefined ? 'absent' : 'verified',
  };
}

/** The SHA-256, in hexadecimal, of the strings, of the name, dtype and shape of every tensor, and of the values. */
function checksum(tensors: FlatTensors, strings: Readonly<Record<string, string>>): string {
  const entries = Object.entries(tensors);
  const described = entries.map(([name, { shape, data }]) => [name, data instanceof Int32Array ? 'I32' : 'F32', shape]);
  const sortedStrings = Object.entries(strings).sort(([a], [b]) => (a < b ? -1 : 1));
  const hash = sha256Hash.create().update(utf8ToBytes(JSON.stringify([sortedStrings, described])));
  for (const [, { data }] of entries) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return bytesToHex(hash.digest());
}

/** Checks that the tensors under `params` and `stats` are exactly those that the model needs. */
function checkTensors(model: Model, tensors: FlatTensors, source: string): void {
  const needed = new Map<string, Shape>();
  for (const node of model.nodes) {
    for (const kind of ['params', 'stats'] as const) {
      for (const [name, shape] of Object.entries<Shape>(node[kind])) needed.set(`${kind}.${node.name}.${name}`, shape);
    }
  }
  const fail = (problem: string) =>
    new CertError(
      'shape-mismatch',
      `${source} does not fit its model: ${problem}.`,
      'Store tensors together with the model that they belong to.',
    );
  for (const [name, shape] of needed) {
    const tensor = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
    if (tensor === undefined) throw fail(`tensor ${describeValue(name)} of shape ${describeValue(shape)} is missing`);
    if (tensor.shape.length !== shape.length || tensor.shape.some((n, i) => n !== shape[i])) {
      throw fail(
        `tensor ${describeValue(name)} has the shape ${describeValue(tensor.shape)} and should have ${describeValue(shape)}`,
      );
    }
    if (!(tensor.data instanceof Float32Array)) throw fail(`tensor ${describeValue(name)} should be float32`);
  }
  for (const name of Object.keys(tensors)) {
    if (/^(params|stats)(\.|$)/.test(name) && !needed.has(name))
      throw fail(`the model has no tensor ${describeValue(name)}`);
  }
}

/** Whether tensors can be found by it again: they are named `params.<node>.<name>`. */
const isPartOfName = (text: string) => text !== '' && text !== '__proto__' && !text.includes('.');

function parseModel(text: string | undefined, source: string): Model {
  const model = readJson(text, 'model', source);
  try {
    const checked = checkModel(model as Model);
    for (const { name, params, stats } of checked.nodes) {
      for (const part of [name, ...Object.keys(params), ...Object.keys(stats)]) {
        if (isPartOfName(part)) continue;
        throw new CertError('bad-model', `The name ${describeValue(part)} cannot be part of a tensor's name.`, '');
      }
    }
    return checked;
  } catch (cause) {
    throw new CertError(
      'bad-file',
      `${source}: the model in its header is not valid. ${cause instanceof CertError ? cause.problem : ''}`.trim(),
      'Use another checkpoint of the run, or train again.',
      { cause },
    );
  }
}

function readJson(text: string | undefined, key: string, source: string): unknown {
  try {
    return parseJson(text ?? '');
  } catch (cause) {
    const problem = `not JSON (${cause instanceof Error ? cause.message : cause})`;
    throw new CertError(
      'bad-file',
      `${source}: "${key}" in its header is ${text === undefined ? 'missing' : problem}.`,
      'Use another checkpoint of the run.',
      { cause },
    );
  }
}

/** JSON that reads back to the same value. JSON itself would write NaN and infinity as null. */
function toJson(what: string, value: unknown): string {
  try {
    const text = JSON.stringify(value, (key, part: unknown) => {
      if (typeof part !== 'number' || Number.isFinite(part)) return part;
      throw new CertError(
        'bad-argument',
        `The ${what} has the number ${part}${key === '' ? '' : ` at "${key}"`}, which JSON cannot hold.`,
        'Store it as a string or as null.',
      );
    });
    parseJson(text);
    return text;
  } catch (cause) {
    if (cause instanceof CertError) throw cause;
    throw new CertError(
      'bad-argument',
      `The ${what} cannot be stored as JSON: ${cause instanceof Error ? cause.message : cause}.`,
      'Store plain data: strings, finite numbers, booleans, null, and lists and records of them.',
      { cause },
    );
  }
}

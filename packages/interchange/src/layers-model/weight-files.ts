import { CertError, describeValue, type Shape, sizeOf } from '@cert/core';
import { isJson, type Json } from './config.js';
import { badModel } from './errors.js';
import type { NamedWeight } from './weights.js';

/**
 * The bytes of weight files: all of them, one behind the other in the order of {@link weightPathsOf}, or each by its path in `model.json`.
 */
export type WeightFiles = Uint8Array | { readonly [path: string]: Uint8Array };

/** Weights, and what was changed about them. */
export interface DecodedWeights {
  readonly weights: readonly NamedWeight[];
  readonly notes: readonly string[];
}

interface Group {
  readonly paths: readonly string[];
  readonly weights: readonly Json[];
}

function groupsOf(json: Json): readonly Group[] {
  const groups = json.weightsManifest;
  const fits = (group: unknown): group is Group =>
    isJson(group) &&
    Array.isArray(group.paths) &&
    group.paths.every((path) => typeof path === 'string') &&
    Array.isArray(group.weights) &&
    group.weights.every(isJson);
  if (Array.isArray(groups) && groups.every(fits)) return groups;
  throw badModel(
    `has the weightsManifest ${describeValue(groups ?? null)}`,
    'Give the model.json that model.save() or the converter wrote.',
  );
}

/** The paths of the weight files in `model.json`, in order. */
export const pathsIn = (json: Json): readonly string[] => groupsOf(json).flatMap(({ paths }) => paths);

/** Decodes the weights that `model.json` lists, float32 and dequantized where the converter quantized them. */
export function decodeWeights(json: Json, files: WeightFiles): DecodedWeights {
  const groups = groupsOf(json);
  const sizes = groups.map(({ weights }) => weights.reduce((sum, weight) => sum + byteLengthOf(weight), 0));
  const notes = new Set<string>();
  let from = 0;
  const total = sizes.reduce((a, b) => a + b, 0);
  if (files instanceof Uint8Array && files.length !== total) throw wrongSize(files.length, total);
  const weights = groups.flatMap((group, i) => {
    const bytes = files instanceof Uint8Array ? files.subarray(from, from + sizes[i]!) : joined(group.paths, files);
    from += sizes[i]!;
    if (bytes.length !== sizes[i]) throw wrongSize(bytes.length, sizes[i]!);
    return decodeGroup(group.weights, bytes, notes);
  });
  return { weights, notes: [...notes] };
}

const wrongSize = (found: number, expected: number) =>
  badModel(
    `has ${found} bytes of weights instead of ${expected}`,
    'Give all weight files of the model, complete and in the order of model.json.',
  );

function joined(paths: readonly string[], files: { readonly [path: string]: Uint8Array }): Uint8Array {
  const parts = paths.map((path) => {
    const bytes = Object.hasOwn(files, path) ? files[path] : undefined;
    if (bytes !== undefined) return bytes;
    throw new CertError(
      'bad-file',
      `The weight file ${describeValue(path)} of the TensorFlow.js model is missing.`,
      'Give all files that model.json names under "paths".',
    );
  });
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const isLength = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;

function shapeIn({ name, shape }: Json): Shape {
  if (Array.isArray(shape) && shape.every(isLength) && Number.isSafeInteger(sizeOf(shape))) return shape;
  throw badModel(`has a weight ${describeValue(name ?? null)} of the shape ${describeValue(shape ?? null)}`);
}

/** How the numbers of a weight are stored. */
const BYTES: { readonly [dtype: string]: number } = { float32: 4, int32: 4, float16: 2, uint16: 2, uint8: 1 };

/** The data type in the file: that of the quantization where there is one. */
function storedAs(weight: Json): string {
  const { dtype, quantization, name } = weight;
  const stored = isJson(quantization) ? quantization.dtype : dtype;
  const isPlain = !isJson(quantization) && (stored === 'float32' || stored === 'int32');
  const isQuantized =
    isJson(quantization) && dtype === 'float32' && ['float16', 'uint16', 'uint8'].includes(String(stored));
  if (isPlain || isQuantized) return String(stored);
  throw new CertError(
    'missing-rule',
    `The import does not support the weight ${describeValue(name ?? null)} of the data type ${describeValue(dtype ?? null)}${isJson(quantization) ? `, stored as ${describeValue(quantization.dtype ?? null)}` : ''}.`,
    'Save the model with float32 weights. The quantizations float16, uint16 and uint8 of the converter are supported.',
  );
}

const byteLengthOf = (weight: Json): number => sizeOf(shapeIn(weight)) * BYTES[storedAs(weight)]!;

function decodeGroup(specs: readonly Json[], bytes: Uint8Array, notes: Set<string>): readonly NamedWeight[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  return specs.flatMap((spec): readonly NamedWeight[] => {
    const { name } = spec;
    if (typeof name !== 'string') throw badModel(`has a weight with the name ${describeValue(name ?? null)}`);
    const shape = shapeIn(spec);
    const start = at;
    at += byteLengthOf(spec);
    // What an optimizer keeps is saved with the weights on request.
    if (spec.group === 'optimizer') return [];
    return [{ name, shape, data: decoded(spec, view, start, sizeOf(shape), notes) }];
  });
}

function decoded(spec: Json, view: DataView, start: number, count: number, notes: Set<string>): Float32Array {
  const stored = storedAs(spec);
  const out = new Float32Array(count);
  if (stored === 'float32') for (let i = 0; i < count; i++) out[i] = view.getFloat32(start + 4 * i, true);
  else if (stored === 'int32') for (let i = 0; i < count; i++) out[i] = view.getInt32(start + 4 * i, true);
  else if (stored === 'float16') for (let i = 0; i < count; i++) out[i] = half(view.getUint16(start + 2 * i, true));
  else {
    const { scale, min } = isJson(spec.quantization) ? spec.quantization : {};
    if (!Number.isFinite(scale) || !Number.isFinite(min)) {
      throw badModel(`has the quantization ${describeValue(spec.quantization)} of ${describeValue(spec.name)}`);
    }
    const read =
      stored === 'uint8' ? (i: number) => view.getUint8(start + i) : (i: number) => view.getUint16(start + 2 * i, true);
    for (let i = 0; i < count; i++) out[i] = read(i) * (scale as number) + (min as number);
  }
  if (stored !== 'float32' && stored !== 'int32') {
    notes.add(`Weights stored as ${stored} were converted to float32, as TensorFlow.js does.`);
  }
  return out;
}

/** The number of 16 bits of a float16. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * The readers of weights on damaged files: a CertError that names the problem, or what was saved. `npm run fuzz` tries 10,000 files a reader;
 * FUZZ_SEED begins another sequence.
 */
import { checkModel, type HostTensor, type Model, type Rng, sizeOf } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { mutateBytes } from '../../../fuzz/mutate-bytes.js';
import { mutateJson } from '../../../fuzz/mutate-json.js';
import { CASES, survives } from '../../../fuzz/survives.js';
import {
  assertSameModel,
  type Checkpoint,
  decodeCheckpoint,
  decodeSafetensors,
  encodeCheckpoint,
  encodeSafetensors,
  type FlatTensors,
  smallConv,
  summary,
} from './index.js';

const numbers = (...shape: number[]): HostTensor => ({
  shape,
  data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i + shape.length)),
});

/** A file with a header as it stands and some data. */
function file(header: string, data: Uint8Array): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

/** The two parts of a safetensors file. */
function apart(bytes: Uint8Array): { readonly header: unknown; readonly data: Uint8Array } {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  return {
    header: JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))),
    data: bytes.subarray(8 + length),
  };
}

/** A file whose header is damaged as JSON and whose data are whole. */
const damagedHeader = (bytes: Uint8Array) => {
  const { header, data } = apart(bytes);
  return (rng: Rng) => file(mutateJson(header, rng), data);
};

/** Every dtype that is read, 24 bytes each. */
const TYPED = file(
  JSON.stringify({
    __metadata__: { format: 'pt', note: 'ä' },
    ...Object.fromEntries(
      Object.entries({ F64: 3, F32: 6, F16: 12, BF16: 12, I64: 3, I32: 6, I16: 12, I8: 24, U8: 24, BOOL: 24 }).map(
        ([dtype, count], i) => [`${i}.${dtype}`, { dtype, shape: [count / 3, 3], data_offsets: [24 * i, 24 * i + 24] }],
      ),
    ),
  }),
  Uint8Array.from({ length: 240 }, (_, i) => i % 3),
);

function checkTensors(tensors: FlatTensors): void {
  for (const { shape, data } of Object.values(tensors)) expect(data.length).toBe(sizeOf(shape));
}

const conv: Model = smallConv({ inputShape: [8, 8, 1], classes: 3, filters: [2, 2], dense: 4 });
const tensorsOf = (node: Readonly<Record<string, readonly number[]>>) =>
  Object.fromEntries(Object.entries(node).map(([name, shape]) => [name, numbers(...shape)]));
const CHECKPOINT: Checkpoint = {
  model: conv,
  params: Object.fromEntries(
    conv.nodes.flatMap(({ name, params }) => (Object.keys(params).length > 0 ? [[name, tensorsOf(params)]] : [])),
  ),
  stats: Object.fromEntries(
    conv.nodes.flatMap(({ name, stats }) => (Object.keys(stats).length > 0 ? [[name, tensorsOf(stats)]] : [])),
  ),
  extra: { optimizer: { mean: { a: numbers(3) } }, counts: { shape: [2], data: Int32Array.of(1, 2) } },
  metadata: { position: { step: 3, sums: {} }, best: null, names: ['a', 'b'] },
};

describe(`readers survive ${CASES} damaged files`, { timeout: 60_000 + 100 * CASES }, () => {
  const readSafetensors = (bytes: Uint8Array) => {
    const { tensors, metadata } = decodeSafetensors(bytes);
    checkTensors(tensors);
    expect(Object.values(metadata).every((text) => typeof text === 'string')).toBe(true);
    expect(decodeSafetensors(encodeSafetensors({ tensors, metadata }))).toEqual({ tensors, metadata });
  };
  it('safetensors, bytes', () => survives('safetensors', (rng) => mutateBytes(TYPED, rng), readSafetensors));
  it('safetensors, header', () => survives('safetensors header', damagedHeader(TYPED), readSafetensors));

  const saved = encodeCheckpoint(CHECKPOINT);
  const whole = decodeCheckpoint(saved);
  const readCheckpoint = (bytes: Uint8Array) => expect(decodeCheckpoint(bytes)).toEqual(whole);
  it('checkpoint, bytes', () => survives('checkpoint', (rng) => mutateBytes(saved, rng), readCheckpoint));
  it('checkpoint, header', () => survives('checkpoint header', damagedHeader(saved), readCheckpoint));

  // As somebody would write it who means harm: the checksum is left out.
  const { tensors, metadata } = decodeSafetensors(saved);
  const { sha256: _, ...strings } = metadata;
  const forged = (changed: Record<string, string>) =>
    encodeSafetensors({ tensors, metadata: { ...strings, format: 'cert-checkpoint-1', ...changed } });
  it('checkpoint, its model and metadata', () =>
    survives(
      'checkpoint model',
      (rng) =>
        forged(
          rng.int(4) === 0
            ? { metadata: mutateJson(CHECKPOINT.metadata, rng) }
            : { model: mutateJson(CHECKPOINT.model, rng) },
        ),
      (bytes) => {
        const { model, params, stats } = decodeCheckpoint(bytes);
        checkModel(model);
        for (const node of model.nodes) {
          for (const [kind, of] of [
            [node.params, params],
            [node.stats, stats],
          ] as const) {
            for (const [name, shape] of Object.entries(kind)) expect(of[node.name]?.[name]?.shape).toEqual(shape);
          }
        }
        expect(summary(model)).toContain(model.nodes[0]!.name);
        assertSameModel(model, CHECKPOINT.model);
      },
    ));
});

import { CertError, type HostTensor } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { checkpoint, filled } from '../test/example-checkpoint.js';
import { decodeCheckpoint, decodeSafetensors, encodeCheckpoint, encodeSafetensors, type JsonValue } from './index.js';

/** The checkpoint's file with something about it changed. */
function altered(change: (file: ReturnType<typeof parts>) => void): Uint8Array {
  const file = parts();
  change(file);
  return encodeSafetensors(file);
}

function parts(): { tensors: Record<string, HostTensor>; metadata: Record<string, string> } {
  const { tensors, metadata } = decodeSafetensors(encodeCheckpoint(checkpoint));
  // As it was written before there was a checksum, so that what is changed is found for what it is.
  const { sha256: _, ...strings } = metadata;
  return { tensors: { ...tensors }, metadata: { ...strings, format: 'cert-checkpoint-1' } };
}

const errorOf = (f: () => unknown): CertError => {
  try {
    f();
  } catch (error) {
    if (error instanceof CertError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('encodeCheckpoint and decodeCheckpoint', () => {
  it('give everything back', () => {
    expect(decodeCheckpoint(encodeCheckpoint(checkpoint))).toEqual({ ...checkpoint, checksum: 'verified' });
  });

  it('give empty parts back as empty', () => {
    const { model: graph, params, stats } = checkpoint;
    const read = decodeCheckpoint(encodeCheckpoint({ model: graph, params, stats }));
    expect(read).toEqual({ model: graph, params, stats, extra: {}, metadata: null, checksum: 'verified' });
  });

  it('take metadata of many megabytes', () => {
    const large = { ...checkpoint, metadata: { log: 'line\n'.repeat(5e6) } };
    expect(decodeCheckpoint(encodeCheckpoint(large)).metadata).toEqual(large.metadata);
  });

  it('read a file that was written before there was a checksum', () => {
    expect(decodeCheckpoint(altered(() => {}))).toEqual({ ...checkpoint, checksum: 'absent' });
  });

  it('refuse a file with any bit changed', () => {
    const bytes = encodeCheckpoint(checkpoint);
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at]! ^= 1 << (at % 8);
      expect(errorOf(() => decodeCheckpoint(damaged)).code).toMatch(/^bad-file|shape-mismatch$/);
    }
  });

  it('say what to do with tensors that come without a model', () => {
    const cure = (format: string) =>
      errorOf(() =>
        decodeCheckpoint(
          altered((file) => {
            file.metadata = { format };
          }),
        ),
      ).cure;
    expect(cure('pt')).toMatch(/^It has tensors, but no model\. .*fromStateDict/);
    expect(cure('cert-checkpoint-9')).toBe('Give a checkpoint written by this version of the library.');
  });

  it('refuse a file whose checksum was taken away', () => {
    const { tensors, metadata } = decodeSafetensors(encodeCheckpoint(checkpoint));
    const { sha256: _, ...strings } = metadata;
    expect(errorOf(() => decodeCheckpoint(encodeSafetensors({ tensors, metadata: strings }))).problem).toContain(
      'its checksum does not match',
    );
  });

  it('name tensors by what they are', () => {
    expect(Object.keys(parts().tensors)).toEqual(
      expect.arrayContaining(['params.conv1.kernel', 'stats.bn1.mean', 'optimizer.m.dense2.bias', 'optimizer.t']),
    );
  });

  it.each([
    [
      'a tensor of another shape',
      (f) => {
        f.tensors['params.dense2.kernel'] = filled([3, 4], 0);
      },
      'shape-mismatch',
      'tensor "params.dense2.kernel" has the shape [3,4] and should have [3,3]',
    ],
    [
      'a missing tensor',
      (f) => {
        delete f.tensors['stats.bn1.variance'];
      },
      'shape-mismatch',
      'tensor "stats.bn1.variance" of shape [2] is missing',
    ],
    [
      'a tensor too many',
      (f) => {
        f.tensors['params.conv9.kernel'] = filled([1], 0);
      },
      'shape-mismatch',
      'the model has no tensor "params.conv9.kernel"',
    ],
    [
      'integers for weights',
      (f) => {
        f.tensors['params.dense2.bias'] = { shape: [3], data: Int32Array.of(1, 2, 3) };
      },
      'shape-mismatch',
      'tensor "params.dense2.bias" should be float32',
    ],
    [
      'another format',
      (f) => {
        f.metadata = { format: 'pt' };
      },
      'bad-file',
      'is a safetensors file of the format "pt", not cert-checkpoint-2',
    ],
    [
      'no model',
      (f) => {
        delete f.metadata.model;
      },
      'bad-file',
      '"model" in its header is missing',
    ],
    [
      'metadata that are not JSON',
      (f) => {
        f.metadata.metadata = '{';
      },
      'bad-file',
      '"metadata" in its header is not JSON',
    ],
    [
      'a model that is not well formed',
      (f) => {
        f.metadata.model = f.metadata.model!.replace('"inputs":["conv1"]', '"inputs":["conv7"]');
      },
      'bad-file',
      'Node "bn1" reads "conv7", which does not come before it.',
    ],
    [
      'a model whose tensors could not be found by its names',
      (f) => {
        f.metadata.model = f.metadata.model!.replaceAll('"conv1"', '"conv.1"');
        for (const name of ['kernel', 'bias']) {
          f.tensors[`params.conv.1.${name}`] = f.tensors[`params.conv1.${name}`]!;
          delete f.tensors[`params.conv1.${name}`];
        }
      },
      'bad-file',
      `The name "conv.1" cannot be part of a tensor's name.`,
    ],
    [
      'a model so deep that code runs out of stack',
      (f) => {
        const deep = `${'['.repeat(1e4)}${']'.repeat(1e4)}`;
        f.metadata.model = f.metadata.model!.replace('"attrs":{}', `"attrs":{"a":${deep}}`);
      },
      'bad-file',
      '"model" in its header is not JSON (it is nested deeper than 500 levels)',
    ],
    [
      'a model that is none at all',
      (f) => {
        f.metadata.model = '{"inputShape":[1],"classes":2,"nodes":[{"name":"x","shape":[2]}]}';
      },
      'bad-file',
      'the model in its header is not valid',
    ],
  ] as const satisfies readonly (readonly [string, (file: ReturnType<typeof parts>) => void, string, string])[])(
    'refuse %s',
    (_, change, code, problem) => {
      const error = errorOf(() => decodeCheckpoint(altered(change), 'run/last.safetensors'));
      expect(error).toMatchObject({ code, problem: expect.stringContaining(problem) });
      expect(error.problem).toContain('run/last.safetensors');
    },
  );

  it('refuse to write what could not be read back', () => {
    const wrong = { ...checkpoint.params, dense2: { ...checkpoint.params.dense2, bias: filled([4], 0) } };
    expect(errorOf(() => encodeCheckpoint({ ...checkpoint, params: wrong }))).toMatchObject({
      code: 'shape-mismatch',
      problem:
        'The checkpoint does not fit its model: tensor "params.dense2.bias" has the shape [4] and should have [3].',
    });
    expect(errorOf(() => encodeCheckpoint({ ...checkpoint, metadata: { loss: Number.NaN } })).problem).toBe(
      'The metadata has the number NaN at "loss", which JSON cannot hold.',
    );
    const circular: Record<string, JsonValue> = {};
    circular.self = circular;
    expect(errorOf(() => encodeCheckpoint({ ...checkpoint, metadata: circular })).problem).toContain(
      'The metadata cannot be stored as JSON: Converting circular structure',
    );
    const deep: JsonValue = JSON.parse(`${'['.repeat(501)}${']'.repeat(501)}`);
    expect(errorOf(() => encodeCheckpoint({ ...checkpoint, metadata: deep })).problem).toContain(
      'deeper than 500 levels',
    );
    expect(errorOf(() => encodeCheckpoint({ ...checkpoint, extra: { stats: {} } })).problem).toBe(
      'extra has the key "stats".',
    );
  });
});

import { ibp } from '@cert/bounds';
import { dense, relu, sequential, tf } from '@cert/core';
import { eagerDevice } from '@cert/jit';
import { beforeAll, expect, it } from 'vitest';
import { boundVerifier, type Verifier } from '../verifier.js';
import { createEvaluator } from './evaluator.js';
import type { StoredResult } from './settings.js';

beforeAll(() => tf.ready());

/** Numbers that look random. */
const numbers = (count: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.abs(Math.sin(12.9898 * (i + 1))));

/** An evaluator of 20 points, and how often its methods were prepared and disposed. */
function prepare() {
  const times = { prepared: 0, disposed: 0 };
  const plain = boundVerifier(ibp);
  const counted: Verifier = {
    ...plain,
    on(setting) {
      times.prepared++;
      const prover = plain.on(setting);
      const dispose = () => {
        times.disposed++;
        return prover.dispose();
      };
      return { ...prover, dispose };
    },
  };
  const weights = numbers(27).map((value, i) => (i % 3 === 0 ? -value : value));
  const evaluator = createEvaluator({
    ...{ device: eagerDevice(), model: sequential([2], [dense(4), relu(), dense(3)]), stats: {}, batchSize: 4 },
    params: {
      dense1: {
        kernel: { shape: [2, 4], data: weights.slice(0, 8) },
        bias: { shape: [4], data: weights.slice(8, 12) },
      },
      dense2: { kernel: { shape: [4, 3], data: weights.slice(12, 24) }, bias: { shape: [3], data: weights.slice(24) } },
    },
    split: {
      ...{ shape: [2], classes: 3, count: 20, scale: 1, images: numbers(40) },
      labels: Uint8Array.from({ length: 20 }, (_, i) => i % 3),
    },
    settings: {
      ...{ checkpoint: 'abc', dataset: 'points', epsilon: 0.05, methods: ['ibp'], complete: true },
      attack: { steps: 4, restarts: 2, seed: 1 },
    },
    verifiers: [counted],
  });
  return { evaluator, times };
}

async function linesOf(results: AsyncIterable<StoredResult>): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const result of results) lines.push(JSON.stringify(result));
  return lines;
}

it('gives an image the same line in any call, and prepares methods once', async () => {
  const tensors = tf.memory().numTensors;
  const { evaluator, times } = prepare();
  const whole = await linesOf(evaluator.evaluate(Array(20).keys()));
  expect(whole).toHaveLength(20);
  const parts: string[] = [];
  for (const images of [[7], [19, 0, 3, 11, 5, 2], Array.from({ length: 20 }, (_, i) => i)]) {
    parts.push(...(await linesOf(evaluator.evaluate(images))));
  }
  expect(new Set(parts)).toEqual(new Set(whole));
  expect(times).toEqual({ prepared: 1, disposed: 0 });
  await evaluator.dispose();
  expect(times).toEqual({ prepared: 1, disposed: 1 });
  expect(tf.memory().numTensors).toBe(tensors);
});

it('can evaluate again after a call that was stopped', async () => {
  const { evaluator } = prepare();
  const whole = await linesOf(evaluator.evaluate(Array(20).keys()));
  const stop = new AbortController();
  stop.abort(new Error('stopped'));
  await expect(linesOf(evaluator.evaluate(Array(20).keys(), { signal: stop.signal }))).rejects.toThrow('stopped');
  expect(new Set(await linesOf(evaluator.evaluate(Array(20).keys())))).toEqual(new Set(whole));
  await evaluator.dispose();
});

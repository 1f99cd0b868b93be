import { createHash } from 'node:crypto';
import { ibp } from '@cert/bounds';
import { dense, relu, sequential, tf } from '@cert/core';
import { eagerDevice } from '@cert/jit';
import { boundVerifier } from '@cert/verify';
import { createEvaluator, type EvaluatorOptions, splitHash } from '@cert/verify/node';
import type { QueuedEvaluation } from '../src/evaluation.js';
import type { Fetch, JobEvaluator } from '../src/openers.js';

/** What stands for a checkpoint: its bytes count, and the network is always the same. */
export const CHECKPOINT = new TextEncoder().encode('a network');

/** Numbers that look random, and are the same everywhere. */
const numbers = (count: number, scale = 1) =>
  Float32Array.from({ length: count }, (_, i) => scale * Math.abs((Math.sin(12.9898 * (i + 1)) * 43758.5453) % 1));

const splitOf = (images: number): EvaluatorOptions['split'] => ({
  ...{ shape: [2], classes: 3, count: images, scale: 1, images: numbers(2 * images) },
  labels: Uint8Array.from({ length: images }, (_, i) => (i * 7) % 3),
});

/** An evaluation of so many points of the plane with a network of 27 weights. */
export const evaluationOf = (images: number, name = 'points'): QueuedEvaluation => ({
  images,
  data: splitHash(splitOf(images)),
  setup: { name },
  settings: {
    checkpoint: createHash('sha256').update(CHECKPOINT).digest('hex'),
    ...{ dataset: 'points', epsilon: 0.02, methods: ['ibp'], complete: false },
    attack: { steps: 3, restarts: 1, seed: 1 },
  },
});

/** What evaluates it here, in one process. */
async function evaluatorOf({ images, settings }: QueuedEvaluation) {
  await tf.ready();
  const weights = numbers(100, 2).map((value) => value - 1);
  const options: EvaluatorOptions = {
    ...{ device: eagerDevice(), model: sequential([2], [dense(4), relu(), dense(3)]), stats: {}, settings },
    params: {
      dense1: {
        kernel: { shape: [2, 4], data: weights.slice(0, 8) },
        bias: { shape: [4], data: weights.slice(8, 12) },
      },
      dense2: {
        kernel: { shape: [4, 3], data: weights.slice(12, 24) },
        bias: { shape: [3], data: weights.slice(24, 27) },
      },
    },
    ...{ split: splitOf(images), verifiers: [boundVerifier(ibp)], batchSize: 8 },
  };
  return createEvaluator(options);
}

/** What a worker opens. */
export async function openEvaluation(evaluation: QueuedEvaluation, fetch: Fetch): Promise<JobEvaluator> {
  await fetch(evaluation.settings.checkpoint);
  const evaluator = await evaluatorOf(evaluation);
  return {
    async evaluate(images, signal) {
      const lines = [];
      for await (const line of evaluator.evaluate(images, { signal })) lines.push(line);
      return { lines, device: 'tfjs', deviceDescription: 'TensorFlow.js', stageSeconds: {} };
    },
    dispose: () => evaluator.dispose(),
  };
}

/** The lines that one process writes, sorted. */
export async function linesOf(evaluation: QueuedEvaluation): Promise<readonly string[]> {
  const evaluator = await evaluatorOf(evaluation);
  const lines = [];
  for await (const line of evaluator.evaluate(Array(evaluation.images).keys())) lines.push(JSON.stringify(line));
  await evaluator.dispose();
  return lines.sort();
}

/** What must hold around an example: over boxes, unions of boxes and balls, on linear networks where the truth is known. */
import { dense, type HostParams, l2, linf, type Model, type Perturbation, sequential, tf } from '@cert/core';
import type { Device } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import { exampleWords } from '@cert/trainer/pipeline';
import { createDecider, type Decision, type ProofResult } from '@cert/verify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decideBall } from './euclidean.js';
import { type BallOfImage, robustness } from './image.js';

let device: Device;
beforeAll(async () => {
  await tf.ready();
  device = await openDevice('cpu');
});
afterAll(() => device.dispose());

/** Outputs w_k . x + b_k. */
function linear(rows: readonly (readonly number[])[], bias: readonly number[]) {
  const model: Model = sequential([rows[0]!.length], [dense(rows.length)]);
  const kernel = Float32Array.from(rows[0]!.flatMap((_, i) => rows.map((row) => row[i]!)));
  const params: HostParams = {
    dense1: {
      kernel: { shape: [rows[0]!.length, rows.length], data: kernel },
      bias: { shape: [rows.length], data: Float32Array.from(bias) },
    },
  };
  return { model, params, stats: {} };
}

const around = (
  pixels: readonly number[],
  perturbation: Perturbation,
  more: Partial<BallOfImage> = {},
): BallOfImage => ({
  ...{ pixels: Float32Array.from(pixels), label: 0, perturbation, words: exampleWords('csv') },
  ...{ source: { index: 0, dataset: 'csv' }, ...more },
});

async function decide(network: ReturnType<typeof linear>, ball: BallOfImage): Promise<ProofResult> {
  const decider = createDecider({ device, network });
  try {
    const decision = await decider.decide(robustness(ball, network.model), { timeout: 20 });
    return { decision, lower: {}, evidence: {} };
  } finally {
    await decider.dispose();
  }
}

const verdict = async (network: ReturnType<typeof linear>, ball: BallOfImage) =>
  (await decide(network, ball)).decision.verdict;

describe('categories that change', () => {
  // The margin is x - 2 * (the second of three categories) - 0.5.
  const network = linear(
    [
      [1, 0, -2, 0],
      [0, 0, 0, 0],
    ],
    [-0.5, 0],
  );
  const set = (categories: readonly (readonly number[])[]) =>
    linf({ epsilon: 0.1, scale: [1, 0, 0, 0], range: null, categories });

  it('are a box for each choice: it holds only if it holds in every box', async () => {
    const groups = [[1, 2, 3]];
    expect(robustness(around([1, 1, 0, 0], set(groups)), network.model).cases).toHaveLength(3);
    expect(await verdict(network, around([1, 1, 0, 0], set([])))).toBe('verified');
    expect(await verdict(network, around([1, 1, 0, 0], set(groups)))).toBe('falsified');
    expect(await verdict(network, around([3, 1, 0, 0], set(groups)))).toBe('verified');
  });
});

describe('a Euclidean ball', () => {
  // The margin is x + y; over a ball of radius r it is at least the margin minus r sqrt(2), over its box minus 2 r.
  const network = linear(
    [
      [1, 1],
      [0, 0],
    ],
    [0, 0],
  );
  const perturbation = l2({ epsilon: 1, range: null });
  const over = async (x: number): Promise<Decision> => {
    const ball = around([x, 0], perturbation);
    const overBox = () => decide(network, ball);
    const { signal } = new AbortController();
    return (await decideBall({ device, network, ball, perturbation, signal, overBox })).decision;
  };

  it('holds where its box does, with the claim of the box', async () => {
    expect(await over(2.1)).toMatchObject({ verdict: 'verified', arithmetic: 'deployed' });
  });

  it('holds by the ball itself where the box is too large, up to the rounding of float32', async () => {
    const decision = await over(1.7);
    expect(decision).toMatchObject({ verdict: 'verified', arithmetic: 'nearest' });
    expect(decision.verdict === 'verified' && decision.lower).toBeCloseTo(1.7 - Math.SQRT2, 4);
  });

  it('is not violated by a point of the box alone, and never holds where the ball has a violation', async () => {
    for (const x of [1.4, 0.5, -1]) expect((await over(x)).verdict).not.toBe('verified');
    // The center itself.
    expect((await over(-1)).verdict).toBe('falsified');
  });
});

describe('a regression', () => {
  const network = linear([[2, -1]], [1]);
  const set = linf({ epsilon: 0.5, range: null });
  const within = (target: number, delta: number) => around([0, 0], set, { tolerance: { target, delta } });

  it('stays within the tolerance of its label, or does not', async () => {
    // The prediction is 1 and moves by 1.5.
    expect(await verdict(network, within(1, 1.6))).toBe('verified');
    expect(await verdict(network, within(1, 1.4))).toBe('falsified');
    expect(await verdict(network, within(2, 2.4))).toBe('falsified');
    expect(await verdict(network, within(2, 2.6))).toBe('verified');
  });

  it('has no property without a tolerance: nothing could be violated', () => {
    expect(() => robustness(around([0, 0], set), network.model)).toThrow(/The network has one output/);
  });
});

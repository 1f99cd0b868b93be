/** Properties as values, decided: top-k, intervals, clauses, monotonicity, individual fairness. */
import {
  createRng,
  dense,
  type HostParams,
  type Model,
  outputInterval,
  type PairedNetwork,
  type Property,
  relu,
  requireAll,
  requireAny,
  sequential,
  tf,
  topK,
  twoCopies,
} from '@cert/core';
import type { Device } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import { createDecider, type Decision, decideMonotone } from '@cert/verify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let device: Device;
beforeAll(async () => {
  await tf.ready();
  device = await openDevice('cpu');
});
afterAll(() => device.dispose());

async function decide(network: PairedNetwork, property: Property): Promise<Decision> {
  const decider = createDecider({ device, network });
  try {
    return await decider.decide(property, { timeout: 60 });
  } finally {
    await decider.dispose();
  }
}

const box = (lower: number[], upper: number[]) => ({
  lower: Float64Array.from(lower),
  upper: Float64Array.from(upper),
});

/** One dense layer: outputs W x + b, with W as rows of inputs. */
function linear(w: readonly (readonly number[])[], b: readonly number[]): PairedNetwork {
  return {
    model: sequential([w.length], [dense(b.length)]),
    params: {
      dense1: {
        kernel: { shape: [w.length, b.length], data: Float32Array.from(w.flat()) },
        bias: { shape: [b.length], data: Float32Array.from(b) },
      },
    },
    stats: {},
  };
}

/** [3, 8, 2] with random weights; `sign` makes those behind feature 0 positive, up to the score of output 1 over output 0. */
function network(seed: number, positive: boolean): PairedNetwork {
  const rng = createRng(seed, 'weights');
  const model: Model = sequential([3], [dense(8), relu(), dense(2)]);
  const draw = (length: number) => Float32Array.from({ length }, () => rng.normal());
  const [first, second] = [draw(24), draw(16)];
  if (positive) {
    for (let j = 0; j < 8; j++) {
      first[j] = Math.abs(first[j]!);
      second[2 * j] = -Math.abs(second[2 * j]!);
      second[2 * j + 1] = Math.abs(second[2 * j + 1]!);
    }
  }
  const params: HostParams = {
    dense1: { kernel: { shape: [3, 8], data: first }, bias: { shape: [8], data: draw(8) } },
    dense2: { kernel: { shape: [8, 2], data: second }, bias: { shape: [2], data: draw(2) } },
  };
  return { model, params, stats: {} };
}

describe('properties of one network', () => {
  // Outputs x, 1, 0 and y.
  const net = linear(
    [
      [1, 0, 0, 0],
      [0, 0, 0, 1],
    ],
    [0, 1, 0, 0],
  );

  it('top-k holds where at most k - 1 others can be larger', async () => {
    const inputs = box([0.25, 0], [0.75, 0.1]);
    // Output 1 is always larger than output 0, the others never are.
    expect((await decide(net, topK(inputs, { label: 0, classes: 4, k: 2 }))).verdict).toBe('verified');
    expect((await decide(net, topK(inputs, { label: 0, classes: 4 }))).verdict).toBe('falsified');
    const closer = box([0.25, 0], [0.75, 0.5]);
    expect((await decide(net, topK(closer, { label: 0, classes: 4, k: 2 }))).verdict).toBe('falsified');
    expect((await decide(net, topK(closer, { label: 0, classes: 4, k: 3 }))).verdict).toBe('verified');
  });

  it('an interval holds the output strictly', async () => {
    const inputs = box([0.25, 0], [0.75, 1]);
    const within = (min: number, max: number) => outputInterval(inputs, { outputs: 4, min, max });
    expect((await decide(net, within(0.2, 0.8))).verdict).toBe('verified');
    expect((await decide(net, within(0.3, 0.8))).verdict).toBe('falsified');
    // Equality is a violation.
    expect((await decide(net, within(0.25, 0.8))).verdict).toBe('falsified');
  });

  it('clauses are alternatives at each input, and alternatives are clauses', async () => {
    const inputs = box([0, 0], [1, 1]);
    const [high, low] = [
      { coefficients: [1, 0, 0, 0], atLeast: 0.4 },
      { coefficients: [-1, 0, 0, 0], atLeast: -0.6 },
    ];
    expect((await decide(net, requireAll(inputs, 4, [[high, low]]))).verdict).toBe('verified');
    expect((await decide(net, requireAny(inputs, 4, [[high], [low]]))).verdict).toBe('verified');
    expect((await decide(net, requireAll(inputs, 4, [[high], [low]]))).verdict).toBe('falsified');
    // x > 0.4 and y > -1, or x < 0.6: holds; with y > 0.5 it does not.
    const y = (atLeast: number) => ({ coefficients: [0, 0, 0, 1], atLeast });
    expect((await decide(net, requireAny(inputs, 4, [[high, y(-1)], [low]]))).verdict).toBe('verified');
    expect((await decide(net, requireAny(inputs, 4, [[high, y(0.5)], [low]]))).verdict).toBe('falsified');
  });

  it.each<[string, () => unknown]>([
    ['a label that does not exist', () => topK(box([0], [1]), { label: 4, classes: 4 })],
    ['a k of all classes', () => topK(box([0], [1]), { label: 0, classes: 4, k: 4 })],
    ['too many combinations', () => topK(box([0], [1]), { label: 0, classes: 100, k: 50 })],
    ['an interval upside down', () => outputInterval(box([0], [1]), { outputs: 1, min: 1, max: 0 })],
    ['coefficients of another length', () => requireAll(box([0], [1]), 2, [[{ coefficients: [1], atLeast: 0 }]])],
    ['no alternative', () => requireAny(box([0], [1]), 2, [])],
    ['an empty clause', () => requireAll(box([0], [1]), 2, [[]])],
    ['NaN', () => requireAll(box([0], [1]), 1, [[{ coefficients: [Number.NaN], atLeast: 0 }]])],
    ['a feature that does not exist', () => twoCopies(net, { feature: 2 })],
  ])('refuses %s', (_, make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'bad-argument' }));
  });
});

describe('properties of pairs of inputs', () => {
  it('evaluate both copies', async () => {
    const net = network(3, false);
    const both = twoCopies(net, { feature: 1, output: 'both' });
    const { naturalPass } = await import('@cert/bounds');
    const { toTensors } = await import('@cert/core');
    const at = ({ model, params }: PairedNetwork, x: number[]) => [
      ...naturalPass({ model, params: toTensors(params), norm: {} }, tf.tensor2d([x])).output.dataSync(),
    ];
    const [moved, kept] = [at(net, [0.1, 0.7, -0.3]), at(net, [0.1, 0.2, -0.3])];
    const pair = at(both, [0.1, 0.2, -0.3, 0.5]);
    for (const [i, value] of [...moved, ...kept].entries()) expect(pair[i]).toBeCloseTo(value, 5);
    const difference = at(twoCopies(net, { feature: 1 }), [0.1, 0.2, -0.3, 0.5]);
    for (const [i, value] of difference.entries()) expect(value).toBeCloseTo(moved[i]! - kept[i]!, 5);
  });

  it('a decision that ignores a protected feature is individually fair, another one is not', async () => {
    // Class 1 where x + w y > 0; y is the protected feature, 0 or 1.
    const fair = (w: number) =>
      linear(
        [
          [0, 1],
          [0, w],
        ],
        [0, 0],
      );
    const pairs = box([-1, 0, 0], [1, 1, 1]);
    // Not: the copy decides for 1 by a margin of 0.1, the other for 0.
    const same = requireAll(pairs, 4, [
      [
        { coefficients: [1, -1, 0, 0], atLeast: -0.1 },
        { coefficients: [0, 0, -1, 1], atLeast: 0 },
      ],
    ]);
    const pair = (w: number) => twoCopies(fair(w), { feature: 1, output: 'both' });
    expect((await decide(pair(0), same)).verdict).toBe('verified');
    expect((await decide(pair(0.5), same)).verdict).toBe('falsified');
  });
});

describe('decideMonotone', () => {
  const inputs = box([-1, -1, -1], [1, 1, 1]);
  const options = { box: inputs, feature: 0, score: [-1, 1], timeout: 20 };
  const flipped = (net: PairedNetwork): PairedNetwork => {
    const { kernel, bias } = net.params.dense1!;
    const data = (kernel!.data as Float32Array).map((w, i) => (i < 8 ? -w : w));
    return { ...net, params: { ...net.params, dense1: { kernel: { ...kernel!, data }, bias: bias! } } };
  };

  it.each([1, 2, 3])(
    'proves a score that grows by its weights, at once, and that it falls where they are negated (seed %i)',
    async (seed) => {
      const net = network(seed, true);
      expect(await decideMonotone(net, options)).toMatchObject({ verdict: 'verified', parts: 1 });
      const falling = { ...options, direction: 'decreasing' } as const;
      expect(await decideMonotone(flipped(net), falling)).toMatchObject({ verdict: 'verified', parts: 1 });
    },
  );

  it('refutes a score that falls, by two inputs that show it', async () => {
    const net = flipped(network(2, true));
    const decision = await decideMonotone(net, options);
    expect(decision.verdict).toBe('falsified');
    if (decision.verdict !== 'falsified') return;
    const { from, to, change } = decision;
    expect([from[0]! < to[0]!, from[1], from[2]]).toEqual([true, to[1], to[2]]);
    const { naturalPass } = await import('@cert/bounds');
    const { toTensors } = await import('@cert/core');
    const score = (x: Float64Array) => {
      const params = toTensors(net.params);
      const [a, b] = naturalPass({ model: net.model, params, norm: {} }, tf.tensor2d([[...x]])).output.dataSync();
      return b! - a!;
    };
    expect(score(to) - score(from)).toBeCloseTo(change, 4);
    expect(change).toBeLessThan(0);
  });

  it('splits the box where the sign of a derivative depends on the input', async () => {
    // relu(x + 1) - 0.5 relu(x - y): its derivative in x is 0, 0.5 or 1, never negative, though -0.5 + 0 is possible by intervals alone.
    const net: PairedNetwork = {
      model: sequential([2], [dense(2), relu(), dense(1)]),
      params: {
        dense1: {
          kernel: { shape: [2, 2], data: Float32Array.of(1, 1, 0, -1) },
          bias: { shape: [2], data: Float32Array.of(1, 0) },
        },
        dense2: {
          kernel: { shape: [2, 1], data: Float32Array.of(1, -0.5) },
          bias: { shape: [1], data: Float32Array.of(0) },
        },
      },
      stats: {},
    };
    const wide = { box: box([-1.5, 0], [1, 1]), feature: 0, score: [1], timeout: 20 };
    const decision = await decideMonotone(net, wide);
    expect(decision.verdict).toBe('verified');
    expect(decision.parts).toBeGreaterThan(1);
    // With y down to -2, x - y is positive where x + 1 is not: the score falls there.
    expect((await decideMonotone(net, { ...wide, box: box([-1.5, -2], [1, 1]) })).verdict).toBe('falsified');
  });

  it('agrees with finite differences on random networks', async () => {
    let proved = 0;
    for (let seed = 10; seed < 30; seed++) {
      const net = network(seed, seed % 2 === 0);
      const decision = await decideMonotone(net, { ...options, timeout: 3 });
      if (decision.verdict !== 'verified') continue;
      proved++;
      const rng = createRng(seed, 'pairs');
      const { naturalPass } = await import('@cert/bounds');
      const { toTensors } = await import('@cert/core');
      tf.tidy(() => {
        const params = toTensors(net.params);
        const pairs = Array.from({ length: 200 }, () => {
          const x = Array.from({ length: 3 }, () => 2 * rng.uniform() - 1);
          return [x, [x[0]! + (1 - x[0]!) * rng.uniform(), x[1]!, x[2]!]];
        }).flat();
        const out = naturalPass({ model: net.model, params, norm: {} }, tf.tensor2d(pairs)).output.dataSync();
        for (let i = 0; i < 200; i++) {
          const score = (k: number) => out[4 * i + 2 * k + 1]! - out[4 * i + 2 * k]!;
          expect(score(1) - score(0)).toBeGreaterThanOrEqual(-1e-4);
        }
      });
    }
    // Those whose weights are positive, at least.
    expect(proved).toBeGreaterThanOrEqual(10);
  });

  it('does not take a product that underflows for 0', async () => {
    const tiny = linear([[1e-30]], [0]);
    const steep = { box: box([0], [1]), feature: 0, score: [-1e-300], timeout: 1 };
    expect((await decideMonotone(tiny, steep)).verdict).not.toBe('verified');
    expect((await decideMonotone(tiny, { ...steep, score: [1e-300] })).verdict).toBe('verified');
    await expect(decideMonotone(tiny, { ...steep, timeout: Number.NaN })).rejects.toMatchObject({
      code: 'bad-argument',
    });
  });

  it('refuses parameters of another size', async () => {
    const kernel = { shape: [2, 3], data: Float32Array.of(1, 0, -9, 1, 0, -9) };
    const { model } = linear([[0], [0]], [0, 0]);
    const odd = { model, params: { dense1: { kernel, bias: { shape: [3], data: new Float32Array(3) } } }, stats: {} };
    const asked = { box: box([0, 0], [1, 1]), feature: 0, score: [1, 0] };
    await expect(decideMonotone(odd, asked)).rejects.toMatchObject({ code: 'shape-mismatch' });
    const extra = { ...linear([[1]], [0]), stats: odd.params };
    await expect(decideMonotone(extra, { ...asked, box: box([0], [1]), score: [1] })).rejects.toThrow('The stats have');
  });

  it('holds at once for a feature that has one value', async () => {
    const falling = linear([[-1], [1]], [0]);
    for (const upper of [0.5, 1]) {
      const asked = { box: box([0.5, 0.5], [0.5, upper]), feature: 0, score: [1], timeout: 5 };
      expect(await decideMonotone(falling, asked)).toEqual({ verdict: 'verified', slope: 0, parts: 1 });
    }
  });

  it('answers unknown for weights that are not finite and for a timeout, never verified', async () => {
    const net = network(1, true);
    const data = (net.params.dense1!.kernel!.data as Float32Array).slice();
    data[3] = Number.NaN;
    const broken = {
      ...net,
      params: { ...net.params, dense1: { ...net.params.dense1!, kernel: { shape: [3, 8], data } } },
    };
    expect(await decideMonotone(broken as PairedNetwork, options)).toMatchObject({
      verdict: 'unknown',
      reason: 'not-finite',
    });
    const hard = await decideMonotone(network(5, false), { ...options, feature: 1, timeout: 0 });
    expect(hard.verdict).not.toBe('verified');
    await expect(decideMonotone(net, { ...options, feature: 3 })).rejects.toMatchObject({ code: 'bad-argument' });
    await expect(decideMonotone(net, { ...options, score: [1] })).rejects.toMatchObject({ code: 'bad-argument' });
    const empty = { ...options, box: box([1, 0, 0], [0, 1, 1]) };
    await expect(decideMonotone(net, empty)).rejects.toMatchObject({ problem: expect.stringContaining('empty') });
  });
});

import { describe, expect, it } from 'vitest';
import { compare, dyadic } from '../exact/dyadic.js';
import { executeExact } from '../exact/execute-exact.js';
import { referenceIbp } from '../exact/reference-ibp.js';
import { adversarialNetworks } from '../kinds/adversarial-networks.js';
import { drawProblem, GRAPHS } from '../random/draw-network.js';
import { sampleMany } from '../run/long-run.js';
import { clock, progressLine, summary } from '../run/report.js';
import { nearestIbp } from '../verifiers/nearest.js';
import { type CheckedBounds, checkContains, reproduce } from './check-contains.js';

const method = (name: string, rest: Partial<CheckedBounds>): CheckedBounds => ({
  ...{ name, level: 'deployed', quantity: 'logits', bound: nearestIbp },
  ...rest,
});
const reference = referenceIbp();

describe('random networks', () => {
  it('contradict IBP that rounds to nearest, at both levels, and give a reproduction', async () => {
    const methods = [method('ibp', {}), method('ibp', { level: 'real' })];
    const counts = await checkContains(methods, { seed: 1, from: 0, networks: 10 * GRAPHS, pairs: 200 });
    for (const { violations, worst } of counts) {
      expect(violations).toBeGreaterThan(0);
      // Rounding, and nothing else: this is the size of the defect.
      expect(worst).toBeLessThan(1e-5);
    }
    expect(counts[0]!.pairs).toBe(10 * GRAPHS * 200);
    const [violation] = counts[0]!.examples;
    const { element, value, lower, upper } = violation!;
    expect(reproduce(violation!)![element]).toBe(value);
    expect(value < lower || value > upper!).toBe(true);
    expect(reproduce(counts[1]!.examples[0]!)).toBeNull();
  });

  it('never contradict exact interval arithmetic with the errors of every execution', async () => {
    const methods = [
      method('reference', { bound: reference }),
      method('reference', { bound: reference, level: 'real' }),
      method('margins', {
        quantity: 'margins',
        async bound(network, ball, level) {
          const { lower, upper } = await reference(network, ball, level);
          const others = Array.from(lower, (_, j) => j).filter((j) => j !== ball.label);
          return { lower: others.map((j) => lower[ball.label]! - upper![j]!) };
        },
      }),
    ];
    const counts = await checkContains(methods, { seed: 2, from: 0, networks: 10 * GRAPHS, pairs: 200 });
    expect(counts.map(({ violations }) => violations)).toEqual([0, 0, 0]);
  });

  it('contradict a method that is off by a little, in either direction and in margins', async () => {
    const shrink =
      (side: 'lower' | 'upper'): CheckedBounds['bound'] =>
      async (network, ball, level) => {
        const bounds = await reference(network, ball, level);
        const [lower, upper] = [Array.from(bounds.lower), Array.from(bounds.upper!)];
        const width = Math.max(...lower.map((l, i) => upper[i]! - l));
        return {
          lower: lower.map((l) => l + (side === 'lower' ? width : 0)),
          upper: upper.map((u) => u - (side === 'upper' ? width : 0)),
        };
      };
    const margins: CheckedBounds['bound'] = async (network, ball, level) => {
      const { lower, upper } = await reference(network, ball, level);
      const others = Array.from(lower, (_, j) => j).filter((j) => j !== ball.label);
      return { lower: others.map((j) => upper![ball.label]! - lower[j]! + 1e-3) };
    };
    const methods = [
      method('lower', { bound: shrink('lower') }),
      method('upper', { bound: shrink('upper'), level: 'real' }),
      method('margins', { bound: margins, quantity: 'margins' }),
      method('nothing', { bound: ({ model }) => ({ lower: Array(model.classes).fill(Number.NaN) }) }),
    ];
    const counts = await checkContains(methods, { seed: 3, from: 0, networks: GRAPHS, pairs: 40 });
    expect(counts.map(({ violations }) => violations > 0)).toEqual([true, true, true, false]);
  });
});

describe('exact interval arithmetic', () => {
  it('holds an image alone exactly at level real, up to the enclosure of a root', () => {
    for (let index = 0; index < GRAPHS; index++) {
      const problem = { ...drawProblem(4, index), epsilon: 0 };
      const { lower, upper } = reference(problem.network, problem, 'real') as { lower: number[]; upper: number[] };
      const exact = executeExact(problem.network, problem.image);
      lower.forEach((l, i) => {
        expect(compare(dyadic(l), exact.lower[i]!)).toBeLessThanOrEqual(0);
        expect(compare(dyadic(upper[i]!), exact.upper[i]!)).toBeGreaterThanOrEqual(0);
        expect(upper[i]! - l).toBeLessThanOrEqual(1e-14 * Math.max(Math.abs(l), 1e-30));
      });
    }
  });

  const verified = (options: Parameters<typeof referenceIbp>[0], level: 'real' | 'deployed') =>
    adversarialNetworks().filter((network) => {
      const { lower, upper } = referenceIbp(options)(network, network, level) as { lower: number[]; upper: number[] };
      return lower.every((_, j) => j === network.label || lower[network.label]! > upper[j]!);
    });

  it('refuses every adversarial network at level deployed, and those that err over the reals at level real', () => {
    expect(verified({}, 'deployed')).toEqual([]);
    const real = verified({}, 'real');
    expect(real.filter(({ refutesReal }) => refutesReal)).toEqual([]);
    // The others are robust over the real numbers: a proof at that level is right.
    expect(real.length).toBeGreaterThan(8);
  });

  it('is fooled where errors of sums alone are counted', () => {
    const names = (options: Parameters<typeof referenceIbp>[0]) =>
      verified(options, 'deployed').map(({ name }) => name);
    expect(names({ denormalOperands: false })).toEqual(['denormal-weights', 'denormal-slope']);
    expect(names({ fusedResidual: false })).toEqual(['residual-fused']);
  });
});

describe('a long run', () => {
  it('counts the same when it is interrupted and continued, and refuses the state of other settings', async () => {
    const run = { methods: [method('ibp', {})], seed: 5, pairs: 600, pairsPerNetwork: 50 };
    const statesOf = async (more: object) => {
      const states = [];
      for await (const state of sampleMany({ ...run, ...more })) states.push(JSON.parse(JSON.stringify(state)));
      return states;
    };
    const whole = await statesOf({});
    expect(whole).toHaveLength(12);
    const rest = await statesOf({ state: whole[4] });
    const { seconds: _, ...ended } = rest.at(-1);
    expect(whole.at(-1)).toMatchObject(ended);
    await expect(statesOf({ state: whole[4], seed: 6 })).rejects.toMatchObject({ code: 'bad-argument' });
    const lines = summary(whole.at(-1));
    expect(lines).toMatch(/^600 pairs of a point and an execution, 12 networks/);
    expect(lines).toMatch(/ibp {5}deployed {2}600/);
    expect(progressLine(whole[5], 600)).toMatch(
      /^300 of 600 pairs, [\d,]+ pairs\/s, 0:00:0\d left; violations: ibp \(deployed\) \d+$/,
    );
    expect(clock(3725)).toBe('1:02:05');
  });
});

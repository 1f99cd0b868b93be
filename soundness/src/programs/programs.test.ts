/**
 * Bounds, linear programs, exact minima and branch and bound on tiny random networks. `npm run fuzz` tries 40 networks of each kind; FUZZ_SEED begins
 * another sequence.
 */
import { dense, INPUT, type Property, relu, sequential } from '@cert/core';
import type { Device } from '@cert/jit';
import { cpuDevice } from '@cert/jit/node';
import { createDecider, type Decider, type DeciderOptions } from '@cert/verify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chain } from '../kinds/build.js';
import { equationsOf, intervalsOf } from './equations.js';
import { type MarginProblem, marginProgram } from './margin-program.js';
import { attackRow, rowBounds } from './row-bounds.js';
import { createSolver, type Solve } from './solve.js';
import { TINY_MODELS, tinyProblem } from './tiny-network.js';

const FIRST = Number(process.env.FUZZ_SEED ?? 1);
const seeds = Array.from({ length: process.env.FUZZ === undefined ? 1 : 40 }, (_, i) => FIRST + i);

let device: Device;
let solve: Solve;
beforeAll(async () => {
  device = await cpuDevice({ threads: 1 });
  solve = await createSolver();
});
afterAll(() => device.dispose());

/** That the row is at most `bound` somewhere in the box: the violation. */
function below({ network, box, row }: MarginProblem, bound: number): Property {
  const [lower, upper] = [Float64Array.from(box.lower), Float64Array.from(box.upper)];
  const outputs = [{ coefficients: Float64Array.from(row), bound }];
  return { inputs: lower.length, outputs: network.model.classes, cases: [{ lower, upper, outputs }] };
}

async function withDecider(
  options: Omit<DeciderOptions, 'device'>,
  use: (decide: (property: Property) => ReturnType<Decider['decide']>) => Promise<void>,
): Promise<void> {
  const decider = createDecider({ device, ...options });
  try {
    await use((property) => decider.decide(property, { timeout: 60, arithmetic: 'nearest' }));
  } finally {
    await decider.dispose();
  }
}

describe.each(Object.entries(TINY_MODELS))('a network: %s', (_name, model) => {
  it.each(seeds)('has bounds in order of tightness, and is decided on both sides of its minimum (%i)', async (seed) => {
    const { network, box } = tinyProblem(model, seed);
    const row = Array.from({ length: model.classes }, (_, j) => [1, -1][j] ?? 0);
    const problem = { network, box, row };
    const bounds = rowBounds(problem);
    const exact = solve(marginProgram(problem));
    const least = exact.value;
    const triangle = solve(marginProgram(problem, bounds.tight)).value;
    const looseTriangle = solve(marginProgram(problem, bounds.loose)).value;
    // Bounds and values in float32.
    const rounding = 1e-5 * (1 + Math.max(Math.abs(least), Math.abs(bounds.ibp)));
    const ordered = (smaller: number, larger: number) => expect(smaller).toBeLessThanOrEqual(larger + rounding);

    ordered(bounds.ibp, looseTriangle);
    ordered(bounds.crownIbp, looseTriangle);
    ordered(looseTriangle, triangle);
    ordered(bounds.crown, triangle);
    ordered(triangle, least);
    for (const { slope, crownIbp, crown } of bounds.slopes) {
      // With the slope 0 below, nothing is lost against intervals.
      if (slope === 0) ordered(bounds.ibp, crownIbp);
      ordered(crown, triangle);
    }
    const attacked = attackRow(problem, exact.point);
    ordered(least, attacked);
    // The attack begins at the minimizer of the program, among other points.
    ordered(attacked, least);

    const slack = 1e-3 * Math.max(1, Math.abs(least));
    const relus = { rootIterations: 0, splits: false };
    await withDecider({ network, attack: null, split: 'relus', relus }, async (decide) => {
      const alpha = await decide(below(problem, least - slack));
      if (alpha.verdict === 'falsified') throw new Error('There is no such point.');
      const lower = alpha.lower + least - slack;
      // Slopes are optimized until the property is proved.
      ordered(Math.min(bounds.crown, least - slack), lower);
      ordered(lower, triangle);
    });
    for (const split of box.lower.length <= 3 ? (['relus', 'inputs'] as const) : (['relus'] as const)) {
      await withDecider({ network, split, attack: null }, async (decide) => {
        const proved = await decide(below(problem, least - slack));
        if (proved.verdict !== 'verified') throw new Error(`Below the minimum: ${proved.verdict}.`);
        ordered(proved.lower, slack);
        const refuted = await decide(below(problem, least + slack));
        if (refuted.verdict !== 'falsified') throw new Error(`Above the minimum: ${refuted.verdict}.`);
        const { output } = refuted.witness;
        ordered(least, output[0]! - output[1]!);
      });
    }
  });
});

it('CROWN-IBP can be looser than IBP: its usual slope lets a ReLU be negative', () => {
  const model = [dense(1), relu(), dense(1)];
  const network = chain([1], model, { dense1: { kernel: [1] }, dense2: { kernel: [1] } });
  const problem = { network, box: { lower: [-1], upper: [1.5] }, row: [1] };
  expect(rowBounds(problem)).toMatchObject({ ibp: 0, crownIbp: -1 });
  expect(solve(marginProgram(problem)).value).toBeCloseTo(0, 9);
});

describe('equations', () => {
  it('have the intervals of IBP', () => {
    const { network, box } = tinyProblem(TINY_MODELS['a convolution and a residual sum']!, 1);
    const { loose } = rowBounds({ network, box, row: [1, -1, 0] });
    const intervals = intervalsOf(equationsOf(network), box);
    expect(Object.keys(loose).length).toBeGreaterThan(6);
    for (const [node, { lower, upper }] of Object.entries(loose)) {
      Array.from(lower).forEach((l, i) => {
        expect(intervals.get(node)!.lower[i]).toBeCloseTo(l, 4);
        expect(intervals.get(node)!.upper[i]).toBeCloseTo(upper[i]!, 4);
      });
    }
    expect(intervals.get(INPUT)).toBe(box);
  });

  it('are those of ReLUs and linear ops alone', () => {
    const network = { model: sequential([2], [{ ...relu(), op: 'tanh' as const }]), params: {}, stats: {} };
    expect(() => equationsOf(network)).toThrow('There are no equations for "tanh" (node "tanh1").');
  });
});

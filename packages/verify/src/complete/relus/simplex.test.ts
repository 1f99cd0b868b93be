import { createRng } from '@cert/core';
import { expect, it } from 'vitest';
import { type BoxProgram, solveProgram } from './simplex.js';

/** A random program; with `tight` constraints many have no point. */
function drawn(seed: number, tight: boolean): BoxProgram {
  const rng = createRng(seed, 'program');
  const [size, count] = [1 + rng.int(8), rng.int(15)];
  const normal = (n: number) => Float64Array.from({ length: n }, () => rng.normal());
  const lower = normal(size);
  const upper = lower.map((x) => x + (rng.int(6) === 0 ? 0 : 2 * rng.uniform()));
  const inside = lower.map((x, i) => x + rng.uniform() * (upper[i]! - x));
  const rows = Array.from({ length: count }, () => normal(size));
  const least = rows.map((row) => dot(row, inside) - (tight ? -1 : 1) * Math.abs(rng.normal()) * (rng.int(3) - 0.5));
  return { costs: normal(size), rows, least, lower, upper };
}

const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

/** The lower bound that multipliers give. */
function boundOf({ costs, rows, least, lower, upper }: BoxProgram, multipliers: Float64Array): number {
  let sum = multipliers.reduce((all, beta, i) => all + beta * least[i]!, 0);
  costs.forEach((cost, j) => {
    const own = rows.reduce((left, row, i) => left - multipliers[i]! * row[j]!, cost);
    sum += Math.min(own * lower[j]!, own * upper[j]!);
  });
  return sum;
}

it('finds a point and multipliers that prove each other optimal, or multipliers without limit', () => {
  const counts = { optimal: 0, infeasible: 0 };
  for (let seed = 0; seed < 2000; seed++) {
    const program = drawn(seed, seed % 2 === 0);
    const result = solveProgram(program, 1e3)!;
    expect(result.multipliers.every((beta) => beta >= 0)).toBe(true);
    const bound = boundOf(program, result.multipliers);
    if (result.point === undefined) {
      counts.infeasible++;
      expect(bound).toBeGreaterThan(1e3 - 1e-3);
      continue;
    }
    counts.optimal++;
    const { point } = result;
    const { rows, least, lower, upper, costs } = program;
    rows.forEach((row, i) => void expect(dot(row, point)).toBeGreaterThanOrEqual(least[i]! - 1e-6));
    point.forEach((x, j) => void expect(x >= lower[j]! && x <= upper[j]!).toBe(true));
    expect(dot(costs, point)).toBeCloseTo(bound, 6);
  }
  expect(counts.optimal).toBeGreaterThan(500);
  expect(counts.infeasible).toBeGreaterThan(300);
});

it('stops where a bound is enough', () => {
  const program: BoxProgram = {
    costs: Float64Array.of(1, 1),
    rows: [Float64Array.of(1, 0), Float64Array.of(0, 1)],
    least: [0.5, 0.25],
    ...{ lower: [0, 0], upper: [1, 1] },
  };
  expect(solveProgram(program)).toEqual({ multipliers: Float64Array.of(1, 1), point: Float64Array.of(0.5, 0.25) });
  const stopped = solveProgram(program, 0.3)!;
  expect(stopped.point).toBeUndefined();
  expect(boundOf(program, stopped.multipliers)).toBeGreaterThan(0.3);
});

it('gives up on numbers that are not finite', () => {
  const program = { costs: Float64Array.of(Number.NaN), rows: [], least: [], lower: [0], upper: [1] };
  expect(solveProgram(program)).toBeUndefined();
});

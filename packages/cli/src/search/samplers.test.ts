import { createRng } from '@cert/core';
import { resolveConfig } from '@cert/trainer/pipeline';
import { expect, it } from 'vitest';
import type { Values } from '../commands/config-file.js';
import { ashaSampler } from './asha.js';
import { type Distribution, placeOf, valueAt } from './distribution.js';
import { child, nsga2Sampler, survivors } from './nsga2.js';
import { randomSampler, type Sampler } from './sampler.js';
import type { Space } from './space.js';
import type { Job, Trial } from './trial.js';

/** A space of which every draw trains something else, over 9 epochs. */
const SPACE: Space = {
  base: resolveConfig({ epochs: 9, learningRate: 1 }),
  search: {
    learningRate: { kind: 'log-uniform', from: 1e-4, to: 1e-2 },
    regWeight: { kind: 'uniform', from: 0, to: 1 },
    optimizer: { kind: 'choice', of: ['adam', 'sgd'] },
  },
  configOf: (values) => resolveConfig({ epochs: 9, ...values }),
};

/** Runs jobs one after the other; errors are a function of the values. */
function play(sampler: Sampler, errorsOf: (values: Values, epochs: number) => number, steps = 1000) {
  const trials: Trial[] = [];
  const jobs: Job[] = [];
  for (let i = 0; i < steps; i++) {
    const job = sampler(trials);
    if (job === 'wait' || job === 'done') return { trials, jobs, end: job };
    jobs.push(job);
    const error = errorsOf(job.values, job.epochs);
    const result = { epochs: job.epochs, standardError: error, verifiedError: error, trainSeconds: 1 };
    const known = trials[job.trial] ?? { trial: job.trial, values: job.values, results: [] };
    trials[job.trial] = { ...known, started: job.epochs, results: [...known.results, result] };
  }
  return { trials, jobs, end: 'steps' };
}

it.each([
  [{ kind: 'uniform', from: 1, to: 3 }, [1, 2, 3]],
  [{ kind: 'log-uniform', from: 0.01, to: 100 }, [0.01, 1, 100]],
  [{ kind: 'integer', from: 2, to: 4 }, [2, 3, 4]],
  [{ kind: 'choice', of: ['a', ['b'], null] }, ['a', ['b'], null]],
  [{ kind: 'constant', value: 7 }, [7, 7, 7]],
] satisfies [Distribution, unknown[]][])('%j has its values, and finds their places', (distribution, values) => {
  const found = [0, 0.5, 1 - Number.EPSILON].map((u) => valueAt(distribution, u));
  for (const [i, value] of found.entries()) {
    if (typeof value === 'number') expect(value).toBeCloseTo(Number(values[i]), 10);
    else expect(value).toEqual(values[i]);
    const place = placeOf(distribution, value)!;
    expect(place).toBeLessThan(1);
    const again = valueAt(distribution, place);
    if (typeof value === 'number') expect(again).toBeCloseTo(value, 10);
    else expect(again).toEqual(value);
  }
  expect(placeOf(distribution, 1000)).toBeUndefined();
  expect(placeOf(distribution, 'nothing')).toBeUndefined();
});

it('random search depends on the seed and the number of the trial alone', () => {
  const run = (seed: number, trials = 5) => play(randomSampler({ space: SPACE, trials, seed }), () => 0).trials;
  expect(run(3)).toEqual(run(3));
  expect(run(3, 8).slice(0, 5)).toEqual(run(3));
  expect(run(3)).not.toEqual(run(4));
  for (const { values } of run(3, 20)) {
    expect(values.learningRate).toBeGreaterThanOrEqual(1e-4);
    expect(values.learningRate).toBeLessThanOrEqual(1e-2);
  }
});

it('begins with the base where the space contains it', () => {
  const base = { learningRate: 0.002, regWeight: 0.25, optimizer: 'sgd' };
  const space = { ...SPACE, base: resolveConfig({ ...base, epochs: 9 }) };
  expect(play(randomSampler({ space, trials: 2, seed: 0 }), () => 0).trials[0]!.values).toEqual(base);
});

it('ends where all of a small space was tried', () => {
  const space = { ...SPACE, search: { optimizer: SPACE.search.optimizer! } };
  const { trials, end } = play(randomSampler({ space, trials: 10, seed: 0 }), () => 0);
  expect([trials.map(({ values }) => values.optimizer).sort(), end]).toEqual([['adam', 'sgd'], 'done']);
});

it('draws again what does not fit together, and says why nothing does', () => {
  const space: Space = {
    base: resolveConfig({ epochs: 9 }),
    search: { rampLength: { kind: 'integer', from: 1, to: 100 } },
    configOf: (values) => resolveConfig({ epochs: 9, ...values }),
  };
  const { trials } = play(randomSampler({ space, trials: 5, seed: 0 }), () => 0);
  expect(trials).toHaveLength(5);
  const none = { ...space, search: { rampLength: { kind: 'integer', from: 50, to: 100 } } } as const;
  expect(() => randomSampler({ space: none, trials: 5, seed: 0 })([])).toThrow('The ramp ends after epoch');
});

/** A trial by hand: its score at each rung. */
const at = (trial: number, scores: { readonly [epochs: number]: number }, started?: number, failed?: string): Trial => {
  const results = Object.entries(scores).map(([epochs, error]) => ({
    ...{ epochs: Number(epochs), standardError: error, verifiedError: error, trainSeconds: 1 },
  }));
  return { trial, values: {}, results, started: started ?? results.at(-1)!.epochs, ...(failed && { failed }) };
};

it('asha promotes as in Li et al. 2020, algorithm 2: by hand', () => {
  const sampler = ashaSampler({ space: SPACE, trials: 9, seed: 0, rungs: [1, 3, 9], eta: 3, weight: 0.5 });
  const next = (...trials: Trial[]) => {
    const job = sampler(trials);
    return typeof job === 'string' ? job : [job.trial, job.epochs];
  };
  // Of two at the lowest rung, a third is none: a new trial.
  expect(next(at(0, { 1: 0.5 }), at(1, { 1: 0.4 }))).toEqual([2, 1]);
  // Of three, the best one goes on.
  expect(next(at(0, { 1: 0.5 }), at(1, { 1: 0.4 }), at(2, { 1: 0.6 }))).toEqual([1, 3]);
  // It is on its way: no other one is in the top third.
  expect(next(at(0, { 1: 0.5 }), at(1, { 1: 0.4 }, 3), at(2, { 1: 0.6 }))).toEqual([3, 1]);
  // A better one came later and is promoted although one of the three was: the top third has changed.
  expect(next(at(0, { 1: 0.5 }), at(1, { 1: 0.4, 3: 0.3 }), at(2, { 1: 0.3 }))).toEqual([2, 3]);
  // The highest rung comes first: of three at rung 3 the best goes to 9, before 6 of six at rung 1 is looked at.
  const three = [at(0, { 1: 0.5, 3: 0.5 }), at(1, { 1: 0.4, 3: 0.3 }), at(2, { 1: 0.3, 3: 0.4 })];
  expect(next(...three, at(3, { 1: 0.1 }), at(4, { 1: 0.9 }), at(5, { 1: 0.9 }))).toEqual([1, 9]);
  // Of those that failed later, none is promoted; their place in the rung remains.
  expect(next(at(0, { 1: 0.5 }), at(1, { 1: 0.4 }, 3, 'NaN'), at(2, { 1: 0.6 }))).toEqual([3, 1]);
});

it('asha waits while a job runs that may lead to a promotion, and trains one to the end', () => {
  const sampler = ashaSampler({ space: SPACE, trials: 2, seed: 0, rungs: [1, 3, 9], eta: 3, weight: 0.5 });
  expect(sampler([at(0, { 1: 0.5 }), at(1, {}, 1)])).toBe('wait');
  expect(sampler([at(0, { 1: 0.5 }), at(1, { 1: 0.4 })])).toMatchObject({ trial: 1, epochs: 3 });
  expect(sampler([at(0, { 1: 0.5 }), at(1, { 1: 0.4, 3: 0.4 })])).toMatchObject({ trial: 1, epochs: 9 });
  expect(sampler([at(0, { 1: 0.5 }), at(1, { 1: 0.4, 3: 0.4, 9: 0.3 })])).toBe('done');
  expect(sampler([at(0, { 1: 0.5 }), at(1, { 1: 0.4 }, 3, 'NaN')])).toMatchObject({ trial: 0, epochs: 3 });
});

it('asha spends as much on each rung as its rule says', () => {
  const sampler = ashaSampler({ space: SPACE, trials: 27, seed: 1, rungs: [1, 3, 9], eta: 3, weight: 0.5 });
  const { jobs, trials, end } = play(sampler, ({ regWeight }) => Number(regWeight));
  const count = (epochs: number) => jobs.filter((job) => job.epochs === epochs).length;
  expect(end).toBe('done');
  expect(count(1)).toBe(27);
  // Asynchronous: early promotions come on top of the 9 and 3 of successive halving.
  expect(count(3)).toBeGreaterThanOrEqual(9);
  expect(count(9)).toBeGreaterThanOrEqual(3);
  expect(count(9)).toBeLessThan(count(3));
  const best = trials.reduce((a, b) => (Number(a.values.regWeight) < Number(b.values.regWeight) ? a : b));
  expect(best.started).toBe(9);
});

it('nsga2 does not depend on the order in which trials of a generation end', () => {
  const sampler = nsga2Sampler({ space: SPACE, trials: 12, seed: 2, population: 4 });
  const errors = ({ learningRate, regWeight }: Values) =>
    Math.abs(Math.log10(Number(learningRate)) + 3) + Number(regWeight);
  const { trials, end } = play(sampler, errors);
  expect([trials.length, end]).toEqual([12, 'done']);
  // While one of the first generation runs, the others of it begin, and the second one waits.
  const first = trials.slice(0, 4).map((trial, i) => (i === 1 ? { ...trial, results: [] } : trial));
  expect(sampler(first.slice(0, 3))).toMatchObject({ trial: 3, values: trials[3]!.values });
  expect(sampler(first)).toBe('wait');
  // The second generation does not look at results of its own.
  const half = [...trials.slice(0, 5), { ...trials[5]!, results: [] }];
  expect(sampler(half)).toMatchObject({ trial: 6, values: trials[6]!.values });
});

it('nsga2 comes nearer to the front than random draws', () => {
  // Both errors want another regWeight; learningRate and optimizer have a best value.
  const distance = ({ learningRate, optimizer }: Values) =>
    Math.abs(Math.log10(Number(learningRate)) + 3) + (optimizer === 'sgd' ? 0 : 0.5);
  const run = (make: (seed: number) => Sampler) => {
    const means = [0, 1, 2].map((seed) => {
      const { trials } = play(make(seed), (values) => distance(values) + Number(values.regWeight));
      const last = trials.slice(-20).map(({ values }) => distance(values));
      return last.reduce((a, b) => a + b, 0) / last.length;
    });
    return means.reduce((a, b) => a + b, 0) / means.length;
  };
  const options = { space: SPACE, trials: 60 };
  const evolved = run((seed) => nsga2Sampler({ ...options, seed, population: 10 }));
  expect(evolved).toBeLessThan(0.5 * run((seed) => randomSampler({ ...options, seed })));
});

it('survivors are the best of parents and children by front and crowding, without failed trials', () => {
  const trial = (index: number, standardError: number, verifiedError: number, failed?: string): Trial => ({
    ...{ trial: index, values: { index }, started: 9, ...(failed && { failed }) },
    results: failed ? [] : [{ epochs: 9, standardError, verifiedError, trainSeconds: 1 }],
  });
  const trials = [trial(0, 0.5, 0.5), trial(1, 0.1, 0.9), trial(2, 0.6, 0.6), trial(3, 0, 0, 'NaN')];
  expect(survivors(trials, 2).map(({ values }) => values.index)).toEqual([0, 1]);
});

it('a child stays in the space', () => {
  const rng = createRng(5);
  const parent = (u: number) =>
    Object.fromEntries(Object.entries(SPACE.search).map(([name, each]) => [name, valueAt(each, u)]));
  for (let i = 0; i < 200; i++) {
    const values = child(SPACE, parent(0), parent(1 - Number.EPSILON), rng);
    for (const [name, each] of Object.entries(SPACE.search)) expect(placeOf(each, values[name])).toBeDefined();
  }
});

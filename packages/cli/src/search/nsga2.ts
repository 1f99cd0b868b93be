import type { Rng } from '@cert/core';
import type { Values } from '../commands/config-file.js';
import { type Distribution, placeOf, valueAt } from './distribution.js';
import { drawValues, newValues, rngOf } from './draw.js';
import { byFrontAndCrowding } from './front.js';
import { randomTrial, type Sampler, type SamplerOptions } from './sampler.js';
import type { Space } from './space.js';
import { isRunning, type Result, type Trial } from './trial.js';

/** Options of {@link nsga2Sampler}. */
export interface Nsga2Options extends SamplerOptions {
  /** Trials of a generation. */
  readonly population: number;
}

/** Probability that two parents are crossed, as in Deb et al. 2002, section V. */
const CROSSOVER = 0.9;

/** Indices of both distributions: 20 in the paper, for 25,000 evaluations. A search has tens of trials and takes wider steps. */
const CROSSOVER_INDEX = 5;
const MUTATION_INDEX = 5;

/** Proposals by crossover, after which a trial is drawn like those of the first generation. */
const BRED = 100;

/**
 * NSGA-II (Deb et al. 2002): the first generation is random. Each later one descends from the best trials so far, by front and crowding of
 * the two errors: binary tournaments, simulated binary crossover and polynomial mutation (Deb and Agrawal 1995) of the places in [0, 1) that
 * distributions map to values. A generation begins when the one before it has ended, so that the number of workers changes nothing.
 */
export const nsga2Sampler =
  (options: Nsga2Options): Sampler =>
  (trials) => {
    const { population, space } = options;
    const running = trials.some(isRunning) ? 'wait' : 'done';
    if (trials.length >= options.trials) return running;
    const generation = Math.floor(trials.length / population);
    const earlier = trials.slice(0, generation * population);
    if (earlier.some(isRunning)) return 'wait';
    const parents = survivors(earlier, population);
    const next = parents.length < 2 ? randomTrial(options, trials) : offspring(parents, options, trials);
    return next === undefined ? running : { ...next, epochs: space.configOf(next.values).epochs };
  };

/** A trial that was trained to the end. */
interface Trained {
  readonly values: Values;
  readonly result: Result;
}

/** Those that a generation descends from, the best first: what remains of each generation and its parents. */
export function survivors(earlier: readonly Trial[], population: number): readonly Trained[] {
  let kept: readonly Trained[] = [];
  for (let from = 0; from < earlier.length; from += population) {
    const born = earlier.slice(from, from + population).flatMap(({ values, results, failed }) => {
      const result = results.at(-1);
      return failed !== undefined || result === undefined ? [] : [{ values, result }];
    });
    const all = [...kept, ...born];
    kept = byFrontAndCrowding(all.map(({ result }) => result))
      .slice(0, population)
      .map((i) => all[i]!);
  }
  return kept;
}

function offspring(parents: readonly Trained[], { space, seed }: Nsga2Options, trials: readonly Trial[]) {
  const trial = trials.length;
  const rng = rngOf(seed, trial);
  // Of two, the one in front: parents are in the order of the crowded comparison.
  const tournament = () => parents[Math.min(rng.int(parents.length), rng.int(parents.length))]!.values;
  let proposals = 0;
  const values = newValues(space, trials, () =>
    proposals++ < BRED ? child(space, tournament(), tournament(), rng) : drawValues(space, rng),
  );
  return values && { trial, values };
}

/** A child of two parents. */
export function child({ search }: Space, mother: Values, father: Values, rng: Rng): Values {
  const crossed = rng.uniform() < CROSSOVER;
  const fields = Object.entries(search);
  const mutation = 1 / fields.length;
  return Object.fromEntries(
    fields.map(([name, distribution]) => {
      const [a = 0.5, b = 0.5] = [placeOf(distribution, mother[name]), placeOf(distribution, father[name])];
      const place = crossed ? crossover(distribution, a, b, rng) : a;
      const mutated = rng.uniform() < mutation ? mutate(distribution, place, rng) : place;
      return [name, valueAt(distribution, mutated)] as const;
    }),
  );
}

/** One child of simulated binary crossover; for values without an order the place of one of the parents. */
function crossover({ kind }: Distribution, a: number, b: number, rng: Rng): number {
  if (rng.uniform() < 0.5) return a;
  if (kind === 'choice') return b;
  const u = rng.uniform();
  const spread = (u <= 0.5 ? 2 * u : 1 / (2 * (1 - u))) ** (1 / (CROSSOVER_INDEX + 1));
  const sign = rng.uniform() < 0.5 ? 1 : -1;
  return clamped(0.5 * (a + b + sign * spread * (a - b)));
}

/** Polynomial mutation; for values without an order any other place. */
function mutate({ kind }: Distribution, place: number, rng: Rng): number {
  const u = rng.uniform();
  if (kind === 'choice') return u;
  const exponent = 1 / (MUTATION_INDEX + 1);
  const step = u < 0.5 ? (2 * u) ** exponent - 1 : 1 - (2 * (1 - u)) ** exponent;
  return clamped(place + step);
}

const clamped = (place: number): number => Math.min(1 - Number.EPSILON, Math.max(0, place));

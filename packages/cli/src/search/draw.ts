import { CertError, createRng, type Rng } from '@cert/core';
import type { Values } from '../commands/config-file.js';
import { placeOf, valueAt } from './distribution.js';
import type { Space } from './space.js';
import type { Trial } from './trial.js';

/** Times that values are drawn again which do not fit together or were there before. */
const ATTEMPTS = 200;

/** The numbers of a trial, whatever was drawn before it. */
export const rngOf = (seed: number, trial: number): Rng => createRng(seed, 'trial', trial);

/** Values of independent draws. */
export const drawValues = ({ search }: Space, rng: Rng): Values =>
  Object.fromEntries(Object.entries(search).map(([name, each]) => [name, valueAt(each, rng.uniform())] as const));

/** The values that the base has; undefined where the space does not contain the base. */
function baseValues({ base, search }: Space): Values | undefined {
  const flat: Values = { ...base.options, ...base };
  const names = Object.keys(search);
  const inside = names.every((name) => placeOf(search[name]!, flat[name]) !== undefined);
  return inside ? Object.fromEntries(names.map((name) => [name, flat[name]] as const)) : undefined;
}

/**
 * The first of several proposals whose values fit together and are not those of an earlier trial.
 *
 * @param before earlier trials
 * @returns undefined where nothing new was found: the space is small, and all of it was tried
 * @throws CertError `bad-argument` where no proposal fits together
 */
function firstNew(space: Space, before: readonly Trial[], propose: () => Values): Values | undefined {
  const known = new Set(before.map(({ values }) => JSON.stringify(values)));
  let failure: unknown;
  let fitting = 0;
  for (let i = 0; i < ATTEMPTS; i++) {
    const values = propose();
    try {
      space.configOf(values);
      fitting++;
      if (!known.has(JSON.stringify(values))) return values;
    } catch (error) {
      if (!(error instanceof CertError)) throw error;
      failure = error;
    }
  }
  if (fitting > 0) return undefined;
  throw failure;
}

/** The values of trial 0 are the base where the space contains it; those of others are proposed. */
export function newValues(space: Space, trials: readonly Trial[], propose: () => Values): Values | undefined {
  const base = trials.length === 0 ? baseValues(space) : undefined;
  return base ?? firstNew(space, trials, propose);
}

import { CertError } from '@cert/core';
import { unknownName } from '@cert/trainer/pipeline';
import { conflict } from '../commands/options.js';
import { readNumber } from '../verify/read-number.js';
import { ashaSampler } from './asha.js';
import type { Distribution } from './distribution.js';
import { nsga2Sampler } from './nsga2.js';
import { randomSampler, type Sampler } from './sampler.js';
import type { SearchSettings } from './search-folder.js';
import type { Space } from './space.js';

/** The samplers of the command, each with what it is. */
export const SAMPLERS = {
  random: 'independent draws',
  asha: 'successive halving: stops trials early',
  nsga2: 'evolution towards the Pareto front',
} as const;

/** What the command line says about a search, as texts. */
export interface RawSettings {
  readonly trials?: string;
  readonly sampler?: string;
  readonly seed?: string;
  readonly weight?: string;
  readonly eta?: string;
  readonly rungs?: string;
  readonly population?: string;
}

/** Options that belong to one sampler. */
const OF_SAMPLER = { eta: 'asha', rungs: 'asha', population: 'nsga2' } as const;

/**
 * The settings of a search.
 *
 * @param askTell whether another program samples
 * @throws CertError `bad-argument` naming the option
 */
export function settingsOf(raw: RawSettings, space: Space, askTell: boolean): SearchSettings {
  const { sampler = askTell ? 'ask-tell' : 'random' } = raw;
  if (askTell && (raw.sampler !== undefined || raw.trials !== undefined)) {
    throw conflict(
      `--ask-tell and --${raw.sampler === undefined ? 'trials' : 'sampler'} were both given.`,
      'Leave the latter out: with --ask-tell, another program says what is tried.',
    );
  }
  if (!askTell && !Object.hasOwn(SAMPLERS, sampler)) throw unknownName('sampler', sampler, Object.keys(SAMPLERS));
  for (const [name, owner] of Object.entries(OF_SAMPLER)) {
    if (raw[name as keyof typeof OF_SAMPLER] === undefined || owner === sampler) continue;
    throw conflict(`--${name} is an option of --sampler ${owner}.`, `Leave it out, or choose --sampler ${owner}.`);
  }
  const weight = raw.weight === undefined ? 0.5 : readNumber('--weight', raw.weight);
  if (weight > 1) throw conflict(`--weight is ${raw.weight}.`, 'Give a number from 0 to 1.');
  const { base, search } = space;
  const eta = whole('--eta', raw.eta, 3, 2);
  return {
    ...{ sampler, seed: whole('--seed', raw.seed, 0, 0), weight },
    ...(sampler === 'asha' && { eta, rungs: rungsOf(raw.rungs, space, eta) }),
    ...(sampler === 'nsga2' && { population: whole('--population', raw.population, 10, 2) }),
    space: { base, search },
  };
}

/** The sampler of a search. @throws CertError `bad-argument` for a number of trials that is none */
export function samplerOf({ sampler, ...settings }: SearchSettings, space: Space, trials: number): Sampler {
  const { seed, weight, rungs = [], eta = 3, population = 10 } = settings;
  if (sampler === 'asha') return ashaSampler({ space, trials, seed, weight, rungs, eta });
  if (sampler === 'nsga2') return nsga2Sampler({ space, trials, seed, population });
  return randomSampler({ space, trials, seed });
}

/** A whole number. @throws CertError `bad-argument` quoting what was given */
export function whole(option: string, text: string | undefined, usual: number, least: number): number {
  const value = text === undefined ? usual : Number(text.trim() === '' ? Number.NaN : text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new CertError('bad-argument', `${option} is ${text}.`, `Give a whole number of at least ${least}.`);
}

/** Fields that decide which radius an epoch has. */
const RAMP = ['rampStart', 'rampLength', 'schedule', 'method'];

/**
 * The epochs at which `asha` compares trials. Every trial has the schedule of all its epochs, and the verified error of an epoch is at the
 * radius of that epoch. The default is from the end of the ramp on; where a space has no influence on the ramp, earlier rungs may be given.
 */
function rungsOf(text: string | undefined, { base, search }: Space, eta: number): readonly number[] {
  const { epochs, rampStart, rampLength } = base;
  if (Object.hasOwn(search, 'epochs')) {
    throw new CertError(
      'bad-argument',
      '--sampler asha compares trials after the same number of epochs, but the space searches "epochs".',
      'Set "epochs" in "base", or choose another sampler.',
    );
  }
  const last = (name: 'rampStart' | 'rampLength', value: number) =>
    Object.hasOwn(search, name) ? largest(search[name]!) : value;
  // The radius is full from the epoch behind the ramp on.
  const end = Math.min(epochs, Math.max(1, last('rampStart', rampStart) + last('rampLength', rampLength)));
  const searched = RAMP.filter((name) => Object.hasOwn(search, name));
  if (text !== undefined) {
    const first = searched.length > 0 ? end : Math.min(rampStart, epochs);
    return givenRungs(text, epochs, first, searched);
  }
  if (end >= epochs) {
    throw new CertError(
      'bad-argument',
      `--sampler asha has no epoch to stop a trial at: the radius of a trial can be full from epoch ${end} of ${epochs} on.`,
      'Choose another sampler, shorten the ramp, or give --rungs for a ramp that is not searched.',
    );
  }
  const rungs: number[] = [epochs];
  for (let rung = epochs / eta; rung >= end; rung /= eta) rungs.unshift(Math.ceil(rung));
  return rungs.length > 1 ? rungs : [end, epochs];
}

/** The largest number of a distribution. */
const largest = (distribution: Distribution): number =>
  distribution.kind === 'choice'
    ? Math.max(...distribution.of.map(Number))
    : distribution.kind === 'constant'
      ? Number(distribution.value)
      : distribution.to;

function givenRungs(text: string, epochs: number, first: number, searched: readonly string[]): readonly number[] {
  const numbers = text.split(',').map((item) => whole('--rungs', item, 0, 1));
  const rungs = numbers.at(-1) === epochs ? numbers : [...numbers, epochs];
  const ascending = rungs.every((rung, i) => i === 0 || rung > rungs[i - 1]!);
  if (!ascending) {
    throw new CertError('bad-argument', `--rungs is ${text}.`, `Give ascending epochs below ${epochs}, such as 4,8.`);
  }
  if (rungs[0]! >= first) return rungs;
  const why =
    searched.length > 0
      ? `the space searches ${searched.map((name) => `"${name}"`).join(', ')}, so before epoch ${first} trials have different radii and their verified errors cannot be compared`
      : `before epoch ${first} the radius is 0`;
  throw new CertError('bad-argument', `--rungs is ${text}, but ${why}.`, `Begin with an epoch from ${first} on.`);
}

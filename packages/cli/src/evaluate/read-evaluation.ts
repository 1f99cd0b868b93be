import { CertError } from '@cert/core';
import {
  type Catalog,
  type Choices,
  canonicalName,
  choose,
  fieldsOf,
  type RunConfig,
  refuseUnused,
  searchVerifiers,
} from '@cert/trainer/pipeline';
import { ATTACK, readAttack } from '../commands/attacks.js';
import { CHECKPOINTS, ofTheRun, TIMEOUT } from '../commands/eval-options.js';
import { type FieldFilter, named, optionsOfEvery, type RawOptions, readFields, readWord } from '../commands/options.js';
import { readArithmetic } from '../commands/read-arithmetic.js';
import { locateCheckpoint } from '../runs/locate-checkpoint.js';
import { readNumber } from '../verify/read-number.js';
import type { EvaluationSetup } from './evaluation-setup.js';

/** The settings of a run that an evaluation depends on. */
export const ofTheEvaluation: FieldFilter = (name, field) =>
  ofTheRun(name, field) || named('attackSteps', 'attackRestarts')(name, field);

/** What the options of `cert eval` ask for. */
export interface AskedEvaluation extends EvaluationSetup {
  /** The file of the checkpoint. */
  readonly checkpoint: string;
  /** The folder of its run, or its folder. */
  readonly folder: string;
  /** The configuration that it was trained with; undefined for a checkpoint without a run. */
  readonly trained: RunConfig | undefined;
}

/**
 * Reads the options of `cert eval`.
 *
 * @param path of a run, or of a checkpoint
 * @throws CertError `bad-argument` naming the option, `bad-file` where there is no checkpoint
 */
export async function readEvaluation(
  path: string,
  raw: RawOptions & { readonly complete?: boolean },
  catalog: Catalog,
): Promise<AskedEvaluation> {
  const methods = readMethods(raw.methods, catalog);
  const timeout = raw.timeout === undefined ? TIMEOUT : readNumber('--timeout', raw.timeout);
  const searches = Object.keys(searchVerifiers({ timeout, rules: catalog.rules }));
  const searching = methods.some((name) => searches.includes(name));
  if (raw.timeout !== undefined && !searching) throw unusedTimeout(searches);
  const arithmetic = readArithmetic(raw.arithmetic);
  const chosen = readWord('--checkpoint', raw.checkpoint ?? 'last', CHECKPOINTS);
  const given = readFields(raw, ofTheEvaluation, catalog);
  const attack = readAttack(raw.attack, given);
  const { file: checkpoint, folder, config: trained, ofRun } = await locateCheckpoint(path, chosen, catalog);
  return {
    ...{ checkpoint, folder, trained: ofRun ? trained : undefined },
    ...{ config: configOf(trained, given, catalog), methods, attack, arithmetic, complete: raw.complete ?? false },
    ...(searching && { timeout }),
  };
}

const unusedTimeout = (names: readonly string[]) =>
  new CertError(
    'bad-argument',
    '--timeout was given, but none of the chosen methods has a time limit.',
    `Leave it out, or choose a method with a time limit: --methods ibp,crown-ibp,${names.join(',')}.`,
  );

/** The names that were given, in the order of the table. */
function readMethods(text: string | undefined, { verifiers }: Catalog): readonly string[] {
  const known = Object.keys(verifiers);
  if (text === undefined) return known.filter((name) => verifiers[name]!.searchOn === undefined);
  if (text === 'none') return [];
  const names = text.split(',').map((name) => canonicalName(name.trim(), known));
  for (const name of names) choose('bound method', name, verifiers);
  return known.filter((name) => names.includes(name));
}

/**
 * What an evaluation runs with: the settings of the run, with those that were given. Of another dataset than the run's the options have
 * their defaults.
 *
 * @throws CertError `bad-argument` for an option of another dataset
 */
function configOf(trained: RunConfig, given: Choices, catalog: Catalog): RunConfig {
  const options = Object.entries(fieldsOf(catalog)).filter(([name, field]) => optionsOfEvery('dataset')(name, field));
  const others = given.dataset === undefined || given.dataset === trained.dataset ? [] : options.map(([name]) => name);
  const kept = (values: object) =>
    Object.fromEntries(Object.entries(values).filter(([name]) => !others.includes(name)));
  const settings = { ...kept(trained), ...ATTACK, ...given };
  const config = { ...settings, options: { ...kept(trained.options), ...given.options } } as RunConfig;
  refuseUnused([...Object.keys(given), ...Object.keys(given.options ?? {})], config, catalog);
  return config;
}

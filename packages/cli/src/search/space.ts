import { CertError, describeValue } from '@cert/core';
import {
  type AnyField,
  asChoices,
  type Catalog,
  type CommonField,
  canonicalName,
  fieldsOf,
  ownersText,
  type PluginRecord,
  parseField,
  type RunConfig,
  resolveConfig,
  unknownName,
} from '@cert/trainer/pipeline';
import {
  type ConfigFile,
  configIn,
  isRecord,
  NAMES,
  readSettings,
  readValue,
  type SettingsDocument,
  usedValues,
  type Values,
  withFile,
} from '../commands/config-file.js';
import { DISTRIBUTIONS, type Distribution } from './distribution.js';

/** What a search chooses from. */
export interface Space {
  /** The configuration that a trial has but for the searched fields. */
  readonly base: RunConfig;
  /** The searched fields by their names. */
  readonly search: { readonly [field: string]: Distribution };
  /**
   * The configuration of a trial. An option of a part that the trial does not use (`pgdSteps` without the objective `pgd`) is left out.
   *
   * @throws CertError `bad-argument` where values do not fit together, such as a ramp that is longer than training
   */
  configOf(values: Values): RunConfig;
}

/** Share of the training images that decides, where the space does not say. */
const VALIDATION = 0.1;

/** Fields without influence on the errors that a search compares. */
const IDLE = ['attackSteps', 'attackRestarts', 'evalBatchSize', 'checkpointMinutes', 'device', 'warmStartSha256'];

/** Fields that change what is measured: errors of trials would not be comparable. */
const MEASURED = [
  'preset',
  'plugins',
  'options',
  'limit',
  'validation',
  'epsilon',
  'perturbation',
  'delta',
  'dataset',
  'seed',
];

/** What to do about a file that is no space. */
const CURE =
  'Give a JSON or YAML file such as { "base": { "preset": "digits/quick" }, "search": { "learningRate": { "log-uniform": [1e-4, 1e-2] } } }.';

/** The file of a space, before plug-ins are loaded. */
export interface SpaceFile {
  readonly base: ConfigFile;
  readonly search: Values;
  readonly at: SettingsDocument['at'];
}

/** The plug-ins that the base names. */
export const pluginsOf = ({
  base,
}: SpaceFile): { readonly folder: string; readonly plugins: readonly PluginRecord[] } => base;

/**
 * Reads the file of a space.
 *
 * @throws CertError `bad-file` when it cannot be read, with the line where it is damaged or has a field twice; `bad-argument` for another form
 */
export async function readSpaceFile(file: string): Promise<SpaceFile> {
  const { content, at } = await readSettings(file, CURE);
  for (const name of Object.keys(content)) {
    if (name !== 'base' && name !== 'search') throw unknownName(`part in ${at(name)}:`, name, ['base', 'search']);
  }
  const { base, search } = content;
  if (!isRecord(base))
    throw wrong(file, `${at('base')}: "base" is ${base === undefined ? 'missing' : describeValue(base)}.`);
  if (!isRecord(search)) {
    throw wrong(file, `${at('search')}: "search" is ${search === undefined ? 'missing' : describeValue(search)}.`);
  }
  if (Object.keys(search).length === 0) {
    throw wrong(file, `${at('search')}: the space is empty: "search" names no field.`);
  }
  return {
    base: configIn(base, file, (...keys) => at('base', ...keys)),
    search,
    at: (...keys) => at('search', ...keys),
  };
}

const wrong = (_file: string, problem: string) => new CertError('bad-argument', problem, CURE);

/**
 * Reads a space: the base as a file of `cert train --config`, and for each searched field a distribution whose values pass the checks of the
 * field.
 *
 * @throws CertError `bad-argument` naming the field and its line
 */
export function readSpace(file: SpaceFile, catalog: Catalog): Space {
  const given = withFile(file.base, {}, catalog);
  if (Object.hasOwn(file.base.values, 'validation') && given.validation === undefined) {
    throw new CertError(
      'bad-argument',
      `${file.base.at('validation')}: "validation" is 0, but a search chooses on validation images, never on test images.`,
      `Give a share such as ${VALIDATION}, or leave it out for ${VALIDATION}.`,
    );
  }
  const { values, at } = withValidation(file.base, given.validation);
  const base: ConfigFile = { ...file.base, values, at };
  const search = Object.fromEntries(
    Object.entries(file.search).map(([name, value]) => [name, distributionOf(name, value, file, catalog)] as const),
  );
  const resolve = (chosen: Values) => atFullRadius(resolveConfig(withFile(base, asChoices(chosen), catalog), catalog));
  const space: Space = {
    base: resolve({}),
    search,
    configOf(chosen) {
      const names = resolve(Object.fromEntries(Object.entries(chosen).filter(([name]) => NAMES.includes(name))));
      return resolve(usedValues(chosen, names, catalog));
    },
  };
  return space;
}

/** @throws CertError `bad-argument` where the last epoch is one of the ramp: errors at smaller radii are not comparable */
function atFullRadius(config: RunConfig): RunConfig {
  const { rampStart, rampLength, epochs } = config;
  if (rampLength === 0 || rampStart + rampLength <= epochs) return config;
  throw new CertError(
    'bad-argument',
    `The ramp ends with epoch ${rampStart + rampLength - 1} of ${epochs}, so no epoch is at the full radius.`,
    'Raise "epochs", or lower "rampStart" or "rampLength".',
  );
}

/** The base with the usual share of validation images where it has none. */
function withValidation(base: ConfigFile, chosen: number | undefined): Pick<ConfigFile, 'values' | 'at'> {
  return chosen === undefined ? { ...base, values: { ...base.values, validation: VALIDATION } } : base;
}

/** @throws CertError `bad-argument` */
function distributionOf(name: string, value: unknown, file: SpaceFile, catalog: Catalog): Distribution {
  const at = file.at(name);
  const field = searchedField(name, at, catalog);
  if (Object.hasOwn(file.base.values, name) || (name === 'method' && file.base.method !== undefined)) {
    throw new CertError(
      'bad-argument',
      `${at}: "${name}" is set twice: in "search", and in "base" (${file.base.at(name)}).`,
      'Remove one of them.',
    );
  }
  const [[kind = '', content] = [], ...others] = isRecord(value) ? Object.entries(value) : [];
  const known = DISTRIBUTIONS.find((each) => each === canonicalName(kind, DISTRIBUTIONS));
  if (!isRecord(value) || others.length > 0 || kind === '') {
    throw new CertError('bad-argument', `${at}: "${name}" is ${describeValue(value)}.`, FORMS);
  }
  if (known === undefined) throw unknownName(`distribution in ${at}:`, kind, DISTRIBUTIONS);
  const read = (one: unknown) => readValue(name, field, one, { at, folder: file.base.folder, catalog });
  if (known === 'constant') return { kind: known, value: read(content) };
  if (known === 'choice') {
    if (Array.isArray(content) && content.length > 0) return { kind: known, of: content.map(read) };
    throw new CertError('bad-argument', `${at}: the choice of "${name}" is ${describeValue(content)}.`, FORMS);
  }
  return rangeOf(known, content, { name, at, field, read });
}

/** What a distribution looks like. */
const FORMS =
  'Give one distribution: { "choice": [a, b] }, { "uniform": [from, to] }, { "log-uniform": [from, to] }, { "integer": [from, to] } or { "constant": a }.';

interface Range {
  readonly name: string;
  readonly at: string;
  readonly field: CommonField;
  readonly read: (value: unknown) => unknown;
}

/** @throws CertError `bad-argument` for another form, a field of another kind, or limits that the field refuses */
function rangeOf(
  kind: 'uniform' | 'log-uniform' | 'integer',
  content: unknown,
  { name, at, field, read }: Range,
): Distribution {
  const wanted = kind === 'integer' ? 'integer' : 'number';
  const fail = (problem: string, cure: string) => new CertError('bad-argument', `${at}: ${problem}`, cure);
  if (field.kind !== wanted) {
    const instead =
      field.kind === 'number' ? 'uniform" or "log-uniform' : field.kind === 'integer' ? 'integer' : 'choice';
    throw fail(`"${name}" takes no "${kind}" distribution.`, `Use "${instead}".`);
  }
  if (!Array.isArray(content) || content.length !== 2) {
    throw fail(`the range of "${name}" is ${describeValue(content)}.`, 'Give two numbers: [from, to].');
  }
  // A limit may be outside what the field takes by itself, and then says so.
  const [from, to] = content.map((one: unknown) => read(typeof one === 'string' ? parseField(field, one) : one));
  if (typeof from !== 'number' || typeof to !== 'number' || !(from < to)) {
    throw fail(`the range of "${name}" is ${describeValue(content)}.`, 'Give the smaller number first: [from, to].');
  }
  if (kind === 'log-uniform' && from <= 0) {
    throw fail(`the range of "${name}" begins at ${from}.`, 'Begin a "log-uniform" range above 0, or use "uniform".');
  }
  return { kind, from, to };
}

/** @throws CertError `bad-argument` for a field that there is not, or that cannot be searched */
function searchedField(name: string, at: string, catalog: Catalog): CommonField {
  if (name === 'method') {
    return { kind: 'choice', of: Object.keys(catalog.methods), what: 'method', help: 'training method' };
  }
  const fields: { readonly [name: string]: AnyField } = fieldsOf(catalog);
  const any = Object.hasOwn(fields, name) ? fields[name] : undefined;
  const refuse = (why: string) =>
    new CertError('bad-argument', `${at}: "${name}" cannot be searched: ${why}.`, 'Set it in "base".');
  if (MEASURED.includes(name)) throw refuse('the errors of trials would not be comparable');
  if (IDLE.includes(name)) throw refuse('it has no influence on the errors that decide');
  if (any === undefined) throw unknownName(`field in ${at}:`, name, Object.keys(fields));
  if (any.owners.some(({ field }) => field === 'dataset')) {
    throw refuse(`it is an option of ${ownersText(any.owners)}, and the errors of trials would not be comparable`);
  }
  return any.field;
}

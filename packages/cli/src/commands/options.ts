import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { CertError, describeValue, parseJson } from '@cert/core';
import {
  type AnyField,
  asChoices,
  type Catalog,
  type Choices,
  type CommonField,
  canonicalName,
  checkField,
  choicesOf,
  didYouMean,
  fieldsOf,
  flagsOf,
  namesOf,
  optionName,
  ownersText,
  parseField,
  type RunConfig,
  radiusText,
  resolveConfig,
  standardCatalog,
} from '@cert/trainer/pipeline';
import { type Command, Option } from 'commander';
import { GROUPS, groupOf } from './groups.js';
import { NameOption } from './name-option.js';

/** A name as the table has it: case and hyphens do not count. */
export const canonical = (name: string | undefined, table: object): string | undefined =>
  name === undefined ? undefined : canonicalName(name, Object.keys(table));

/** What commander collected: option names in camel case, texts; true or false for an option without a value. */
export type RawOptions = { readonly [name: string]: string | undefined };

const standard = resolveConfig();

/** An option of more things than these does not say in its help what it belongs to: it would list all models. */
const SHOWN_OWNERS = 5;

/** The fields that a command has options for; default all. */
export type FieldFilter = (name: string, field: AnyField) => boolean;

/** Fields by their names. */
export const named =
  (...names: readonly (keyof RunConfig)[]): FieldFilter =>
  (name) =>
    names.includes(name as keyof RunConfig);

/** The options of one kind of thing: those of all models, or of all datasets. */
export const optionsOfEvery =
  (kind: 'model' | 'dataset'): FieldFilter =>
  (_, { owners }) =>
    owners.some(({ field }) => field === kind);

/** What {@link addFields} may be told. */
interface FieldOptions {
  /** Which fields; default all. */
  readonly of?: FieldFilter;
  /** What names may stand for, with plug-ins. */
  readonly catalog?: Catalog;
  /** The defaults. */
  readonly values?: Partial<RunConfig>;
}

/**
 * Adds options for fields of the configuration, each with its help, its default and what it belongs to.
 *
 * @throws CertError `bad-argument` for an option of a plug-in that the command has already
 */
export function addFields(
  command: Command,
  { of = () => true, catalog = standardCatalog, values = standard }: FieldOptions,
): Command {
  const known: { readonly [name: string]: unknown } = { ...values, ...values.options };
  const fields = Object.entries(fieldsOf(catalog)).filter(([name, any]) => of(name, any));
  for (const group of Object.keys(GROUPS)) {
    for (const [name, any] of fields)
      if (groupOf(name, any) === group) addField(command, name, any, known[name], catalog);
  }
  return command;
}

/** Adds one option, or two for a boolean. */
function addField(command: Command, name: string, any: AnyField, chosen: unknown, catalog: Catalog): void {
  const { field, owners } = any;
  const few = owners.length > 0 && owners.length <= SHOWN_OWNERS;
  const only = few ? `; with ${ownersText(owners)}` : '';
  const help = `${field.help}${choicesOf(field, catalog)} (default: ${shown(chosen ?? field.default, field)}${only})`;
  const [flag, opposite] = flagsOf(name, field);
  const heading = GROUPS[groupOf(name, any)];
  add(command, new NameOption(flag!, help, namesOf(field, catalog)).helpGroup(heading), any);
  if (opposite === undefined) return;
  add(command, new Option(opposite, `disable ${optionName(name, field)}`).helpGroup(heading), any);
}

/** A value as it is given on the command line. */
export function shown(value: unknown, field?: CommonField): string {
  if (field?.kind === 'number' && field.radius && typeof value === 'number') return radiusText(value);
  // A few digits tell what it is about; `config.json` has all.
  if (typeof value === 'number') return String(Number(value.toPrecision(4)));
  // `none` is one of the words, and means something else.
  if (value == null && field?.kind === 'choice' && field.of.includes('none')) return 'not set';
  return String(value ?? '') === '' ? 'none' : String(value);
}

function add(command: Command, option: Option, { owners }: AnyField): void {
  const taken = command.options.find(({ short, long }) => long === option.long || (short && short === option.short));
  if (taken !== undefined) {
    throw conflict(
      `${option.long} is an option of ${ownersText(owners)}, but cert ${command.name()} already has an option with this name.`,
      'Rename the option in the plug-in, or leave the plug-in out.',
    );
  }
  command.addOption(option);
}

/**
 * The fields that were given, parsed and checked.
 *
 * @throws CertError `bad-argument` naming the option
 */
export function readFields(raw: RawOptions, of: FieldFilter = () => true, catalog: Catalog = standardCatalog): Choices {
  const given = Object.entries(fieldsOf(catalog)).flatMap(([name, any]) => {
    const text = raw[name];
    if (text === undefined || !of(name, any)) return [];
    const value = parseField(any.field, valueText(name, any.field, String(text)), catalog);
    checkField(name, any.field, value, catalog);
    return [[name, value] as const];
  });
  return asChoices(Object.fromEntries(given));
}

/** The text of a value: the content of the file for a field that is given as a file, unless it is `none` or JSON itself. */
export function valueText(name: string, field: CommonField, text: string, folder = ''): string {
  if (field.kind !== 'perturbation' || text === 'none' || text.trimStart().startsWith('{')) return text;
  const file = resolve(folder, text);
  try {
    const content = readFileSync(file, 'utf8');
    parseJson(content);
    return content;
  } catch (error) {
    throw new CertError(
      'bad-file',
      `${optionName(name, field)} is ${describeValue(text)}: ${error instanceof Error ? error.message : String(error)}.`,
      'Give a JSON file such as { "kind": "linf", "features": { "age": { "scale": 0 } } }.',
    );
  }
}

/** One of several choices. @throws CertError `bad-argument` with the nearest ones */
export function readWord<W extends string>(option: string, text: string, words: readonly W[]): W {
  const name = canonicalName(text, words);
  const word = words.find((one) => one === name);
  if (word !== undefined) return word;
  throw new CertError(
    'bad-argument',
    `${option} is ${describeValue(text)}.`,
    `Give one of: ${words.join(', ')}. ${didYouMean(text, words)}`.trimEnd(),
  );
}

/** The error for two options that exclude each other. */
export const conflict = (problem: string, cure: string) => new CertError('bad-argument', problem, cure);

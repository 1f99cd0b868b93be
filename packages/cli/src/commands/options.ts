import { CertError } from '@cert/core';
import {
  type AnyField,
  asChoices,
  type Catalog,
  type Choices,
  checkField,
  choicesOf,
  fieldsOf,
  flagsOf,
  optionName,
  ownersText,
  parseField,
  type RunConfig,
  resolveConfig,
  standardCatalog,
} from '@cert/trainer/pipeline';
import { type Command, Option } from 'commander';

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
  /** Where the defaults hold, behind them. */
  readonly where?: string;
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
  { of = () => true, catalog = standardCatalog, where = `in ${standard.preset}`, values = standard }: FieldOptions,
): Command {
  const known: { readonly [name: string]: unknown } = { ...values, ...values.options };
  for (const [name, any] of Object.entries(fieldsOf(catalog))) {
    if (!of(name, any)) continue;
    const { field, owners } = any;
    const usual = known[name] ?? field.default ?? null;
    const shown = usual === null || String(usual) === '' ? 'none' : String(usual);
    const few = owners.length > 0 && owners.length <= SHOWN_OWNERS;
    const only = few ? `; with ${ownersText(owners)}` : '';
    const belongs = owners.length === 0 ? where : '';
    const help = `${field.help}${choicesOf(field, catalog)} (default: ${`${shown} ${belongs}`.trim()}${only})`;
    const [flag, opposite] = flagsOf(name, field);
    add(command, new Option(flag!, help), any);
    if (opposite !== undefined) add(command, new Option(opposite, `the opposite of ${optionName(name, field)}`), any);
  }
  return command;
}

function add(command: Command, option: Option, { owners }: AnyField): void {
  const taken = command.options.find(({ short, long }) => long === option.long || (short && short === option.short));
  if (taken !== undefined) {
    throw conflict(
      `${option.long} is an option of ${ownersText(owners)}, and cert ${command.name()} has another option of that name.`,
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
    const value = parseField(any.field, String(text));
    checkField(name, any.field, value, catalog);
    return [[name, value] as const];
  });
  return asChoices(Object.fromEntries(given));
}

/** The error for two options that exclude each other. */
export const conflict = (problem: string, cure: string) => new CertError('bad-argument', problem, cure);

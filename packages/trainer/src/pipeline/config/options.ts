/** The options that things of a catalog have: which there are, which of them a run uses, and what they are set to. */
import { CertError } from '@cert/core';
import { type Catalog, standardCatalog } from '../catalog/catalog.js';
import { type Entry, makeEntry, optionsOfEntry, type Table } from '../catalog/entry.js';
import { choose } from '../names.js';
import { type CommonField, type Field, type OptionValue, optionName } from './field.js';
import { FIELDS } from './fields.js';
import type { RunConfig } from './run-config.js';

/** The fields that name the catalog entries of a run. */
export type UsedNames = Pick<RunConfig, 'dataset' | 'model' | 'init' | 'optimizer' | 'objective' | 'regularizers'>;

/** The part of the catalog behind each of these fields, and what one entry is called. */
const PARTS = {
  dataset: { part: 'datasets', kind: 'dataset' },
  model: { part: 'models', kind: 'model' },
  init: { part: 'initializers', kind: 'initialization' },
  optimizer: { part: 'optimizers', kind: 'optimizer' },
  objective: { part: 'objectives', kind: 'objective' },
  regularizers: { part: 'regularizers', kind: 'regularizer' },
} as const satisfies { readonly [K in keyof UsedNames]: { readonly part: keyof Catalog; readonly kind: string } };

/** The fields of {@link PARTS}. */
const NAMED = Object.keys(PARTS) as (keyof UsedNames)[];

/** A catalog entry that has an option. */
export interface Owner {
  /** The field that names it. */
  readonly field: keyof UsedNames;
  /** The part of the catalog that it is in. */
  readonly part: (typeof PARTS)[keyof UsedNames]['part'];
  /** Its name. */
  readonly name: string;
}

/** An option, and what has it. */
interface Option {
  /** The field. */
  readonly field: Field;
  /** What has it; several things may share it. */
  readonly owners: readonly Owner[];
}

/** Formats owners for messages: `the objective pgd`, `the models mlp, cnn7`. */
export const ownersText = (owners: readonly Owner[]): string =>
  NAMED.flatMap((field) => {
    const names = owners.filter((owner) => owner.field === field).map(({ name }) => name);
    return names.length === 0 ? [] : [`the ${PARTS[field].kind}${names.length === 1 ? '' : 's'} ${names.join(', ')}`];
  }).join(' and ');

/**
 * The options of everything in a catalog, by their names.
 *
 * @throws CertError `bad-argument` for two different options of one name, naming what has them, and for the name of a field of every run
 */
export function optionsOf(catalog: Pick<Catalog, (typeof PARTS)[keyof UsedNames]['part']>): Table<Option> {
  const options: { [name: string]: Option } = {};
  for (const field of NAMED) {
    for (const [name, entry] of Object.entries<unknown>(catalog[PARTS[field].part])) {
      for (const [option, declared] of Object.entries(optionsOfEntry(entry))) {
        const owner = { field, name, part: PARTS[field].part };
        if (TAKEN.includes(option)) throw clash(option, [owner], 'of every run');
        const { field: known = declared, owners = [] } = Object.hasOwn(options, option) ? options[option]! : {};
        if (!sameField(known, declared)) {
          throw clash(option, [owner], `of ${ownersText(owners.slice(0, 1))} that has another meaning`);
        }
        options[option] = { field: known, owners: [...owners, owner] };
      }
    }
  }
  return options;
}

/** Names that no option of one thing may have: those of the fields of a configuration. */
const TAKEN: readonly string[] = ['preset', 'method', 'plugins', 'options', ...Object.keys(FIELDS)];

const clash = (option: string, owners: readonly Owner[], what: string) =>
  new CertError(
    'bad-argument',
    `The option "${option}" (${optionName(option)}) of ${ownersText(owners)} has the name of an option ${what}.`,
    `Rename it in the plug-in, with the name of the part as a prefix: ${owners[0]!.name.replaceAll(/\W+(\w)/g, (_, letter: string) => letter.toUpperCase())}${option[0]!.toUpperCase()}${option.slice(1)}.`,
  );

/** Whether two declarations are the same option. Patterns are compared by their text. */
const sameField = (a: Field, b: Field): boolean => a === b || canonical(a) === canonical(b);
const canonical = (field: Field): string =>
  JSON.stringify(
    Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1)),
    (_, value) => (value instanceof RegExp ? String(value) : value),
  );

/** The options of what is built in. They are fields of a configuration; those of plug-ins are in `options`. */
export const BUILT_IN_OPTIONS: Table<Option> = optionsOf(standardCatalog);

/** The names of the things of one kind that a configuration uses. */
const usedNames = (config: UsedNames, field: keyof UsedNames): readonly string[] =>
  field === 'regularizers' ? config.regularizers.map((item) => item.split('*').at(-1)!) : [config[field]];

/**
 * The options that a run uses: those of its dataset, model, initialization, optimizer, objective and regularizers.
 *
 * @throws CertError `bad-argument` for an unknown name
 */
export function usedOptions(config: UsedNames, catalog: Catalog): Table<Field> {
  const all = NAMED.flatMap((field) => {
    const { part, kind } = PARTS[field];
    const table: Table<unknown> = catalog[part];
    return usedNames(config, field).flatMap((name) => Object.entries(optionsOfEntry(choose(kind, name, table))));
  });
  return Object.fromEntries(all);
}

/**
 * @param given names of the options chosen for this run
 * @throws CertError `bad-argument` for an option of an entry that the run does not use
 */
export function refuseUnused(given: readonly string[], config: UsedNames, catalog: Catalog): void {
  const used = usedOptions(config, catalog);
  const options = optionsOf(catalog);
  for (const name of given) {
    if (Object.hasOwn(used, name) || !Object.hasOwn(options, name)) continue;
    const { field, owners } = options[name]!;
    const fields = [...new Set(owners.map((owner) => owner.field))];
    const instead = fields.map((one) => {
      const { kind } = PARTS[one];
      const names = usedNames(config, one);
      return names.length === 0 ? `no ${kind}` : `the ${kind}${names.length === 1 ? '' : 's'} ${names.join(', ')}`;
    });
    throw new CertError(
      'bad-argument',
      `${optionName(name, field)} is an option of ${ownersText(owners)}, but this run has ${instead.join(' and ')}.`,
      `Leave it out, or choose ${owners.length === 1 ? '' : 'one of them: '}${fields.map((one) => `${optionName(one)} ${owners.length === 1 ? owners[0]!.name : 'NAME'}`).join(' or ')}.`,
    );
  }
}

/** What a configuration sets an option to: a field of it, or one of its `options`; else the default. */
export function valueOfOption(config: Partial<RunConfig>, name: string, field: Field): OptionValue {
  const values: { readonly [name: string]: unknown } = { ...config.options, ...config };
  return (values[name] === undefined ? field.default : values[name]) as OptionValue;
}

/** Creates the value of a catalog entry by name, with the option values of the configuration. */
export const makeNamed = <Context, Out>(
  kind: string,
  name: string,
  table: Table<Entry<Context, Out>>,
  config: Partial<RunConfig>,
  context: Context,
): Out => makeEntry(choose(kind, name, table), (option, field) => valueOfOption(config, option, field), context);

/** A field of every run, or an option of catalog entries with its owners. */
export interface AnyField {
  /** The field. */
  readonly field: CommonField;
  /** Entries that have the option; empty for a field of every run. */
  readonly owners: readonly Owner[];
}

/** Returns all fields of a catalog by name; options of an entry follow the field that names the entry. */
export function fieldsOf(catalog: Catalog): Table<AnyField> {
  const options = Object.entries(optionsOf(catalog));
  return Object.fromEntries(
    Object.entries<CommonField>(FIELDS).flatMap(([name, field]): [string, AnyField][] => [
      [name, { field, owners: [] }],
      ...options.filter(([, { owners }]) => owners[0]!.field === name),
    ]),
  );
}

/** Converts values by field name to the form of a configuration, with plug-in options in `options`. */
export function asChoices(values: { readonly [name: string]: unknown }): { readonly [name: string]: unknown } {
  const own = (name: string) => TAKEN.includes(name) || Object.hasOwn(BUILT_IN_OPTIONS, name);
  const entries = Object.entries(values);
  const options = entries.filter(([name]) => !own(name));
  return {
    ...Object.fromEntries(entries.filter(([name]) => own(name))),
    ...(options.length > 0 && { options: Object.fromEntries(options) }),
  };
}

/** One option as plain data: its kind, its domain, its default, its help. Values are read and checked by what is here alone. */

import type { PerturbationSpec } from './perturbation-spec.js';

/** Value of an option, as written to `config.json`. */
export type OptionValue = string | number | boolean | null;

/** Properties of every kind of field. */
export interface FieldAbout {
  /** Help text: an imperative or a noun phrase with the unit. The default is added to it. */
  readonly help: string;
  /** Placeholder for the value in the help: `images` gives `--limit <images>`. Default by kind. */
  readonly placeholder?: string;
  /** Alias of the option, such as `--bn`, used in messages. */
  readonly alias?: `--${string}`;
  /** Whether the value may be null (`none` on the command line). */
  readonly orNone?: boolean;
  /** Value for runs written before the option existed. Without it, such a run is rejected. */
  readonly before?: unknown;
}

/** A finite number. */
export interface NumberField extends FieldAbout {
  /** Its kind. */
  readonly kind: 'number';
  /** Minimum value. */
  readonly min?: number;
  /** Maximum value. */
  readonly max?: number;
  /** The value must be greater than this. */
  readonly above?: number;
  /** Whether the value is a radius, written as 0.1 or 8/255. */
  readonly radius?: boolean;
}

/** A whole number. */
export interface IntegerField extends FieldAbout {
  /** Its kind. */
  readonly kind: 'integer';
  /** Minimum value. */
  readonly min?: number;
  /** Maximum value. */
  readonly max?: number;
}

/** `--name` or `--no-name`. */
export interface BooleanField extends FieldAbout {
  /** Its kind. */
  readonly kind: 'boolean';
}

/** One of several choices. */
export interface ChoiceField extends FieldAbout {
  /** Its kind. */
  readonly kind: 'choice';
  /** The choices. */
  readonly of: readonly string[];
  /** Meaning of each choice, for the help. */
  readonly about?: { readonly [word: string]: string };
  /** Kind of the value, for messages: `schedule` gives `There is no schedule "smoth".` */
  readonly what?: string;
}

/** Text, optionally restricted by a pattern. */
export interface TextField extends FieldAbout {
  /** Its kind. */
  readonly kind: 'text';
  /** Pattern that the text must match. */
  readonly pattern?: RegExp;
  /** Expected value, for messages: `a folder`. */
  readonly wanted?: string;
}

/** A field with a default. */
export interface WithDefault {
  /** Value if none is chosen. */
  readonly default: OptionValue;
}

/** An option of an objective, regularizer, dataset, model, initialization or optimizer. Plain data. */
export type Field = (NumberField | IntegerField | BooleanField | ChoiceField | TextField) & WithDefault;

/** Options of one catalog entry by names in camel case: `smoothKappa` is `--smooth-kappa`. */
export type Fields = { readonly [name: string]: Field };

/** Parts of a catalog whose entries a configuration names. */
export type Part =
  | 'datasets'
  | 'models'
  | 'initializers'
  | 'optimizers'
  | 'objectives'
  | 'boundMethods'
  | 'regularizers';

/** The names that a configuration may use. */
export type Tables = { readonly [K in Part]: { readonly [name: string]: unknown } };

/** A name in a part of the catalog. */
export interface NameField extends FieldAbout {
  /** Its kind. */
  readonly kind: 'name';
  /** The part. */
  readonly of: Part;
  /** What is chosen, for messages. */
  readonly what: string;
  /** Aliases of names: `{ he: 'kaiming' }`. */
  readonly aliases?: { readonly [alias: string]: string };
}

/** Names in a part of the catalog, each alone or as `weight*name`. */
export interface WeightedField extends FieldAbout {
  /** Its kind. */
  readonly kind: 'weighted';
  /** The part. */
  readonly of: Part;
  /** What one of them is, for messages. */
  readonly what: string;
}

/** Comma-separated numbers. */
export interface NumbersField extends FieldAbout {
  /** Its kind. */
  readonly kind: 'numbers';
  /** Minimum of each number. */
  readonly min: number;
  /** Expected value, for messages. */
  readonly wanted: string;
}

/** A perturbation set, as JSON. */
export interface PerturbationField extends FieldAbout {
  /** Its kind. */
  readonly kind: 'perturbation';
}

/** A field with an optional default; without a default, each preset gives a value. */
export interface MaybeDefault {
  /** Value if none is chosen. */
  readonly default?: OptionValue | readonly string[] | readonly number[];
}

/** A field of every configuration. */
export type CommonField = (
  | NumberField
  | IntegerField
  | BooleanField
  | ChoiceField
  | TextField
  | NameField
  | WeightedField
  | NumbersField
  | PerturbationField
) &
  MaybeDefault;

/** A field whose value may be null. */
export interface OrNone {
  /** `none` on the command line. */
  readonly orNone: true;
}

/** The type of a field's values. */
export type ValueOf<F extends CommonField> =
  | (F extends ChoiceField
      ? F['of'][number]
      : F extends NumberField | IntegerField
        ? number
        : F extends BooleanField
          ? boolean
          : F extends WeightedField
            ? readonly string[]
            : F extends NumbersField
              ? readonly number[]
              : F extends PerturbationField
                ? PerturbationSpec
                : string)
  | (F extends OrNone ? null : never);

/** The values of fields by their names. */
export type ValuesOf<F extends { readonly [name: string]: CommonField }> = { readonly [K in keyof F]: ValueOf<F[K]> };

/** Returns the name of an option on the command line: `smoothKappa` is `--smooth-kappa`, unless the option has an alias. */
export const optionName = (name: string, { alias }: Pick<FieldAbout, 'alias'> = {}): string =>
  alias ?? `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

const PLACEHOLDERS: { readonly [K in Exclude<CommonField['kind'], 'boolean'>]: string } = {
  number: 'number',
  integer: 'n',
  choice: 'name',
  text: 'text',
  name: 'name',
  weighted: 'names',
  numbers: 'numbers',
  perturbation: 'file',
};

/** Returns the flags of a field for commander: `--bn, --batch-norm <where>`; two for a boolean. */
export function flagsOf(name: string, field: CommonField): readonly string[] {
  const long = optionName(name);
  const names = field.alias === undefined ? long : `${field.alias}, ${long}`;
  return field.kind === 'boolean'
    ? [names, long.replace('--', '--no-')]
    : [`${names} <${field.placeholder ?? PLACEHOLDERS[field.kind]}>`];
}

/** Returns the choices or names that a field takes; empty for other fields. */
export function namesOf(field: CommonField, tables: Tables): readonly string[] {
  if (field.kind === 'choice') return field.of;
  return field.kind === 'name' || field.kind === 'weighted' ? Object.keys(tables[field.of]) : [];
}

/** Returns the list of choices or names that the help appends to the text of a field. */
export function choicesOf(field: CommonField, tables: Tables): string {
  const about = field.kind === 'choice' ? (field.about ?? {}) : {};
  const names = namesOf(field, tables).map((name) => (Object.hasOwn(about, name) ? `${name} (${about[name]})` : name));
  return names.length === 0 ? '' : `: ${names.join(', ')}`;
}

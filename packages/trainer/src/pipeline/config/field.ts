/** One option as plain data: its kind, its domain, its default, its help. Values are read and checked by what is here alone. */
import { CertError, describeValue } from '@cert/core';
import { choose, unknownName } from '../names.js';

/** What an option may be set to. It is written to `config.json`. */
export type OptionValue = string | number | boolean | null;

/** What every kind of field says. */
export interface FieldAbout {
  /** Help text: an imperative or a noun phrase with the unit. The default is added to it. */
  readonly help: string;
  /** What the help shows in place of the value: `images` gives `--limit <images>`. Default by kind. */
  readonly placeholder?: string;
  /** A further flag, such as `--bn`; messages use it. */
  readonly alias?: `--${string}`;
  /** Whether the value may be null, written `none`. */
  readonly orNone?: boolean;
  /** The value of a run that was written before the option existed. Without it, such a run is refused. */
  readonly before?: unknown;
}

/** A finite number. */
export interface NumberField extends FieldAbout {
  /** Its kind. */
  readonly kind: 'number';
  /** The least value. */
  readonly min?: number;
  /** The largest value. */
  readonly max?: number;
  /** The value must be greater than this. */
  readonly above?: number;
}

/** A whole number. */
export interface IntegerField extends FieldAbout {
  /** Its kind. */
  readonly kind: 'integer';
  /** The least value. */
  readonly min?: number;
  /** The largest value. */
  readonly max?: number;
}

/** `--name` or `--no-name`. */
export interface BooleanField extends FieldAbout {
  /** Its kind. */
  readonly kind: 'boolean';
}

/** One of a few words. */
export interface ChoiceField extends FieldAbout {
  /** Its kind. */
  readonly kind: 'choice';
  /** The words. */
  readonly of: readonly string[];
  /** What is chosen, for messages: `schedule` gives `There is no schedule "smoth".` */
  readonly what?: string;
}

/** Any text, or one that a pattern matches. */
export interface TextField extends FieldAbout {
  /** Its kind. */
  readonly kind: 'text';
  /** What the text must match. */
  readonly pattern?: RegExp;
  /** What to give, for messages: `a folder`. */
  readonly wanted?: string;
}

/** What a field is when nothing is chosen. */
export interface WithDefault {
  /** The value unless another one is chosen. */
  readonly default: OptionValue;
}

/** An option of an objective, regularizer, dataset, model, initialization or optimizer. Plain data. */
export type Field = (NumberField | IntegerField | BooleanField | ChoiceField | TextField) & WithDefault;

/** The options of one thing by their names in camel case: `smoothKappa` is `--smooth-kappa`. */
export type Fields = { readonly [name: string]: Field };

/** The parts of a catalog that a configuration names something of. */
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
}

/** Names in a part of the catalog, each alone or as `weight*name`. */
export interface WeightedField extends FieldAbout {
  /** Its kind. */
  readonly kind: 'weighted';
  /** The part. */
  readonly of: Part;
}

/** Numbers with commas between them. */
export interface NumbersField extends FieldAbout {
  /** Its kind. */
  readonly kind: 'numbers';
  /** The least value of each. */
  readonly min: number;
  /** What to give, for messages. */
  readonly wanted: string;
}

/** The default of a field that may have none: then each preset gives a value. */
export interface MaybeDefault {
  /** The value unless another one is chosen. */
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
              : string)
  | (F extends OrNone ? null : never);

/** The values of fields by their names. */
export type ValuesOf<F extends { readonly [name: string]: CommonField }> = { readonly [K in keyof F]: ValueOf<F[K]> };

/** The name of an option on the command line: `smoothKappa` is `--smooth-kappa`, unless it has an alias. */
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
};

/** The flags of a field, as commander takes them: `--bn, --batch-norm <where>`; two for a boolean. */
export function flagsOf(name: string, field: CommonField): readonly string[] {
  const long = optionName(name);
  const names = field.alias === undefined ? long : `${field.alias}, ${long}`;
  return field.kind === 'boolean'
    ? [names, long.replace('--', '--no-')]
    : [`${names} <${field.placeholder ?? PLACEHOLDERS[field.kind]}>`];
}

/** What a field's help says after its own text: the words or names to choose from. */
export function choicesOf(field: CommonField, tables: Tables): string {
  if (field.kind === 'choice') return `: ${field.of.join(', ')}`;
  if (field.kind === 'name' || field.kind === 'weighted') return `: ${Object.keys(tables[field.of]).join(', ')}`;
  return '';
}

/** A number from the command line, `8/255` too; text that is none stays as it is and fails its check. */
const toNumber = (text: string): unknown => {
  const parts = text.split('/').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  const [number = Number.NaN, divisor = 1] = parts;
  return parts.length > 2 || Number.isNaN(number / divisor) ? text : number / divisor;
};

const items = (text: string) => text.split(',').map((item) => item.trim());

/** Whether `none` stands for null, or for an empty list: not where it is one of the words to choose from. */
const hasNone = (field: CommonField): boolean =>
  field.kind === 'weighted' ||
  field.kind === 'numbers' ||
  (field.orNone === true && !(field.kind === 'choice' && field.of.includes('none')));

/** A value from the command line. It need not be valid. */
export function parseField(field: CommonField, text: string): unknown {
  if (text === 'none' && hasNone(field)) return field.orNone ? null : [];
  switch (field.kind) {
    case 'number':
    case 'integer':
      return toNumber(text);
    case 'boolean':
      return text === 'true' || (text === 'false' ? false : text);
    case 'weighted':
      return items(text);
    case 'numbers':
      return items(text).map(toNumber);
    default:
      return text;
  }
}

/**
 * Checks a value of a field.
 *
 * @param tables the names that it may use
 * @throws CertError `bad-argument` naming the option, what was given and what is expected
 */
export function checkField(name: string, field: CommonField, value: unknown, tables: Tables): void {
  if (value === null && field.orNone) return;
  if (field.kind === 'name') {
    choose(field.what, asName(value), tables[field.of]);
    return;
  }
  if (field.kind === 'choice' && field.what !== undefined) {
    if (!field.of.includes(asName(value))) throw unknownName(field.what, asName(value), field.of);
    return;
  }
  if (fits(field, value, tables)) return;
  const got = describeValue(value);
  const none = hasNone(field) ? ', or none' : '';
  throw new CertError(
    'bad-argument',
    `${optionName(name, field)} is ${got}.`,
    `Give ${wantedOf(field, tables)}${none}.`,
  );
}

/** A value as a name; what is no text as JSON, which is the name of nothing. */
const asName = (value: unknown): string => (typeof value === 'string' ? value : describeValue(value));

const within = (
  value: number,
  { min = -Number.MAX_VALUE, max = Number.MAX_VALUE }: { readonly min?: number; readonly max?: number },
): boolean => value >= min && value <= max;

function fits(field: Exclude<CommonField, NameField>, value: unknown, tables: Tables): boolean {
  switch (field.kind) {
    case 'number':
      return typeof value === 'number' && within(value, field) && value > (field.above ?? Number.NEGATIVE_INFINITY);
    case 'integer':
      return typeof value === 'number' && Number.isSafeInteger(value) && within(value, field);
    case 'boolean':
      return typeof value === 'boolean';
    case 'choice':
      return typeof value === 'string' && field.of.includes(value);
    case 'text':
      return typeof value === 'string' && (field.pattern?.test(value) ?? true);
    case 'weighted':
      return (
        Array.isArray(value) && value.every((item) => typeof item === 'string' && isWeighted(item, tables[field.of]))
      );
    case 'numbers':
      return Array.isArray(value) && value.every((item) => typeof item === 'number' && within(item, field));
    default:
      return field satisfies never;
  }
}

/** Whether a text is a name in a table, or weight*name. */
function isWeighted(item: string, table: { readonly [name: string]: unknown }): boolean {
  const [name = '', weight = '1', ...rest] = item.split('*').reverse();
  const factor = toNumber(weight);
  return rest.length === 0 && Object.hasOwn(table, name) && typeof factor === 'number' && within(factor, { min: 0 });
}

function wantedOf(field: Exclude<CommonField, NameField>, tables: Tables): string {
  switch (field.kind) {
    case 'number': {
      const { min, max, above } = field;
      if (min !== undefined && max !== undefined) return `a number from ${min} to ${max}`;
      if (above !== undefined) return max === undefined ? `a number > ${above}` : `a number > ${above}, at most ${max}`;
      if (max !== undefined) return `a number <= ${max}`;
      return min === undefined ? 'a finite number' : `a finite number >= ${min}`;
    }
    case 'integer': {
      const { min, max } = field;
      if (min !== undefined && max !== undefined) return `a whole number from ${min} to ${max}`;
      if (max !== undefined) return `a whole number of at most ${max}`;
      return min === undefined ? 'a whole number' : `a whole number of at least ${min}`;
    }
    case 'boolean':
      return 'true or false';
    case 'choice':
      return `one of ${field.of.join(', ')}`;
    case 'text':
      return field.wanted ?? (field.pattern === undefined ? 'a text' : `a text that matches ${field.pattern}`);
    case 'weighted':
      return `names out of ${Object.keys(tables[field.of]).join(', ')}, each alone or as weight*name`;
    case 'numbers':
      return field.wanted;
    default:
      return field satisfies never;
  }
}

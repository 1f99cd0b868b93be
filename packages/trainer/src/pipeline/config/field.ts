/** One option as plain data: its kind, its domain, its default, its help. Values are read and checked by what is here alone. */

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
  /** Whether it is a radius, which people write as 0.1 or as 8/255. */
  readonly radius?: boolean;
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
  /** What each word means, for the help. */
  readonly about?: { readonly [word: string]: string };
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
  /** Other words for names: `{ he: 'kaiming' }`. */
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

/** The words or names to choose from; none where a field takes other values. */
export function namesOf(field: CommonField, tables: Tables): readonly string[] {
  if (field.kind === 'choice') return field.of;
  return field.kind === 'name' || field.kind === 'weighted' ? Object.keys(tables[field.of]) : [];
}

/** What a field's help says after its own text: the words or names to choose from. */
export function choicesOf(field: CommonField, tables: Tables): string {
  const about = field.kind === 'choice' ? (field.about ?? {}) : {};
  const names = namesOf(field, tables).map((name) => (Object.hasOwn(about, name) ? `${name} (${about[name]})` : name));
  return names.length === 0 ? '' : `: ${names.join(', ')}`;
}

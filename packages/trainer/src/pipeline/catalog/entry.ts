import type { Field, Fields, OptionValue, ValuesOf } from '../config/field.js';

/** Values by the names that options of the command take. */
export type Table<T> = { readonly [name: string]: T };

/** Something that a name stands for, with the options that it has. {@link withOptions} makes one. */
export interface Configurable<F extends Fields, Context, Out> {
  /** Its options: each is an option of the command, and recorded in `config.json` when the run uses this. */
  readonly options: F;
  /** Makes it of the values of these options and of what the run knows. */
  make(options: ValuesOf<F>, context: Context): Out;
}

/** What a name stands for: a function of what the run knows, or one that takes options too. */
export type Entry<Context, Out> = ((context: Context) => Out) | Configurable<Fields, Context, Out>;

/**
 * Something with options of its own.
 *
 * @param options by their names in camel case: `smoothKappa` becomes `--smooth-kappa`. A name belongs to one option of all that is
 * loaded, so begin it with the name of the thing; several things may have equal options of the same name, which they share
 * @param make gets their values, typed and checked, and what the run knows
 */
export const withOptions = <const F extends Fields, Context, Out>(
  options: F,
  make: (options: ValuesOf<F>, context: Context) => Out,
): Configurable<F, Context, Out> => ({ options, make });

/** The options of an entry; a plain function has none. */
export const optionsOfEntry = (entry: unknown): Fields =>
  typeof entry === 'object' && entry !== null && 'options' in entry ? (entry.options as Fields) : {};

/** Makes what an entry stands for. @param valueOfOption the value of an option by its name */
export function makeEntry<Context, Out>(
  entry: Entry<Context, Out>,
  valueOfOption: (name: string, field: Field) => OptionValue,
  context: Context,
): Out {
  if (typeof entry === 'function') return entry(context);
  const values = Object.entries(entry.options).map(([name, field]) => [name, valueOfOption(name, field)] as const);
  return entry.make(Object.fromEntries(values) as ValuesOf<Fields>, context);
}

/** The options that entries of a table have, all of them, as a type. */
export type OptionsIn<T> = Merged<
  T[keyof T] extends infer E ? (E extends Configurable<infer F, never, unknown> ? F : never) : never
>;

/** An intersection of the members of a union. */
type Merged<U> = (U extends unknown ? (member: U) => void : never) extends (all: infer I) => void ? I : never;

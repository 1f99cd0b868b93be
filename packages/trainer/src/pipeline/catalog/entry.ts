import type { Field, Fields, OptionValue, ValuesOf } from '../config/field.js';

/** Values by the names used in options of the command. */
export type Table<T> = { readonly [name: string]: T };

/** A catalog entry with options, created by {@link withOptions}. */
export interface Configurable<F extends Fields, Context, Out> {
  /** Options of the entry: each is an option of the command, recorded in `config.json` if the run uses the entry. */
  readonly options: F;
  /** Creates the value from option values and the context of the run. */
  make(options: ValuesOf<F>, context: Context): Out;
}

/** A catalog entry: a function of the context of the run, with or without options. */
export type Entry<Context, Out> = ((context: Context) => Out) | Configurable<Fields, Context, Out>;

/**
 * Creates a catalog entry with options.
 *
 * @param options by their names in camel case: `smoothKappa` becomes `--smooth-kappa`. Option names are global, so start the name with the
 * name of the entry; entries can share an option if its declarations are equal
 * @param make gets the typed and checked option values and the context of the run
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

import { CertError, describeValue } from '@cert/core';
import { type Catalog, standardCatalog } from '../catalog/catalog.js';
import { unknownName } from '../names.js';
import { checkAveraging } from './averaging.js';
import { checkField } from './check-field.js';
import type { CommonField, Field, ValuesOf } from './field.js';
import { FIELDS } from './fields.js';
import { BUILT_IN_OPTIONS, optionsOf, usedOptions } from './options.js';
import { radiusText } from './radius.js';
import { checkRateSchedule } from './rate-schedule.js';
import type { PluginRecord, RunConfig, RunHeader } from './run-config.js';

/** Name of a field of every configuration. */
export type FieldName = keyof typeof FIELDS;

/** The names of {@link FIELDS}. */
export const FIELD_NAMES = Object.keys(FIELDS) as FieldName[];

const hasBefore = ([name, { before }]: readonly [string, CommonField]) =>
  before === undefined ? [] : [[name, before] as const];

/** What the fields of every configuration were before there was a choice. */
const COMMON_BEFORE = { plugins: [], options: {}, ...Object.fromEntries(Object.entries(FIELDS).flatMap(hasBefore)) };

/** What fields of a configuration, and options of what is built in, were before there was a choice. */
export const BEFORE: { readonly [name: string]: unknown } = {
  ...COMMON_BEFORE,
  ...Object.fromEntries(Object.entries(BUILT_IN_OPTIONS).flatMap(([name, { field }]) => hasBefore([name, field]))),
};

/**
 * Checks a complete configuration: every field and every used option is present and valid, none is unknown, and the fields are consistent.
 *
 * @param config such as the content of a `config.json`; fields added since it was written get their former value
 * @param source source, for messages
 * @param catalog catalog for the names in the configuration
 * @returns the complete configuration
 * @throws CertError `bad-argument` naming the field
 */
export function checkConfig(
  config: unknown,
  source = 'the configuration',
  catalog: Catalog = standardCatalog,
): RunConfig {
  checkForm(config, source);
  const whole: { readonly [name: string]: unknown } = { ...COMMON_BEFORE, ...config };
  for (const name of ['preset', 'method', ...FIELD_NAMES]) {
    if (!Object.hasOwn(whole, name)) throw missing(name, source);
  }
  checkPlugins(whole.plugins as readonly PluginRecord[], source, catalog);
  checkFields(whole, catalog);
  const values = withUsedOptions(whole as RunConfig, source, catalog);
  checkRateSchedule(values);
  if (values.warmStartSha256 !== null && values.warmStart === null) {
    throw new CertError(
      'bad-argument',
      '--warm-start-sha256 was given without --warm-start.',
      'Add --warm-start FILE, or leave out the SHA-256.',
    );
  }
  if (values.patience !== null && values.validation === 0) {
    throw new CertError(
      'bad-argument',
      `--patience is ${values.patience}, but no validation images are held out.`,
      'Add --validation 0.1, or leave out --patience: the test images must not decide when training stops.',
    );
  }
  const end = values.rampStart + values.rampLength - 1;
  if (end > values.epochs) {
    throw new CertError(
      'bad-argument',
      `The ramp ends after epoch ${end} but training ends after epoch ${values.epochs}, so the radius ${radiusText(values.epsilon)} is never reached.`,
      'Raise --epochs, or lower --ramp-start or --ramp-length.',
    );
  }
  checkAveraging(values);
  return values;
}

/** The fields that every configuration has. */
type CommonValues = ValuesOf<typeof FIELDS>;

/** @throws CertError `bad-argument` for the first field of every configuration whose value is outside its domain */
export function checkFields(
  config: { readonly [name: string]: unknown },
  catalog: Catalog,
): asserts config is CommonValues {
  for (const name of FIELD_NAMES) checkField(name, FIELDS[name], config[name], catalog);
}

/** The configuration with the options of all that it uses, each checked. One that was written before its option existed gets the value of that time. */
function withUsedOptions(config: RunConfig, source: string, catalog: Catalog): RunConfig {
  const used = usedOptions(config, catalog);
  const flat: { [name: string]: unknown } = { ...config };
  const options: { [name: string]: unknown } = { ...config.options };
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(BUILT_IN_OPTIONS, name) || !Object.hasOwn(used, name)) {
      throw unknownName(`option in ${source}`, name, Object.keys(optionsOf(catalog)));
    }
  }
  for (const [name, field] of Object.entries<Field>(used)) {
    const place = Object.hasOwn(BUILT_IN_OPTIONS, name) ? flat : options;
    if (place[name] === undefined) {
      if (field.before === undefined) throw missing(name, source);
      place[name] = field.before;
    }
    checkField(name, field, place[name], catalog);
  }
  // Of a run from the time when every configuration had the options of everything.
  for (const [name, { field }] of Object.entries(BUILT_IN_OPTIONS)) {
    if (Object.hasOwn(flat, name)) checkField(name, field, flat[name], catalog);
  }
  return { ...flat, options } as RunConfig;
}

const missing = (name: string, source: string) =>
  new CertError('bad-argument', `${source} lacks the field "${name}".`, 'Give the complete config.json of a run.');

const KNOWN: readonly string[] = [
  ...['preset', 'method', 'plugins', 'options'],
  ...FIELD_NAMES,
  ...Object.keys(BUILT_IN_OPTIONS),
];

/**
 * Checks what can be checked of a configuration before the plug-ins that it names are loaded: it is an object without unknown fields,
 * `preset` and `method` are names, `plugins` is a list of records, `options` is an object of plain values.
 *
 * @throws CertError `bad-argument` naming the field
 */
export function checkForm(config: unknown, source: string): asserts config is { readonly [field: string]: unknown } {
  if (!isObject(config)) {
    throw new CertError('bad-argument', `${source} is not a JSON object.`, 'Give the config.json of a run.');
  }
  const fields: { readonly [field: string]: unknown } = { ...config };
  for (const name of Object.keys(fields)) {
    if (!KNOWN.includes(name)) throw unknownName(`field in ${source}`, name, KNOWN);
  }
  headerOf(fields, source);
}

/**
 * Returns the header of a (partial) configuration: preset, method, plug-ins and the options of plug-ins.
 *
 * @param source source, for messages
 * @throws CertError `bad-argument` for a preset or method that is not a string, plug-ins that are not a list of records, options that are
 * not plain values
 */
export function headerOf(
  { preset, method, plugins = [], options = {} }: { readonly [field: string]: unknown },
  source: string,
): Partial<RunHeader> {
  const notText = (name: string, value: unknown) =>
    new CertError('bad-argument', `${source} has the ${name} ${describeValue(value)}.`, `Give the name of a ${name}.`);
  if (!isTextOrMissing(preset)) throw notText('preset', preset);
  if (!isTextOrMissing(method)) throw notText('method', method);
  if (!Array.isArray(plugins) || !plugins.every(isPluginRecord)) {
    throw new CertError(
      'bad-argument',
      `${source} has plugins ${describeValue(plugins)}.`,
      'Give a list of { name, module, version }, as in the config.json of a run.',
    );
  }
  if (!isOptions(options)) {
    throw new CertError(
      'bad-argument',
      `${source} has options ${describeValue(options)}.`,
      'Give an object of strings, numbers, booleans and null, as in the config.json of a run.',
    );
  }
  return { ...(preset !== undefined && { preset }), ...(method !== undefined && { method }), plugins, options };
}

const isTextOrMissing = (value: unknown): value is string | undefined =>
  value === undefined || typeof value === 'string';

const isOptions = (value: unknown): value is RunHeader['options'] =>
  isObject(value) && Object.values(value).every((one) => one === null || typeof one !== 'object');

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isPluginRecord(item: unknown): item is PluginRecord {
  const { name, module, version } = (item ?? {}) as Partial<PluginRecord>;
  const textOrNull = (value: unknown) => value === null || typeof value === 'string';
  return typeof name === 'string' && textOrNull(module) && textOrNull(version);
}

/** @throws CertError `bad-argument` for a plug-in that is not in the catalog */
function checkPlugins(plugins: readonly PluginRecord[], source: string, catalog: Catalog): void {
  const lacking = plugins.find(({ name }) => !catalog.plugins.some((plugin) => plugin.name === name));
  if (lacking === undefined) return;
  throw new CertError(
    'bad-argument',
    `${source} needs the plug-in ${describeValue(lacking.name)}, which was not passed in.`,
    'Give a catalog that contains the plug-in: withPlugins([plugin]).',
  );
}

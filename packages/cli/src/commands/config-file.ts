/** Settings of a run from the file of `--config`. */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CertError } from '@cert/core';
import {
  asChoices,
  type Catalog,
  type Choices,
  type CommonField,
  checkField,
  choose,
  fieldsOf,
  headerOf,
  type Owner,
  type PluginRecord,
  PRESET_NAMES,
  PRESETS,
  parseField,
  type RunConfig,
  resolveConfig,
  unknownName,
} from '@cert/trainer/pipeline';
import { canonical, valueText } from './options.js';

/** Values by the names of fields; those of plug-ins are beside the others. */
export type Values = { readonly [name: string]: unknown };

/** What a file says. */
export interface ConfigFile {
  readonly preset?: string | undefined;
  readonly method?: string | undefined;
  readonly plugins: readonly PluginRecord[];
  readonly values: Values;
  /** The place of a field, for messages: `run.yaml, line 3`. */
  readonly at: (name: string) => string;
  /** The folder of the file, from which files that it names are found. */
  readonly folder: string;
}

/** The content of a file of settings. */
export interface SettingsDocument {
  readonly content: Values;
  /** The place of a key, by the keys that lead to it, for messages: `run.yaml, line 3`; the file where there is no such key. */
  readonly at: (...keys: readonly string[]) => string;
}

/**
 * Reads a file of settings in JSON or YAML.
 *
 * @param cure what to give instead, for messages
 * @throws CertError `bad-file` when it cannot be read, with the line where it is damaged or a key occurs twice
 */
export async function readSettings(file: string, cure: string): Promise<SettingsDocument> {
  const fail = (problem: string, cause?: unknown) => new CertError('bad-file', problem, cure, { cause });
  const text = await readFile(file, 'utf8').catch((cause) => {
    throw fail(`${file} cannot be read: ${cause instanceof Error ? cause.message : cause}.`, cause);
  });
  const { isMap, isScalar, LineCounter, parseDocument } = await import('yaml');
  const lineCounter = new LineCounter();
  const place = (offset: number) => `${file}, line ${lineCounter.linePos(offset).line}`;
  // JSON is YAML. An alias multiplies what it stands for, and no setting needs one.
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) throw fail(`${place(error.pos[0])}: ${error.message}.`, error);
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 0 });
  } catch (cause) {
    throw fail(`${file} contains a YAML alias (*name).`, cause);
  }
  if (!isRecord(content)) throw fail(`${file} contains no settings.`);
  const at = (...keys: readonly string[]) => {
    const map = keys.length === 1 ? document.contents : document.getIn(keys.slice(0, -1));
    const items = isMap(map) ? map.items : [];
    const key = items.map((item) => item.key).find((each) => isScalar(each) && each.value === keys.at(-1));
    return isScalar(key) ? place(key.range?.[0] ?? 0) : file;
  };
  return { content, at };
}

/** What to do about a file that cannot be read. */
const CURE = 'Give settings in JSON or YAML, in the format that --print-config prints.';

/**
 * Reads a configuration, or a part of one, in JSON or YAML.
 *
 * @throws CertError `bad-file` when it cannot be read, with the line where it is damaged; `bad-argument` for a preset, method or plug-ins
 * of another form
 */
export async function readConfigFile(file: string): Promise<ConfigFile> {
  const { content, at } = await readSettings(file, CURE);
  return configIn(content, file, at);
}

/**
 * A configuration, or a part of one, that is in a file.
 *
 * @param at the place of a key of it, by the keys that lead to it
 * @throws CertError `bad-argument` for a preset, method or plug-ins of another form
 */
export function configIn(content: Values, file: string, at: SettingsDocument['at']): ConfigFile {
  const { plugins = [], options = {}, preset, method } = headerOf(content, file);
  const fields = Object.entries({ ...content, ...options }).filter(([name]) => !HEADER.includes(name));
  return {
    preset,
    method,
    plugins,
    values: Object.fromEntries(fields),
    at: (name) => (Object.hasOwn(options, name) ? at('options', name) : at(name)),
    folder: dirname(file),
  };
}

const HEADER: readonly string[] = ['preset', 'method', 'plugins', 'options'];

/** Whether a value is an object of JSON. */
export const isRecord = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * What a file chooses, with the choices of the command line in front. What a file merely repeats of its preset and method is no choice: with
 * another preset, method, dataset or number of epochs on the command line, such values are those of that one.
 *
 * @throws CertError `bad-argument` naming the field and its line
 */
export function withFile(file: ConfigFile, given: Choices, catalog: Catalog): Choices {
  const values = valuesIn(file, catalog);
  const chosen = choicesIn(file, values, catalog);
  const front = flat(given);
  // The radius of a file that names its dataset is meant for that one, also where it is usual.
  const own = Object.hasOwn(chosen, 'dataset') && front.dataset === undefined && Object.hasOwn(values, 'epsilon');
  const both = { ...chosen, ...(own && { epsilon: values.epsilon }), ...front };
  const ofNames = Object.entries(both).filter(([name]) => NAMES.includes(name));
  const names = resolveConfig(asChoices(Object.fromEntries(ofNames)), catalog);
  // An option of the file goes with the thing that the command line replaces.
  return asChoices({ ...usedValues(both, names, catalog), ...front });
}

/** The values of fields that every run has, and of options of what a run uses. */
export function usedValues(values: Values, config: RunConfig, catalog: Catalog): Values {
  const fields = fieldsOf(catalog);
  const unused = (name: string) => {
    const { owners = [] } = Object.hasOwn(fields, name) ? fields[name]! : {};
    return owners.length > 0 && !owners.some((owner) => isUsed(owner, config));
  };
  return Object.fromEntries(Object.entries(values).filter(([name]) => !unused(name)));
}

/** The fields that name things. */
export const NAMES: readonly string[] = [
  ...['preset', 'method', 'dataset', 'model', 'init', 'optimizer', 'objective', 'regularizers'],
];

/** The fields that change what is usual for others: the radius, the ramp. */
const CHANGE_OTHERS: readonly string[] = ['dataset', 'epochs'];

const isUsed = ({ field, name }: Owner, config: RunConfig): boolean =>
  field === 'regularizers'
    ? config.regularizers.some((item) => item.split('*').at(-1) === name)
    : config[field] === name;

/** What a file says and its preset and method do not; alone it must be right. */
function choicesIn(file: ConfigFile, values: Values, catalog: Catalog): Values {
  const preset = canonical(file.preset, PRESETS);
  const method = canonical(file.method, catalog.methods);
  if (preset !== undefined) placed(file.at('preset'), () => choose('preset', preset, PRESETS, PRESET_NAMES));
  if (method !== undefined) placed(file.at('method'), () => choose('method', method, catalog.methods));
  const { dataset, epochs } = values;
  const usual = flat(resolveConfig({ preset, method }, catalog));
  const base = flat(resolveConfig(asChoices({ preset, method, dataset, epochs }), catalog));
  const chosen = Object.entries(values).filter(
    ([name, value]) => !same(value, CHANGE_OTHERS.includes(name) ? usual[name] : base[name]),
  );
  const choices = { preset, method, ...Object.fromEntries(chosen) };
  resolveConfig(asChoices(choices), catalog);
  return choices;
}

/** The fields of a file, texts read as those of the command line. @throws CertError `bad-argument` naming the field and its line */
function valuesIn({ values, at, folder }: ConfigFile, catalog: Catalog): Values {
  const fields = fieldsOf(catalog);
  const known = [...Object.keys(fields), ...HEADER];
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      if (!Object.hasOwn(fields, name)) throw unknownName(`field in ${at(name)}:`, name, known);
      return [name, readValue(name, fields[name]!.field, value, { at: at(name), folder, catalog })] as const;
    }),
  );
}

/** Where a value is. */
interface Where {
  /** For messages. */
  readonly at: string;
  /** The folder of the file, from which files that it names are found. */
  readonly folder: string;
  readonly catalog: Catalog;
}

/** A value of a field in a file, a text read as that of the command line. @throws CertError `bad-argument` naming the field and its line */
export function readValue(name: string, field: CommonField, value: unknown, { at, folder, catalog }: Where): unknown {
  const text = hasItems(field) && Array.isArray(value) && value.length > 0 ? value.join(',') : value;
  const read = typeof text === 'string' ? parseField(field, valueText(name, field, text, folder), catalog) : text;
  placed(at, () => checkField(name, field, read, catalog));
  return read;
}

/** Runs `check`; an error begins with the place. */
function placed(place: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    throw error instanceof CertError ? new CertError(error.code, `${place}: ${error.problem}`, error.cure) : error;
  }
}

/** Whether the values of a field are lists, which the command line takes with commas. */
const hasItems = ({ kind }: CommonField) => kind === 'weighted' || kind === 'numbers';

/** Choices by the names of fields, those of plug-ins beside the others. */
const flat = ({ options = {}, ...fields }: Choices): Values =>
  Object.fromEntries(Object.entries({ ...fields, ...options }).filter(([, value]) => value !== undefined));

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

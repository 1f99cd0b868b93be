import type { RulesByOp } from '@cert/bounds';
import { type BoundMethod, CertError } from '@cert/core';
import type { Catalog } from '../catalog/catalog.js';
import type { Table } from '../catalog/entry.js';
import type { RunConfig } from '../config/run-config.js';
import { unknownName } from '../names.js';
import { optionsProblem } from './field-problem.js';

/**
 * A plug-in: values that a package adds to the command, by name. Loading has no side effects. `cert train --plugin MODULE` takes a module
 * whose default export is a plug-in; in code, pass the plug-in to {@link withPlugins}.
 */
export interface Plugin {
  /** Name in messages and `config.json`; usually the package name. */
  readonly name: string;
  /** Rules of new ops, declared in `OpMap` of `@cert/core`. */
  readonly ops?: RulesByOp;
  /** For `--bound`, for `cert eval --methods`, and for `--method`, where the name selects training like `vanilla` with these bounds. */
  readonly boundMethods?: Table<BoundMethod>;
  /** For `--method`: the settings of each method; the preset sets all others. */
  readonly methods?: Table<Partial<RunConfig>>;
  /** For `--objective`. */
  readonly objectives?: Catalog['objectives'];
  /** For `--regularizers`. */
  readonly regularizers?: Catalog['regularizers'];
  /** For `--model`. */
  readonly models?: Catalog['models'];
  /** For `--dataset`. */
  readonly datasets?: Catalog['datasets'];
  /** For `--init`. */
  readonly initializers?: Catalog['initializers'];
  /** For `--optimizer`. */
  readonly optimizers?: Catalog['optimizers'];
}

/** Parts of a plug-in, each with a check of its entries. */
export const PARTS: {
  readonly [K in Exclude<keyof Plugin, 'name'>]-?: (entry: unknown, name: string) => string | undefined;
} = {
  ops: (entry) => {
    if (!isRecord(entry) || typeof entry.natural !== 'function') return 'an object with a rule "natural"';
    const extra = Object.entries(entry).find(([table, rule]) => !TABLES.includes(table) || typeof rule !== 'function');
    return (
      extra && `an object whose only properties are rules named ${TABLES.join(', ')}; "${extra[0]}" is none of them`
    );
  },
  boundMethods: (entry, name) => {
    if (!isRecord(entry) || typeof entry.bound !== 'function')
      return 'an object with a function "bound" (a BoundMethod)';
    return entry.name === name
      ? undefined
      : `a method with the same name, but its name is ${JSON.stringify(entry.name)}`;
  },
  methods: (entry) => (isRecord(entry) ? undefined : 'an object of settings, such as { objective: "robust" }'),
  objectives: anEntry,
  regularizers: anEntry,
  models: anEntry,
  datasets: anEntry,
  initializers: anEntry,
  optimizers: anEntry,
};

const TABLES: readonly string[] = ['natural', 'ibp', 'lines', 'linearRelaxation'];

/** A function, or one with options. */
function anEntry(entry: unknown): string | undefined {
  if (typeof entry === 'function') return undefined;
  if (!isRecord(entry) || typeof entry.make !== 'function') return 'a function, or withOptions(options, make)';
  return optionsProblem(entry.options);
}

const isRecord = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
};

/**
 * Checks that a value has the form of a plug-in.
 *
 * @param source source, for messages
 * @throws CertError `bad-argument` saying what is there, and what should be
 */
export function checkPlugin(value: unknown, source: string): Plugin {
  const fail = (problem: string, cure: string) => new CertError('bad-argument', `${source}: ${problem}.`, cure);
  if (!isRecord(value)) {
    throw fail(
      `the plug-in is ${kindOf(value)}`,
      'A plug-in is an object: export default { name: "my-plugin", boundMethods: { ... } }.',
    );
  }
  if (typeof value.name !== 'string' || value.name === '') {
    throw fail(
      `the name of the plug-in is ${JSON.stringify(value.name)}`,
      'Give the plug-in a name: { name: "my-plugin", ... }.',
    );
  }
  for (const part of Object.keys(value)) {
    if (part !== 'name' && !Object.hasOwn(PARTS, part)) {
      throw unknownName(`part of a plug-in (${source})`, part, ['name', ...Object.keys(PARTS)]);
    }
  }
  for (const [part, problemOf] of Object.entries(PARTS)) {
    const table = value[part];
    if (table === undefined) continue;
    if (!isRecord(table)) throw fail(`${part} is ${kindOf(table)}`, `Give an object: ${part}: { NAME: ... }.`);
    for (const [name, entry] of Object.entries(table)) {
      const wanted = problemOf(entry, name);
      if (wanted !== undefined) throw fail(`${part}.${name} is ${kindOf(entry)}`, `It must be ${wanted}.`);
    }
  }
  return value as { readonly name: string };
}

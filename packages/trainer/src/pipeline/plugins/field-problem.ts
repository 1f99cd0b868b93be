import { CertError } from '@cert/core';
import { checkField } from '../config/check-field.js';
import type { Field, OptionValue, Tables } from '../config/field.js';

/** What each kind of field may say besides what all of them do. */
const KINDS: { readonly [K in Field['kind']]: readonly string[] } = {
  number: ['min', 'max', 'above', 'radius'],
  integer: ['min', 'max'],
  boolean: [],
  choice: ['of', 'what', 'about'],
  text: ['pattern', 'wanted'],
};

const EVERY = ['kind', 'help', 'default', 'placeholder', 'alias', 'orNone', 'before'];

const isRecord = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A field names nothing of a catalog: those that do are not for plug-ins. */
const NO_NAMES: Tables = {
  ...{ datasets: {}, models: {}, initializers: {}, optimizers: {} },
  ...{ objectives: {}, boundMethods: {}, regularizers: {} },
};

/** What is wrong with the options that a plug-in declares, in the words that stand behind "It must be"; `undefined` if nothing is. */
export function optionsProblem(options: unknown): string | undefined {
  if (!isRecord(options))
    return 'an object with options, an object of fields: { options: { NAME: { kind: "number", ... } } }';
  for (const [name, field] of Object.entries(options)) {
    const problem = fieldProblem(name, field);
    if (problem !== undefined) return `an object whose option "${name}" ${problem}`;
  }
  return undefined;
}

function fieldProblem(name: string, field: unknown): string | undefined {
  if (!/^[a-z][a-zA-Z0-9]*$/.test(name)) return 'has a name in camel case, such as smoothKappa';
  const kinds = Object.keys(KINDS);
  if (!isRecord(field) || typeof field.kind !== 'string' || !kinds.includes(field.kind)) {
    return `has a kind, one of ${kinds.join(', ')}`;
  }
  const own = KINDS[field.kind as Field['kind']];
  const unknown = Object.keys(field).find((key) => !EVERY.includes(key) && !own.includes(key));
  if (unknown !== undefined) {
    return `has only the properties ${[...EVERY, ...own].join(', ')}: "${unknown}" is not a property of a ${field.kind} option`;
  }
  if (typeof field.help !== 'string' || field.help === '') return 'has a help text';
  if (field.alias !== undefined && !/^--[a-z][a-z0-9-]*$/.test(String(field.alias))) {
    return 'has no alias, or an alias such as --kappa';
  }
  const { of } = field;
  if (field.kind === 'choice' && !(Array.isArray(of) && of.every((word) => typeof word === 'string'))) {
    return 'lists its choices: { kind: "choice", of: ["a", "b"] }';
  }
  if (field.default === undefined) return 'has a default';
  return domainProblem(name, field as unknown as Field);
}

/** The values that a field gives itself are in its domain. */
function domainProblem(name: string, field: Field): string | undefined {
  const given: readonly [string, OptionValue | unknown][] = [
    ['default', field.default],
    ['before', field.before],
  ];
  for (const [what, value] of given) {
    if (value === undefined) continue;
    try {
      checkField(name, field, value, NO_NAMES);
    } catch (error) {
      if (!(error instanceof CertError)) throw error;
      return `has a valid ${what}: ${error.problem} ${error.cure}`.replace(/\.$/, '');
    }
  }
  return undefined;
}

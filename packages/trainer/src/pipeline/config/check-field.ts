/** Whether a value is in the domain of a field, and what to say where it is not. */
import { CertError, describeValue } from '@cert/core';
import { choose, didYouMean, unknownName } from '../names.js';
import { type CommonField, type NameField, namesOf, optionName, type PerturbationField, type Tables } from './field.js';
import { hasNone, toNumber } from './parse-field.js';
import { checkPerturbationSpec } from './perturbation-spec.js';

/**
 * Checks a value of a field.
 *
 * @param tables names that the value may use
 * @throws CertError `bad-argument` with the option, the given value and the expected values
 */
export function checkField(name: string, field: CommonField, value: unknown, tables: Tables): void {
  if (value === null && field.orNone) return;
  if (field.kind === 'perturbation') {
    checkPerturbationSpec(value, optionName(name, field));
    return;
  }
  if (field.kind === 'name') {
    choose(field.what, asName(value), tables[field.of]);
    return;
  }
  if (field.kind === 'choice' && field.what !== undefined) {
    if (!field.of.includes(asName(value))) throw unknownName(field.what, asName(value), field.of);
    return;
  }
  if (fits(field, value, tables)) return;
  const unknown = field.kind === 'weighted' && unknownItem(value, tables[field.of]);
  if (unknown) throw unknownName(field.what, unknown, namesOf(field, tables));
  const problem = `${optionName(name, field)} is ${describeValue(value)}`;
  const none = hasNone(field) ? ', or none' : '';
  const suggestion = field.kind === 'choice' && typeof value === 'string' ? didYouMean(value, field.of) : '';
  if (field.kind === 'number' && field.radius) {
    const read = typeof value !== 'string';
    throw new CertError(
      'bad-argument',
      read ? `${problem}.` : `${problem}; expected a number such as 0.1 or a fraction such as 8/255.`,
      `Give ${wantedOf(field, tables)}${none}${read ? ', such as 0.1 or 8/255' : ''}.`,
    );
  }
  throw new CertError('bad-argument', `${problem}.`, `Give ${wantedOf(field, tables)}${none}. ${suggestion}`.trimEnd());
}

/** The first name, alone or behind its weight, that is in no table. */
function unknownItem(value: unknown, table: { readonly [name: string]: unknown }): string | undefined {
  if (!Array.isArray(value)) return undefined;
  const names = value.map((item) => (typeof item === 'string' ? item.split('*').at(-1)! : ''));
  return names.find((name) => name !== '' && !Object.hasOwn(table, name));
}

/** A value as a name; what is no text as JSON, which is the name of nothing. */
const asName = (value: unknown): string => (typeof value === 'string' ? value : describeValue(value));

const within = (
  value: number,
  { min = -Number.MAX_VALUE, max = Number.MAX_VALUE }: { readonly min?: number; readonly max?: number },
): boolean => value >= min && value <= max;

function fits(field: Exclude<CommonField, NameField | PerturbationField>, value: unknown, tables: Tables): boolean {
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

function wantedOf(field: Exclude<CommonField, NameField | PerturbationField>, tables: Tables): string {
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
      return `comma-separated names, each alone or as weight*name, from ${Object.keys(tables[field.of]).join(', ')}`;
    case 'numbers':
      return field.wanted;
    default:
      return field satisfies never;
  }
}

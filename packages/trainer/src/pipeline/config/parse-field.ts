/** Values of fields from text. */
import { parseJson } from '@cert/core';
import { canonicalName } from '../names.js';
import { type CommonField, namesOf, type Tables } from './field.js';

/** A number from the command line, `8/255` too; text that is none stays as it is and fails its check. */
export const toNumber = (text: string): unknown => {
  const parts = text.split('/').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  const [number = Number.NaN, divisor = 1] = parts;
  return parts.length > 2 || !Number.isFinite(number / divisor) ? text : number / divisor;
};

const items = (text: string) => text.split(',').map((item) => item.trim());

/** Whether `none` stands for null, or for an empty list: not where it is one of the words to choose from. */
export const hasNone = (field: CommonField): boolean =>
  field.kind === 'weighted' ||
  field.kind === 'numbers' ||
  (field.orNone === true && !(field.kind === 'choice' && field.of.includes('none')));

/** The value of a JSON text; text that is none stays as it is and fails its check. */
function parsedJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

/**
 * Parses a value from the command line without validating it.
 *
 * @param tables names that the value may use: one that is written in another way (`Adam`, `he`) becomes the name in the table
 */
export function parseField(field: CommonField, text: string, tables?: Tables): unknown {
  if (text === 'none' && hasNone(field)) return field.orNone ? null : [];
  switch (field.kind) {
    case 'number':
    case 'integer':
      return toNumber(text);
    case 'boolean':
      return text === 'true' || (text === 'false' ? false : text);
    case 'weighted':
      return items(text).map((item) => {
        const [name = '', ...weight] = item.split('*').reverse();
        return [...weight.reverse(), tables ? canonicalName(name, namesOf(field, tables)) : name].join('*');
      });
    case 'numbers':
      return items(text).map(toNumber);
    case 'choice':
      return canonicalName(text, field.of);
    case 'name':
      return tables ? canonicalName(text, namesOf(field, tables), field.aliases) : text;
    case 'perturbation':
      return parsedJson(text);
    default:
      return text;
  }
}

import { CertError } from '@cert/core';
import {
  type Catalog,
  type Choices,
  FIELD_NAMES,
  FIELDS,
  type FieldName,
  resolveConfig,
  standardCatalog,
} from '@cert/trainer/pipeline';
import type { Command } from 'commander';

/** What commander collected: option names in camel case, texts. */
export type RawOptions = { readonly [name: string]: string | undefined };

const standard = resolveConfig();

/** Adds options for fields of the configuration, with their help and what they are by default: `values`, `of` where. */
export function addFields(
  command: Command,
  names: readonly FieldName[],
  of = `in ${standard.preset}`,
  values: Choices = standard,
): Command {
  for (const name of names) {
    const { flag, help } = FIELDS[name];
    const usual = values[name] ?? null;
    const shown = usual === null || String(usual) === '' ? 'none' : String(usual);
    command.option(flag, `${help} (default: ${`${shown} ${of}`.trim()})`);
  }
  return command;
}

/**
 * The fields that were given, parsed and checked.
 *
 * @throws CertError `bad-argument` naming the option
 */
export function readFields(
  raw: RawOptions,
  names: readonly FieldName[] = FIELD_NAMES,
  catalog: Catalog = standardCatalog,
): Choices {
  const given = names.flatMap((name) => {
    const text = raw[name];
    if (text === undefined) return [];
    const value = FIELDS[name].parse(text);
    FIELDS[name].check(value, catalog);
    return [[name, value] as const];
  });
  return Object.fromEntries(given);
}

/** The error for two options that exclude each other. */
export const conflict = (problem: string, cure: string) => new CertError('bad-argument', problem, cure);

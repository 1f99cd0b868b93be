/** Compares one file, wherever it comes from. */
import { CertError } from '@cert/core';
import type { Device } from '@cert/jit';
import { Comparison, type Row } from './compare.js';
import { Field } from './field.js';
import type { Kind } from './kind.js';
import {
  certifiedLosses,
  completeVerification,
  crownEvaluation,
  ibpEvaluation,
  ibpTraining,
  initialization,
  learningRates,
  normalized,
  optimizers,
  regularization,
  residualEvaluation,
  schedules,
  trajectory,
} from './kinds/index.js';

/** How each kind of file is compared. Others are reported as not covered. */
const KINDS: { readonly [kind: string]: Kind } = {
  ibp_mlp: ibpEvaluation,
  ibp_cnn: ibpEvaluation,
  ibp_cnn_train: ibpTraining,
  reg: regularization,
  cert_norm: normalized,
  schedules,
  init: initialization,
  trajectory,
  optimizers,
  learning_rates: learningRates,
  crown_mlp: crownEvaluation,
  crown_cnn: crownEvaluation,
  residual_resnet: residualEvaluation,
  residual_resnext: residualEvaluation,
  verify_small: completeVerification,
  loss_small: certifiedLosses,
};

/** Gives the text of a file by its name. */
export type ReadText = (name: string) => Promise<string>;

/** Yields a row for each quantity of a file; what is wrong with the file is a row. */
export async function* compareFile(read: ReadText, name: string, devices: readonly Device[]): AsyncGenerator<Row> {
  const host = new Comparison(name, 'host');
  let file: Field;
  let kind: string;
  try {
    file = await readJson(read, name);
    kind = kindOf(file, name);
  } catch (error) {
    host.fail('(file)', reasonOf(error));
    return yield* host.rows();
  }
  const how = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  if (how === undefined) {
    const nothing = { absolute: Number.NaN, relative: Number.NaN };
    return yield { file: name, device: '-', quantity: kind, outcome: 'not covered', ...nothing };
  }
  const source = { file, sibling: (other: string) => readJson(read, other) };
  if (how.on === 'host') return yield* await attempt(host, () => how.compare(source, host));
  for (const device of devices) {
    const comparison = new Comparison(name, device.name);
    yield* await attempt(comparison, () => how.compare(source, device, comparison));
  }
}

/** The kind of a file. Files of single cases name none: those of losses have the point of an attack, those of complete verification list images. */
function kindOf(file: Field, name: string): string {
  if (file.has('kind') || !file.has('cases')) return file.get('kind').text();
  if (file.has('x_star')) return 'loss_small';
  return file.get('cases').list()[0]?.has('images') ? 'verify_small' : name.replace(/\.json$/, '');
}

/** What was compared up to an error is reported, and the error as a row of its own. */
async function attempt(comparison: Comparison, compare: () => Promise<void>): Promise<Row[]> {
  await compare().catch((error: unknown) => comparison.fail('(file)', reasonOf(error)));
  if (comparison.rows().length === 0) comparison.fail('(file)', 'there is nothing to compare');
  return comparison.rows();
}

async function readJson(read: ReadText, name: string): Promise<Field> {
  try {
    return new Field(JSON.parse(await read(name)), '');
  } catch (cause) {
    throw new CertError('bad-file', `"${name}" is no JSON file: ${reasonOf(cause)}`, 'Restore it.', { cause });
  }
}

const reasonOf = (error: unknown): string =>
  error instanceof CertError ? error.problem : error instanceof Error ? error.message : String(error);

import { percent } from '@cert/trainer/pipeline';
import type { Values } from '../commands/config-file.js';
import type { SearchOutcome } from '../search/outcome.js';
import type { Trial } from '../search/trial.js';
import { formatTable } from './format-table.js';
import { type Look, tableFormat } from './table.js';

/** Values of searched fields in a line. */
const valuesText = (values: Values): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${shortValue(value)}`)
    .join(', ');

/** A value in a table: four digits of a number. */
const shortValue = (value: unknown): string =>
  typeof value === 'number'
    ? String(Number(value.toPrecision(4)))
    : Array.isArray(value)
      ? value.join(',') || 'none'
      : String(value ?? 'none');

/** What a trial has come to, in a line. */
export function trialLine({ trial, values, results, failed }: Trial): string {
  const last = results.at(-1);
  const outcome =
    failed !== undefined
      ? `failed: ${failed}`
      : last === undefined
        ? 'stopped'
        : `standard error ${percent(last.standardError)}, verified error ${percent(last.verifiedError)} after epoch ${last.epochs}`;
  return `trial ${trial}: ${outcome} (${valuesText(values)})`;
}

/** The Pareto front as a table, the chosen trial with a star. */
export function frontTable({ front, chosen }: SearchOutcome, look: Look): string {
  const names = Object.keys(chosen.values);
  const rows = front.map(({ trial, standardError, verifiedError, score, values }) => [
    `${trial}${trial === chosen.trial ? ' *' : ''}`,
    ...[standardError, verifiedError, score].map(percent),
    ...names.map((name) => shortValue(values[name])),
  ]);
  return formatTable([['trial', 'standard', 'verified', 'score', ...names], ...rows], tableFormat(look));
}

/** What the trials have come to, in a sentence. */
export const countsText = ({ trials, failed, stopped, front }: SearchOutcome): string =>
  [
    `${trials} trial${trials === 1 ? '' : 's'}`,
    ...(stopped > 0 ? [`${stopped} not trained to the end`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
    `${front.length} on the Pareto front`,
  ].join(', ');

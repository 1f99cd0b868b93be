import { duration, number, percent } from '@cert/trainer/pipeline';
import type { ComparedRun, Comparison } from '../runs/compare-runs.js';
import { formatTable } from './format-table.js';
import { radius } from './quantities.js';
import { stateOf } from './runs-table.js';
import { type Look, tableFormat } from './table.js';

/** What is not known. */
const NONE = '-';

/** The settings that differ and what came out, a column for each run. */
export function comparisonTable(
  runs: readonly ComparedRun[],
  { settings, runs: results }: Comparison,
  look: Look,
): string {
  const heading = runs.map(({ name }) => name);
  const bounds = new Set(runs.map(({ config }) => String(config.bound).toUpperCase()));
  const errors = [
    ['standard error', 'standardError'],
    ['PGD error', 'pgdError'],
    [bounds.size === 1 ? `verified error (${[...bounds][0]})` : 'verified error', 'verifiedError'],
  ] as const;
  const rows = [
    ['setting', ...heading],
    ...Object.entries(settings).map(([name, values]) => [name, ...values.map((value) => valueText(name, value))]),
  ];
  const outcome = [
    ['error, 95 % interval', ...heading],
    ...errors.map(([label, name]) => [label, ...results.map((run) => estimateText(run.errors[name]))]),
    ...(results.some(({ absoluteErrors }) => absoluteErrors !== undefined)
      ? [
          ['mean absolute error', ...results.map((run) => meanText(run.absoluteErrors?.absoluteError))],
          ['verified absolute error', ...results.map((run) => meanText(run.absoluteErrors?.verifiedAbsoluteError))],
        ]
      : []),
    ['training time', ...results.map(({ trainSeconds }) => (trainSeconds === null ? NONE : duration(trainSeconds)))],
    ['state', ...runs.map(stateOf)],
  ];
  const format = tableFormat(look);
  const differing = rows.length > 1 ? formatTable(rows, format) : 'The runs have identical settings.';
  return `${differing}\n\n${formatTable(outcome, format)}`;
}

const meanText = (value: number | null | undefined): string => (value == null ? NONE : number(value));

function valueText(name: string, value: unknown): string {
  if (value === null) return NONE;
  if (name === 'epsilon' && typeof value === 'number') return radius(value);
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map((each) => valueText('', each)).join(',');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function estimateText(estimate: Comparison['runs'][number]['errors']['standardError']): string {
  if (estimate === null) return NONE;
  const { fraction, interval } = estimate;
  if (interval === null) return percent(fraction);
  const [lower, upper] = interval.map((end) => (100 * end).toFixed(2));
  return `${percent(fraction)} [${lower}, ${upper}]`;
}

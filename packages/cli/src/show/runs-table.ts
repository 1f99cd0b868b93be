import { duration, percent } from '@cert/trainer/pipeline';
import type { RunRecord } from '../runs/read-run.js';
import { formatTable } from './format-table.js';
import { painter } from './paint.js';
import { radius } from './quantities.js';
import type { Look } from './table.js';
import { widthOf } from './width.js';

/** What is not known. */
const NONE = '-';

const orNone = <T>(value: T | null, text: (value: T) => string): string => (value === null ? NONE : text(value));

/** The state of a run in words. */
export const stateOf = ({ state, epoch, config, errors }: RunRecord): string =>
  `${state === 'unfinished' ? `epoch ${epoch}/${config?.epochs ?? '?'}` : state}${errors.of === undefined ? '' : ' (validation)'}`;

/** Runs as a table, a line each; where that is too wide, two lines each, and where that is, in parts below each other. */
export function runsTable(runs: readonly RunRecord[], look: Look): string {
  const rows = [
    ['run', 'method', 'epsilon', 'standard', 'PGD', 'verified', 'training', 'date', 'state'],
    ...runs.map((run) => [run.name, ...cells(run), dateOf(run.date), stateOf(run)]),
  ];
  const width = widthOf(look);
  const tables = [formatTable(rows), narrow(runs)];
  const fitting = tables.find((table) => table.split('\n').every((line) => line.length <= width));
  const [heading, ...lines] = (fitting ?? formatTable(rows, { width })).split('\n');
  return painted([painter(look)('heading', heading!), ...lines].join('\n'), look);
}

/** Each run under its name. */
function narrow(runs: readonly RunRecord[]): string {
  const rows = runs.map((run) => {
    const [method, ...rest] = cells(run);
    return [`  ${method}`, ...rest, dateOf(run.date).slice(0, 10), stateOf(run)];
  });
  const table = formatTable([['  method', 'epsilon', 'std.', 'PGD', 'verified', 'training', 'date', 'state'], ...rows]);
  const [heading, ...lines] = table.split('\n');
  return ['run', heading, ...lines.flatMap((line, i) => [runs[i]!.name, line])].join('\n');
}

const cells = ({ config, errors, trainSeconds }: RunRecord): readonly string[] => [
  config?.method ?? NONE,
  config === null ? NONE : radius(config.epsilon),
  orNone(errors.standardError, percent),
  orNone(errors.pgdError, percent),
  orNone(errors.verifiedError, percent),
  orNone(trainSeconds, duration),
];

/** As 2026-11-29 22:14, in the time of this machine. */
function dateOf(iso: string): string {
  const date = new Date(iso);
  const two = (n: number) => String(n).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

function painted(table: string, look: Look): string {
  const paint = painter(look);
  return table
    .replaceAll(/finished$/gm, (text) => paint('good', text))
    .replaceAll(/in training(?: \(validation\))?$/gm, (text) => paint('warning', text))
    .replaceAll(/damaged$/gm, (text) => paint('bad', text));
}

import { duration, exampleWords, number, percent, type Summary } from '@cert/trainer/pipeline';
import type { Proportion } from '@cert/verify';
import type { EvaluationSummary } from '@cert/verify/node';
import type { Terminal } from '../terminal.js';
import { formatTable, type TableFormat } from './format-table.js';
import { painter } from './paint.js';
import { radiusInFull, shortTime } from './quantities.js';
import { widthOf } from './width.js';

/** What decides how a table looks: how wide the screen is, and whether it has colours. */
export type Look = Pick<Terminal, 'screen' | 'colors'>;

/** A table with a heading that fits a terminal. */
export function tableFormat(look: Look): TableFormat {
  const paint = painter(look);
  return { width: widthOf(look), heading: (text) => paint('heading', text) };
}

/** A mean of absolute errors, in the units of the label. */
const orUnbounded = (value: number | null | undefined): string => (value == null ? 'not finite' : number(value));

const PLAIN: Look = { screen: null };

/**
 * Results as a table of text, a column per run; empty for none.
 *
 * @param look the terminal that it is for; default a pipe, without a width
 */
export function resultTable(summaries: readonly Summary[], look = PLAIN): string {
  const [first] = summaries;
  if (first === undefined) return '';
  const attack = first.attack ? ` (${first.attack.steps} steps, ${first.attack.restarts} restarts)` : '';
  const row = (name: string, cell: (summary: Summary) => string) => [name, ...summaries.map(cell)];
  const rows = [
    row('', ({ preset, method, seed }) => `${preset} ${method}, seed ${seed}`),
    ...(first.delta === undefined
      ? []
      : [
          row('mean absolute error', (s) => orUnbounded(s.absoluteError)),
          row(`verified absolute error (${first.bound.toUpperCase()})`, (s) => orUnbounded(s.verifiedAbsoluteError)),
          row('error: off by at least', (s) => number(s.delta ?? Number.NaN)),
        ]),
    row('standard error', (s) => percent(s.standardError)),
    row(`PGD error${attack}`, (s) => (s.pgdError === null ? 'not run' : percent(s.pgdError))),
    row(`verified error (${first.bound.toUpperCase()})`, (s) => percent(s.verifiedError)),
    row('epsilon', (s) => radiusInFull(s.epsilon)),
    row(`test ${exampleWords(first.dataset, first.inputShape).many}`, (s) => String(s.images)),
    ...(summaries.some(({ stoppedEarly }) => stoppedEarly !== undefined) ? [row('epochs', epochsOf)] : []),
    row('training time', (s) => duration(s.trainSeconds)),
    row('device', (s) => s.deviceDescription),
  ];
  return formatTable(rows, tableFormat(look));
}

/** The epochs of a run, with what stopped it early. */
const epochsOf = ({ epochs, stoppedEarly }: Summary): string =>
  stoppedEarly === undefined
    ? String(epochs)
    : `${epochs} of ${stoppedEarly.plannedEpochs} (stopped early, patience ${stoppedEarly.patience})`;

/**
 * The summary of an evaluation image by image as a table.
 *
 * @param words what examples are called; default: by the dataset
 * @param look the terminal that it is for; default a pipe, without a width
 */
export function evaluationTable(
  summary: EvaluationSummary,
  words = exampleWords(summary.settings.dataset),
  look = PLAIN,
): string {
  const { settings, methods, standardError, pgdError } = summary;
  const { attack, epsilon } = settings;
  const { many } = words;
  const format = tableFormat(look);
  const asked = settings.arithmetic ?? 'nearest';
  const names = Object.keys(methods).map((name) => name.toUpperCase());
  const row = (name: string, { fraction, interval: [lower, upper] }: Proportion) => [
    name,
    percent(fraction),
    `[${percent(lower)}, ${percent(upper)}]`,
  ];
  const plain = (name: string, value: string | number) => [name, String(value), ''];
  const verified = Object.values(methods).flatMap(({ verifiedError, aloneError }, i) => [
    row(`verified error (${anyOf(names.slice(0, i + 1))})`, verifiedError),
    ...(i > 0 && aloneError ? [row(`verified error (${names[i]} alone)`, aloneError)] : []),
  ]);
  const time = (stage: string) => shortTime(summary.stageSeconds[stage] ?? 0);
  const tried = Object.entries(methods).map(([name, method], i) => [
    `verified / attempted, ${names[i]}`,
    `${method.verified} of ${method.tried}${method.notFinite ? `, ${method.notFinite} not finite` : ''} in ${time(name)}`,
  ]);
  const others = Object.keys(summary.stageSeconds).filter((stage) => !(stage in methods));
  const errors = [
    ['', 'error', '95 % interval (Clopper-Pearson)'],
    row('standard error', standardError),
    pgdError === null || attack === null ? plain('PGD error', 'not run') : row(attackRow(attack), pgdError),
    ...verified,
    ...Object.entries(summary.arithmetic?.levels ?? {}).map(([level, { verifiedError }]) =>
      row(`verified error, arithmetic ${level}`, verifiedError),
    ),
  ];
  const counts = [
    ['epsilon', radiusInFull(epsilon)],
    ...(settings.delta === undefined
      ? []
      : [
          ['error: off by at least', number(settings.delta)],
          ['mean absolute error', orUnbounded(summary.absoluteError)],
        ]),
    [`test ${many}`, String(summary.images)],
    ['arithmetic', asked],
    ...(summary.arithmetic === null
      ? []
      : [
          [
            'verified by bounds in float32, float64',
            `${summary.arithmetic.steps.float32}, ${summary.arithmetic.steps.float64}`,
          ],
        ]),
    ['undecided', String(summary.undecided)],
    ['of these, with a NaN or infinite bound', String(summary.undecidedNotFinite)],
    ['NaN or infinite logits', String(summary.logitsNotFinite)],
    ...tried,
    ...others.map((stage) => [stage === 'natural' ? 'natural pass' : `attack ${stage}`, time(stage)]),
    [`all ${many}${summary.before > 0 ? ` but ${summary.before} of an earlier call` : ''}`, shortTime(summary.seconds)],
    ['device', summary.deviceDescription],
  ];
  return `${formatTable(errors, format)}\n\n${formatTable(counts, { width: widthOf(look) })}`;
}

const attackRow = (attack: NonNullable<EvaluationSummary['settings']['attack']>) =>
  'attacks' in attack
    ? `${attack.name} error (${attack.attacks.join(', ')})`
    : `PGD error (${attack.steps} steps, ${attack.restarts} restarts at most)`;

const anyOf = (names: readonly string[]) =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;

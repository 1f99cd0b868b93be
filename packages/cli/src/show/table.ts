import { percent, type Summary } from '@cert/trainer/pipeline';
import type { Proportion } from '@cert/verify';
import type { EvaluationSummary } from '@cert/verify/node';

/** Results as a table of text, a column per run; empty for none. */
export function resultTable(summaries: readonly Summary[]): string {
  const [first] = summaries;
  if (first === undefined) return '';
  const attack = first.attack ? ` (${first.attack.steps} steps, ${first.attack.restarts} restarts)` : '';
  const row = (name: string, cell: (summary: Summary) => string) => [name, ...summaries.map(cell)];
  return formatTable([
    row('', ({ preset, method, seed }) => `${preset} ${method}, seed ${seed}`),
    row('standard error', (s) => percent(s.standardError)),
    row(`PGD error${attack}`, (s) => (s.pgdError === null ? 'not run' : percent(s.pgdError))),
    row(`verified error (${first.bound.toUpperCase()})`, (s) => percent(s.verifiedError)),
    row('epsilon', (s) => String(s.epsilon)),
    row('test images', (s) => String(s.images)),
    row('training seconds', (s) => s.trainSeconds.toFixed(1)),
    row('device', (s) => s.deviceDescription),
  ]);
}

/** The summary of an evaluation image by image as a table. */
export function evaluationTable(summary: EvaluationSummary): string {
  const { settings, methods, standardError, pgdError } = summary;
  const { attack, epsilon } = settings;
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
  const time = (stage: string) => `${(summary.stageSeconds[stage] ?? 0).toFixed(1)} s`;
  const tried = Object.entries(methods).map(([name, method], i) => [
    `verified / attempted, ${names[i]}`,
    `${method.verified} of ${method.tried}${method.notFinite ? `, ${method.notFinite} not finite` : ''} in ${time(name)}`,
  ]);
  const others = Object.keys(summary.stageSeconds).filter((stage) => !(stage in methods));
  return [
    formatTable([
      ['', 'error', '95 % interval (Clopper-Pearson)'],
      row('standard error', standardError),
      pgdError === null || attack === null ? plain('PGD error', 'not run') : row(attackRow(attack), pgdError),
      ...verified,
      ...Object.entries(summary.arithmetic?.levels ?? {}).map(([level, { verifiedError }]) =>
        row(`verified error, arithmetic ${level}`, verifiedError),
      ),
    ]),
    formatTable([
      ['epsilon', String(epsilon)],
      ['test images', String(summary.images)],
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
      ['of these, a bound was NaN or infinite', String(summary.undecidedNotFinite)],
      ['logits were NaN or infinite', String(summary.logitsNotFinite)],
      ...tried,
      ...others.map((stage) => [stage === 'natural' ? 'natural pass' : `attack ${stage}`, time(stage)]),
      [
        `all images${summary.before > 0 ? ` but ${summary.before} of an earlier call` : ''}`,
        `${summary.seconds.toFixed(1)} s`,
      ],
      ['device', summary.deviceDescription],
    ]),
  ].join('\n\n');
}

const attackRow = (attack: NonNullable<EvaluationSummary['settings']['attack']>) =>
  'attacks' in attack
    ? `${attack.name} error (${attack.attacks.join(', ')})`
    : `PGD error (${attack.steps} steps, ${attack.restarts} restarts at most)`;

const anyOf = (names: readonly string[]) =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;

/** Rows of cells, all as long, as lines of text: the first column to the left, the others to the right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[i]!))).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}

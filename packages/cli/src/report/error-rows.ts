import type { ComparedRun } from '../runs/compare-runs.js';
import { type FoundEvaluation, proportion } from './evaluations.js';
import type { RunSummary } from './read-summary.js';

/** An error of a run. Plain data. */
export interface ErrorRow {
  /** Which error: rows of several runs stand side by side by these. */
  readonly kind: 'standard' | 'attack' | 'verified';
  readonly name: string;
  /** Where the number is from. */
  readonly source: 'evaluation' | 'training' | 'last epoch' | 'last epoch (validation)';
  readonly fraction: number;
  /** Exact 95 %; null where the number of inputs is not known. */
  readonly interval: readonly [number, number] | null;
  readonly count: number | null;
  readonly images: number | null;
}

/** What {@link errorRows} looks at. */
interface Known {
  readonly evaluation: FoundEvaluation | undefined;
  readonly summary: RunSummary | null;
  readonly run: ComparedRun;
  /** Whether errors of the training are about the tolerance of the report: always true for a classifier. */
  readonly comparable: boolean;
}

/** The errors of a run: of its evaluation, of the end of training, and otherwise of its last epoch. */
export function errorRows({ evaluation, summary, run, comparable }: Known): readonly ErrorRow[] {
  const evaluated = evaluation === undefined ? [] : ofEvaluation(evaluation);
  if (!comparable) return evaluated;
  return [
    ...evaluated,
    // One table has one radius.
    ...(summary === null || (evaluation && evaluation.settings.epsilon !== summary.epsilon) ? [] : ofSummary(summary)),
    ...(evaluation === undefined && summary === null ? ofLastEpoch(run) : []),
  ];
}

function ofEvaluation({ counts, settings, arithmetic }: FoundEvaluation): readonly ErrorRow[] {
  const { images, standardError, pgdError, methods } = counts;
  const row = (
    kind: ErrorRow['kind'],
    name: string,
    { count, fraction, interval }: typeof standardError,
  ): ErrorRow => ({
    ...{ kind, name, source: 'evaluation', fraction, interval, count, images },
  });
  const names = Object.keys(methods).map((name) => name.toUpperCase());
  const { attack } = settings;
  const attackName =
    attack === null
      ? ''
      : 'attacks' in attack
        ? `${attack.name} error (${attack.attacks.join(', ')})`
        : `PGD error (at most ${attack.steps} steps, ${attack.restarts} restarts)`;
  return [
    row('standard', 'standard error', standardError),
    ...(pgdError === null ? [] : [row('attack', attackName, pgdError)]),
    ...Object.values(methods).map(({ verifiedError }, i) =>
      row('verified', `verified error by ${anyOf(names.slice(0, i + 1))} (${arithmetic})`, verifiedError),
    ),
  ];
}

const anyOf = (names: readonly string[]) =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;

function ofSummary({ images, standardError, pgdError, verifiedError, attack, bound }: RunSummary): readonly ErrorRow[] {
  const row = (kind: ErrorRow['kind'], name: string, fraction: number): ErrorRow => ({
    ...{ kind, name, source: 'training', images, ...proportion(Math.round(fraction * images), images) },
  });
  const steps = attack === null ? '' : ` (${attack.steps} steps, ${attack.restarts} restarts)`;
  return [
    row('standard', 'standard error', standardError),
    ...(pgdError === null ? [] : [row('attack', `PGD error${steps}`, pgdError)]),
    row('verified', `verified error by ${bound.toUpperCase()} (nearest)`, verifiedError),
  ];
}

function ofLastEpoch({ errors }: ComparedRun): readonly ErrorRow[] {
  const source = errors.of === undefined ? 'last epoch' : (`last epoch (${errors.of})` as const);
  const row = (kind: ErrorRow['kind'], name: string, fraction: number | null): readonly ErrorRow[] =>
    fraction === null ? [] : [{ kind, name, source, fraction, interval: null, count: null, images: null }];
  return [
    ...row('standard', 'standard error', errors.standardError),
    ...row('verified', 'verified error (nearest)', errors.verifiedError),
  ];
}

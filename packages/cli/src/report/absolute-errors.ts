import type { ComparedRun } from '../runs/compare-runs.js';
import type { ErrorRow } from './error-rows.js';
import type { FoundEvaluation } from './evaluations.js';
import type { PredictedValue } from './output-intervals.js';
import type { RunSummary } from './read-summary.js';
import { count, notBelow } from './text.js';

/** A mean of absolute errors, in the units of the label. Plain data. */
export interface AbsoluteError {
  readonly kind: 'standard' | 'verified';
  readonly name: string;
  readonly source: ErrorRow['source'] | 'report';
  /** Null where one of the errors is not finite. */
  readonly value: number | null;
  /** Test rows; null where it is not known how many. */
  readonly rows: number | null;
}

/** What {@link absoluteErrors} looks at. */
interface Known {
  /** Tolerance of the report, and its radius. */
  readonly delta: number | null;
  readonly epsilon: number;
  readonly evaluation: FoundEvaluation | undefined;
  readonly summary: RunSummary | null;
  readonly run: ComparedRun;
  readonly values: BoundedValues | null;
}

/** Output intervals of the first test rows. */
interface BoundedValues {
  readonly methods: readonly string[];
  readonly arithmetic: string;
  readonly rows: readonly PredictedValue[];
}

/** The means of |f - y|, then the means of the largest |f - y| that bounds allow: of each, the statement of the most exact source first. */
export function absoluteErrors({ delta, epsilon, evaluation, summary, run, values }: Known): readonly AbsoluteError[] {
  const all = [
    ...(evaluation === undefined || delta === null ? [] : ofEvaluation(evaluation, delta)),
    ...(values === null ? [] : ofValues(values)),
    ...(summary === null ? [] : ofSummary(summary, epsilon)),
    ...(summary === null && evaluation === undefined ? ofLastEpoch(run) : []),
  ];
  return (['standard', 'verified'] as const).flatMap((kind) => all.filter((each) => each.kind === kind));
}

const STANDARD = { kind: 'standard', name: 'mean absolute error' } as const;

const verifiedBy = (methods: readonly string[], arithmetic: string) =>
  ({ kind: 'verified', name: `verified absolute error by ${anyOf(methods)} (${arithmetic})` }) as const;

/** Margins of an evaluation are 1 - |f - y| / delta. */
const ofEvaluation = ({ results }: FoundEvaluation, delta: number): readonly AbsoluteError[] => {
  const errors = results.map(({ margin }) => (margin === null ? null : delta * (1 - margin)));
  return [{ ...STANDARD, source: 'evaluation', value: mean(errors), rows: results.length }];
};

function ofValues({ methods, arithmetic, rows }: BoundedValues): readonly AbsoluteError[] {
  const worst = rows.map(({ interval, target }) =>
    interval === null ? null : Math.max(interval[1] - target, target - interval[0]),
  );
  return [{ ...verifiedBy(methods, arithmetic), source: 'report', value: mean(worst), rows: rows.length }];
}

function ofSummary(
  { absoluteError, verifiedAbsoluteError, bound, images, epsilon }: RunSummary,
  reported: number,
): readonly AbsoluteError[] {
  const shared = { source: 'training', rows: images } as const;
  return [
    ...(absoluteError === undefined ? [] : [{ ...STANDARD, ...shared, value: absoluteError }]),
    // One table has one radius.
    ...(verifiedAbsoluteError === undefined || epsilon !== reported
      ? []
      : [{ ...verifiedBy([bound], 'nearest'), ...shared, value: verifiedAbsoluteError }]),
  ];
}

function ofLastEpoch({ errors }: ComparedRun): readonly AbsoluteError[] {
  const { absoluteError, verifiedAbsoluteError } = errors;
  const source: AbsoluteError['source'] = errors.of === undefined ? 'last epoch' : `last epoch (${errors.of})`;
  const shared = { source, rows: null };
  return [
    ...(absoluteError === null ? [] : [{ ...STANDARD, ...shared, value: absoluteError }]),
    ...(verifiedAbsoluteError === null
      ? []
      : [
          {
            ...shared,
            kind: 'verified' as const,
            name: 'verified absolute error (nearest)',
            value: verifiedAbsoluteError,
          },
        ]),
  ];
}

const mean = (values: readonly (number | null)[]): number | null => {
  const sum = values.reduce((total: number, value) => total + (value ?? Number.NaN), 0) / values.length;
  return Number.isFinite(sum) ? sum : null;
};

const anyOf = (methods: readonly string[]) => methods.map((name) => name.toUpperCase()).join(' and ');

/** What a verdict says of absolute errors; empty where none is known. @param available test rows; null where it is not known */
export function absoluteSentence(absolute: readonly AbsoluteError[], target: string, available: number | null): string {
  const [standard, verified] = (['standard', 'verified'] as const).map((kind) =>
    absolute.find((each) => each.kind === kind),
  );
  if (standard === undefined) return '';
  const first = `The mean absolute error of "${target}" is ${valueText(standard)}`;
  if (verified === undefined) return `${first}.`;
  const { rows, source, value, name } = verified;
  const part = rows !== null && available !== null && rows < available ? `, over the first ${count(rows)} rows` : '';
  const about = `${name}${part}${source === 'training' ? ', at the end of training' : ''}`;
  return value === null
    ? `${first}; no bound of it under perturbations is finite (${about}).`
    : `${first}; under perturbations within this radius it is at most ${valueText(verified)}, the ${about}.`;
}

/** A mean for people. A bound is rounded up. */
export const valueText = ({ kind, value }: Pick<AbsoluteError, 'kind' | 'value'>): string =>
  value === null ? 'not finite' : kind === 'verified' ? notBelow(value) : String(Number(value.toPrecision(6)));

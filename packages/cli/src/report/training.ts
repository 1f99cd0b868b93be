import { epochErrorsOf, type MetricsLine, type MonitoredName, readMetricsLines } from '@cert/trainer/pipeline';
import type { RunSettings } from '../runs/read-run.js';

/** A point of a curve: epochs done, and the value. */
type CurvePoint = readonly [epoch: number, value: number];

/** A quantity over the epochs. */
interface Curve {
  readonly name: string;
  readonly points: readonly CurvePoint[];
}

/** A part of training, in epochs done. */
export interface Phase {
  readonly name: 'warmup' | 'ramp';
  readonly from: number;
  readonly to: number;
}

/** How the neurons of a layer are shared out, after each epoch. */
export interface LayerStates {
  readonly layer: string;
  /** Fractions. */
  readonly epochs: readonly {
    readonly epoch: number;
    readonly active: number;
    readonly unstable: number;
    readonly inactive: number;
  }[];
}

/** Training as `metrics.jsonl` tells it. Plain data. */
export interface Training {
  /** Finished epochs. */
  readonly epochs: number;
  readonly losses: readonly Curve[];
  /** Fractions. */
  readonly errors: readonly Curve[];
  /** For a regression: means of absolute errors, in the units of the label. */
  readonly absoluteErrors: readonly Curve[];
  readonly epsilon: readonly CurvePoint[];
  readonly learningRate: readonly CurvePoint[];
  readonly phases: readonly Phase[];
  /** Empty where no line has neurons. */
  readonly neurons: readonly LayerStates[];
  /** Inputs that neurons were counted on, the first ones of those that epochs were tested on. */
  readonly neuronInputs: number;
  /** What epochs were tested on. */
  readonly monitored: MonitoredName;
  /** Damaged lines, which are left out. */
  readonly damaged: number;
}

const LOSSES = [
  ['total', 'loss'],
  ['natural', 'naturalLoss'],
  ['robust', 'robustLoss'],
] as const;

const ERRORS = [
  ['test verified', 'testVerifiedError'],
  ['test standard', 'testError'],
  ['validation verified', 'validationVerifiedError'],
  ['validation standard', 'validationError'],
  ['training verified', 'verifiedError'],
  ['training standard', 'error'],
] as const;

const ABSOLUTE_ERRORS = [
  ['test verified', 'testVerifiedAbsoluteError'],
  ['test standard', 'testAbsoluteError'],
  ['validation verified', 'validationVerifiedAbsoluteError'],
  ['validation standard', 'validationAbsoluteError'],
] as const;

/** Points of a curve of steps at most. */
const POINTS = 240;

/** Reads how a run was trained. @throws CertError `bad-file` when the file cannot be read */
export async function readTraining(folder: string, settings: RunSettings): Promise<Training> {
  const { lines, damaged } = await readMetricsLines(folder);
  const epochs = lines.filter(({ type }) => type === 'epoch');
  const last = epochs.at(-1);
  const perEpoch = last === undefined ? 0 : last.step / Number(last.epoch);
  const curves = (names: readonly (readonly [string, string])[]) =>
    names.flatMap(([name, field]) => {
      const points = pointsOf(epochs, field, ({ epoch }) => Number(epoch));
      return points.length === 0 ? [] : [{ name, points }];
    });
  // Lines of steps show the ramp as it is; without a whole epoch their place is not known.
  const fine = perEpoch > 0 ? thinned(lines) : [];
  const stepwise = (field: string) => pointsOf(fine, field, ({ step }) => step / perEpoch);
  return {
    epochs: epochs.length,
    losses: curves(LOSSES),
    errors: curves(ERRORS),
    absoluteErrors: curves(ABSOLUTE_ERRORS),
    ...{ epsilon: stepwise('epsilon'), learningRate: stepwise('learningRate') },
    phases: phasesOf(settings),
    neurons: neuronsOf(epochs),
    monitored: epochs.map(epochErrorsOf).find((found) => found !== undefined)?.monitored ?? 'test',
    neuronInputs: Math.max(0, ...epochs.map(({ relu }) => relu?.images ?? 0)),
    damaged,
  };
}

const pointsOf = (
  lines: readonly MetricsLine[],
  field: string,
  place: (line: MetricsLine) => number,
): readonly CurvePoint[] =>
  lines.flatMap((line): CurvePoint[] => {
    const value = line[field];
    return typeof value === 'number' ? [[place(line), value]] : [];
  });

/** Some of many lines, evenly spread, the last among them. */
function thinned(lines: readonly MetricsLine[]): readonly MetricsLine[] {
  const every = Math.ceil(lines.length / POINTS);
  return lines.filter((_, i) => (lines.length - 1 - i) % every === 0);
}

/** The warmup, with regularizers, and the ramp of the radius, as the configuration says. */
function phasesOf({
  rampStart,
  rampLength,
  epochs,
  regularizers,
  regWeight,
  regSchedule,
}: RunSettings): readonly Phase[] {
  if (typeof rampStart !== 'number' || typeof rampLength !== 'number') return [];
  const end = Math.min(epochs, rampStart - 1 + rampLength);
  const warm = Array.isArray(regularizers) && regularizers.length > 0 && regWeight !== 0 && regSchedule !== 'constant';
  const phases: readonly Phase[] = [
    ...(warm ? [{ name: 'warmup' as const, from: 0, to: end }] : []),
    { name: 'ramp', from: rampStart - 1, to: end },
  ];
  return phases.filter(({ from, to }) => to > from);
}

function neuronsOf(epochs: readonly MetricsLine[]): readonly LayerStates[] {
  const layers = new Set(epochs.flatMap(({ relu }) => Object.keys(relu?.layers ?? {})));
  return [...layers].map((layer) => ({
    layer,
    epochs: epochs.flatMap(({ epoch, relu }) => {
      const shares = relu?.layers[layer];
      return shares === undefined ? [] : [{ epoch: Number(epoch), ...shares }];
    }),
  }));
}

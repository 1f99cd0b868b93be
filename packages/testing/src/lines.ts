import { type IntervalTensor, type Shape, type Tensor, tf } from '@cert/core';
import { type ConformanceCase, failure, guarded } from './conformance.js';
import type { CompilingDevice } from './device.js';
import { evaluate, sameShape } from './host.js';
import {
  allowed,
  boxOf,
  endsOf,
  intervalsOf,
  lineOf,
  mixtureOf,
  mixturesOf,
  type NumberLine,
  type Numbers,
  namedTensors,
  numbersOf,
  pointsOf,
  type TestedLines,
  valueAt,
  WHERE,
} from './lines-grid.js';
import { checkPurity } from './purity.js';

/** Options of {@link linesSuite}. */
export interface LinesSuiteOptions {
  /** Name of the op in messages. */
  readonly name: string;
  /** The function in float64, as the reference for the lines. */
  readonly f: (x: number) => number;
  /** The lines under test, a pure function of tensors; lower and upper are [1, neurons]. */
  readonly lines: (box: IntervalTensor) => TestedLines;
  /** Largest magnitude of the ends of an interval; default 1e6. Give less if the function or its lines overflow. */
  readonly largest?: number;
  /** Whether gradients must be finite, as training through the lines needs; default true. */
  readonly differentiable?: boolean;
  /**
   * Where the lines are compiled: then every check of values runs on the compiled ones, too. A `Device` of `@cert/jit` fits. Default: eager
   * only.
   */
  readonly device?: CompilingDevice;
  /** Seed of the random intervals; default 0. */
  readonly seed?: number;
}

/**
 * Returns the conformance checks for lines of an elementwise op, on a grid of intervals: of width zero, tiny and huge, on one side of 0 and
 * across it. Deterministic for a seed.
 *
 * @example for (const { name, run } of linesSuite({ name: 'tanh', f: Math.tanh, lines })) it(name, run);
 */
export function linesSuite(options: LinesSuiteOptions): ConformanceCase[] {
  const { name, device, differentiable = true } = options;
  const one = (what: string, run: () => Promise<void>): ConformanceCase => ({ name: `${name}: ${what}`, run });
  const where = (on: CompilingDevice | undefined) => (on === undefined ? '' : `, compiled for ${on.name}`);
  return [
    ...[undefined, ...(device === undefined ? [] : [device])].flatMap((on) => [
      one(`lines are finite, in the shape of the box${where(on)}`, () => checkFinite({ ...options, on })),
      one(`the line below is below${where(on)}`, () =>
        checkSide({ ...options, on }, (lines, i) => [lineOf(lines, 'lower', i)], 'below'),
      ),
      one(`the line above is above${where(on)}`, () =>
        checkSide({ ...options, on }, (lines, i) => [lineOf(lines, 'upper', i)], 'above'),
      ),
      one(`every mixture of the family is below${where(on)}`, () => checkSide({ ...options, on }, mixturesOf, 'below')),
      one(`a mixture of the family is as good as the line below${where(on)}`, () => checkBeginning({ ...options, on })),
      one(`lines meet the function where an interval is a point${where(on)}`, () => checkPoints({ ...options, on })),
    ]),
    ...(differentiable ? [one('has a finite gradient', () => checkGradients(options))] : []),
    one('is a pure function that reads no value', () => checkPure(options)),
  ];
}

/** The options, and the device on which lines are computed; undefined: eagerly. */
type Setting = LinesSuiteOptions & { readonly on: CompilingDevice | undefined };

/** How far a line may be from the function where the interval is a point, and up to which magnitude of the point that is asked. */
const [MEETS, FAR] = [1e-4, 100];
/** Intervals whose ends are no larger than this have gradients that float32 holds. */
const MODERATE = 1e3;

/** @throws CertError `unsound` for a line that passes on the wrong side */
async function checkSide(
  options: Setting,
  linesAt: (lines: Numbers, i: number) => readonly NumberLine[],
  side: 'below' | 'above',
): Promise<void> {
  const [intervals, ends] = [intervalsOf(options), endsOf(options)];
  const lines = await numbersOf(options, intervals);
  for (const [i, interval] of intervals.entries()) {
    for (const line of linesAt(lines, i)) {
      for (const x of pointsOf(interval, ends)) {
        const [y, value] = [options.f(x), valueAt(line, x)];
        const by = side === 'below' ? value - y : y - value;
        // Not `>`: NaN fails.
        if (by <= allowed(line, x, y)) continue;
        throw failure(
          'unsound',
          options.name,
          `on [${interval.lower}, ${interval.upper}]`,
          `${line.what}, ${line.slope} x + ${line.intercept}, is ${value} at ${x}, but the function is ${y} there: the line is not ${side} the function, by ${by}.`,
          `A line ${side} must be ${side} the function on the whole interval, including its ends.`,
        );
      }
    }
  }
}

async function checkFinite(options: Setting): Promise<void> {
  const intervals = intervalsOf(options);
  const shape: Shape = [1, intervals.length];
  for (const [part, values] of Object.entries(await numbersOf(options, intervals))) {
    if (!sameShape(values.shape, shape)) {
      throw failure(
        'shape-mismatch',
        options.name,
        WHERE,
        `${part} has the shape [${values.shape}] instead of [${shape}].`,
        'Return each part of the lines in the shape of the box.',
      );
    }
    const bad = values.data.findIndex((value) => !Number.isFinite(value));
    if (bad < 0) continue;
    const { lower, upper } = intervals[bad]!;
    throw failure(
      'not-finite',
      options.name,
      `on [${lower}, ${upper}]`,
      `${part} is ${values.data[bad]}.`,
      'Keep divisors, roots and logarithms away from 0; a width may be 0. Where the function overflows, give `largest`.',
    );
  }
}

/** alpha-CROWN begins with the mixture that has the slope of the usual line. */
async function checkBeginning(options: Setting): Promise<void> {
  const intervals = intervalsOf(options);
  const lines = await numbersOf(options, intervals);
  for (const [i, interval] of intervals.entries()) {
    const [usual, first, second] = [lineOf(lines, 'lower', i), mixtureOf(lines, i, 0), mixtureOf(lines, i, 1)];
    if (first === undefined || second === undefined) return;
    const share = first.slope === second.slope ? 0 : (usual.slope - first.slope) / (second.slope - first.slope);
    const begin = mixtureOf(lines, i, Math.min(1, Math.max(0, share)))!;
    for (const x of [interval.lower, interval.upper]) {
      const by = valueAt(usual, x) - valueAt(begin, x);
      if (by <= allowed(usual, x, valueAt(begin, x))) continue;
      throw failure(
        'broken-contract',
        options.name,
        `on [${interval.lower}, ${interval.upper}]`,
        `the line below is ${usual.slope} x + ${usual.intercept}, and ${begin.what} ${begin.slope} x + ${begin.intercept}: lower at ${x}, by ${by}.`,
        'Include the line below in the family, for example as its first line: optimization starts from it.',
      );
    }
  }
}

async function checkPoints(options: Setting): Promise<void> {
  const intervals = intervalsOf(options).filter(({ lower, upper }) => lower === upper && Math.abs(lower) <= FAR);
  const lines = await numbersOf(options, intervals);
  for (const [i, { lower: x }] of intervals.entries()) {
    for (const side of ['lower', 'upper'] as const) {
      const line = lineOf(lines, side, i);
      const [y, value] = [options.f(x), valueAt(line, x)];
      if (Math.abs(value - y) <= MEETS * (1 + Math.abs(y))) continue;
      throw failure(
        'broken-contract',
        options.name,
        `on [${x}, ${x}]`,
        `${line.what} is ${value}, but the function is ${y}.`,
        'On an interval that is a point, both lines must meet the function.',
      );
    }
  }
}

async function checkGradients(options: LinesSuiteOptions): Promise<void> {
  const intervals = intervalsOf(options).filter(({ lower, upper }) => Math.max(-lower, upper) <= MODERATE);
  const gradients = await evaluate<string>(() => {
    const { lower, upper } = boxOf(intervals);
    const total = (l: Tensor, u: Tensor) => {
      const parts = Object.values(namedTensors(options.lines({ lower: l, upper: u })));
      // tf.grads refuses an input that does not reach the output: a product with 0 makes both reach it.
      return parts.reduce((sum, part) => tf.add(sum, tf.sum(part)), tf.mul(tf.add(tf.sum(l), tf.sum(u)), 0));
    };
    const [toLower, toUpper] = guarded(options.name, `${WHERE}, its gradient`, () => tf.grads(total)([lower, upper]));
    return { 'the lower end': toLower!, 'the upper end': toUpper! };
  });
  for (const [end, { data }] of Object.entries(gradients)) {
    const bad = data.findIndex((value) => !Number.isFinite(value));
    if (bad < 0) continue;
    const { lower, upper } = intervals[bad]!;
    throw failure(
      'not-finite',
      options.name,
      `on [${lower}, ${upper}]`,
      `the gradient with respect to ${end} is ${data[bad]}.`,
      'Keep divisors, roots and logarithms away from 0 on both branches of a tf.where: NaN times 0 is NaN.',
    );
  }
}

async function checkPure(options: LinesSuiteOptions): Promise<void> {
  const box = boxOf(intervalsOf(options).slice(0, 50));
  try {
    await checkPurity({
      ...{ who: options.name, where: WHERE, inputs: { box } },
      run: () => namedTensors(options.lines(box)),
    });
  } finally {
    tf.dispose([box.lower, box.upper]);
  }
}

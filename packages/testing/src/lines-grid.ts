/** Lines as numbers, on a grid of intervals. */
import { createRng, type IntervalTensor, type Tensor, tf } from '@cert/core';
import { guarded } from './conformance.js';
import { type CompilingDevice, compile, compileFailure } from './device.js';
import { evaluate, type Values } from './host.js';

/** A line for every neuron: slope x + intercept, each of the box's shape. `Line` of `@cert/bounds` is one. */
export interface TestedLine {
  /** Its slope. */
  readonly slope: Tensor;
  /** Value at 0; 0 if omitted. */
  readonly intercept?: Tensor;
}

/** Lines below and above a function on the intervals of a box. `Lines` of `@cert/bounds` is one. */
export interface TestedLines {
  /** Slope of the line below. */
  readonly lowerSlope: Tensor;
  /** Value at 0; 0 if omitted. */
  readonly lowerIntercept?: Tensor;
  /** Slope of the line above. */
  readonly upperSlope: Tensor;
  /** Value at 0; 0 if omitted. */
  readonly upperIntercept?: Tensor;
  /** Two lines below, of which every mixture is below, too. */
  readonly family?: readonly [first: TestedLine, second: TestedLine];
}

/** Which intervals there are, and the lines on them. */
export interface GridOptions {
  readonly name: string;
  readonly lines: (box: IntervalTensor) => TestedLines;
  readonly largest?: number;
  readonly seed?: number;
}

const MAGNITUDES = [1e-30, 1e-8, 1e-4, 0.005, 0.02, 0.3, 1, 2.5, 6, 15, 40, 1e3, 1e6, 1e8, 1e30];
const MIXTURES = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1];
/** Rounding of float32, of the magnitudes that a line is a sum of. */
const [RELATIVE, ABSOLUTE] = [1e-5, 1e-6];
/** Points inside of an interval. */
const POINTS = 50;
export interface NumberInterval {
  readonly lower: number;
  readonly upper: number;
}

/** Ends of the grid, in order. */
export function endsOf({ largest = 1e6 }: GridOptions): number[] {
  const positive = MAGNITUDES.filter((x) => x <= largest);
  return [...positive.map((x) => -x).reverse(), 0, ...positive].map(Math.fround);
}

/** All intervals between the ends, then random ones. */
export function intervalsOf(options: GridOptions): NumberInterval[] {
  const ends = endsOf(options);
  const rng = createRng(options.seed ?? 0, 'intervals');
  const limit = (x: number) => Math.fround(Math.max(ends[0]!, Math.min(ends.at(-1)!, x)));
  const random = Array.from({ length: 300 }, (): NumberInterval => {
    const [a, b] = [limit(3 * rng.normal()), limit(3 * rng.normal() * 10 ** -rng.int(4))];
    return rng.int(3) === 0
      ? { lower: Math.min(a, b), upper: Math.max(a, b) }
      : { lower: a, upper: limit(a + Math.abs(b)) };
  });
  const grid = ends.flatMap((lower) => ends.filter((upper) => upper >= lower).map((upper) => ({ lower, upper })));
  return [...grid, ...random];
}

export function boxOf(intervals: readonly NumberInterval[]): IntervalTensor {
  const [lower, upper] = (['lower', 'upper'] as const).map((side) => tf.tensor2d([intervals.map((one) => one[side])]));
  return { lower: lower!, upper: upper! };
}

/** Every tensor of lines by name. */
export function namedTensors({ family, ...usual }: TestedLines): { [name: string]: Tensor } {
  const named: { [name: string]: Tensor } = {};
  const put = (name: string, tensor: Tensor | undefined) => {
    if (tensor !== undefined) named[name] = tensor;
  };
  for (const [name, tensor] of Object.entries(usual)) put(name, tensor);
  family?.forEach(({ slope, intercept }, i) => {
    put(`family[${i}].slope`, slope);
    put(`family[${i}].intercept`, intercept);
  });
  return named;
}

export type Numbers = { readonly [name: string]: Values };

export const WHERE = 'on a grid of intervals';

/** The lines of all intervals as numbers. */
export async function numbersOf(
  { name, lines, on }: GridOptions & { readonly on: CompilingDevice | undefined },
  intervals: readonly NumberInterval[],
): Promise<Numbers> {
  if (on === undefined) {
    return evaluate<string>(() => namedTensors(guarded(name, WHERE, () => lines(boxOf(intervals)))));
  }
  const compiled = compile(on, ([lower, upper]) => namedTensors(lines({ lower: lower!, upper: upper! })));
  const { lower, upper } = boxOf(intervals);
  try {
    return await compiled.call([lower, upper]);
  } catch (error) {
    throw compileFailure(error, name, WHERE, on.name);
  } finally {
    await compiled.dispose();
    tf.dispose([lower, upper]);
  }
}

/** A line of one neuron as numbers. */
export interface NumberLine {
  readonly what: string;
  readonly slope: number;
  readonly intercept: number;
}

export const lineOf = (lines: Numbers, side: 'lower' | 'upper', i: number): NumberLine => ({
  what: side === 'lower' ? 'the line below' : 'the line above',
  slope: lines[`${side}Slope`]!.data[i]!,
  intercept: lines[`${side}Intercept`]?.data[i] ?? 0,
});

/** The mixture (1 - m) first + m second of a family; undefined where there is none. */
export function mixtureOf(lines: Numbers, i: number, m: number): NumberLine | undefined {
  if (lines['family[0].slope'] === undefined) return undefined;
  const part = (name: 'slope' | 'intercept') => {
    const [first, second] = [0, 1].map((k) => lines[`family[${k}].${name}`]?.data[i] ?? 0);
    return (1 - m) * first! + m * second!;
  };
  return { what: `the mixture ${m} of the family`, slope: part('slope'), intercept: part('intercept') };
}

export const mixturesOf = (lines: Numbers, i: number): NumberLine[] =>
  MIXTURES.flatMap((m) => mixtureOf(lines, i, m) ?? []);

/** Points of an interval: its ends, points in between, and the ends of the grid that it contains. */
export function pointsOf({ lower, upper }: NumberInterval, ends: readonly number[]): number[] {
  const between = Array.from({ length: POINTS + 1 }, (_, k) => lower + (upper - lower) * (k / POINTS));
  return [...between.map((x) => Math.min(upper, Math.max(lower, x))), ...ends.filter((x) => x > lower && x < upper)];
}

export const valueAt = ({ slope, intercept }: NumberLine, x: number): number => slope * x + intercept;

/** What rounding may make of a line at a point. */
export const allowed = ({ slope, intercept }: NumberLine, x: number, y: number): number =>
  ABSOLUTE + RELATIVE * (Math.abs(slope * x) + Math.abs(intercept) + Math.abs(y));

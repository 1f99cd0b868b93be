import type { Spec } from 'vega';
import type { Ending } from '../gallery.js';
import { notAbove, notBelow } from '../text.js';
import { type Chart, frame } from './chart.js';

/** A prediction with its label and its interval, in the units of the label. */
interface Value {
  readonly index: number;
  readonly target: number;
  readonly prediction: number | null;
  readonly interval: readonly [lower: number, upper: number] | null;
  readonly ending: Ending;
}

/** What {@link valueChart} draws. */
export interface ValueChartOptions {
  readonly id: string;
  readonly title: string;
  readonly caption: string;
  readonly values: readonly Value[];
  /** Name of what is predicted. */
  readonly target: string;
  /** What a row is called. */
  readonly row: string;
  /** Half of the height of the band around the diagonal. */
  readonly delta: number;
  /** What endings are called. */
  readonly endings: { readonly [ending in Ending]: string };
}

/** Endings with the variable of their colour, and a shape for eyes that do not tell the colours apart. */
const MARKS: { readonly [ending in Ending]: string } = {
  ...{ certified: 'circle', undecided: 'square', broken: 'triangle-up', misclassified: 'cross' },
};

/** Rows of the table, at most. */
const ROWS = 200;

/** Rows that the cursor tells of at one label, at most. */
const TOLD = 3;

/** How far the vertical axis reaches beyond the labels, in multiples of their range. */
const BEYOND = 1.5;

/** Height of the plot in CSS pixels. */
const PLOT = 300;

/** Predictions over labels: a point for each, on a bar where the prediction provably stays. */
export function valueChart({ id, title, caption, values, target, row, delta, endings }: ValueChartOptions): Chart {
  const known = values.flatMap(({ prediction, interval, ...rest }) =>
    prediction === null ? [] : [{ ...rest, prediction, interval }],
  );
  const [from, to] = extent(known.map((value) => value.target));
  const domain = verticalDomain(known, [from, to]);
  const beyond = known.filter(({ prediction, interval }) =>
    [prediction, ...(interval ?? [])].some((y) => y < domain[0] || y > domain[1]),
  ).length;
  const cut = beyond === 0 ? '' : ` ${beyond} ${beyond === 1 ? `${row} reaches` : `${row}s reach`} beyond the figure.`;
  const listed = known.slice(0, ROWS);
  const rest = known.length > ROWS ? ` The table has the first ${ROWS}.` : '';
  const spec: Spec = {
    ...frame(`${title}. ${caption}`, { height: PLOT }),
    data: [
      { name: 'band', values: [from, to].map((x) => ({ x, lower: x - delta, upper: x + delta })) },
      {
        name: 'values',
        values: known.map(({ target: x, prediction: y, interval, ending }) => ({
          ...{ x, y, ending, lower: interval?.[0] ?? y, upper: interval?.[1] ?? y },
        })),
      },
    ],
    scales: [
      { name: 'x', type: 'linear', domain: [from, to], range: 'width', zero: false, nice: false },
      { name: 'y', type: 'linear', domain: [...domain], range: 'height', zero: false, nice: false },
      {
        ...{ name: 'color', type: 'ordinal', domain: Object.keys(MARKS) },
        range: Object.keys(MARKS).map((ending) => `var(--${ending})`),
      },
      { name: 'shape', type: 'ordinal', domain: Object.keys(MARKS), range: Object.values(MARKS) },
    ],
    axes: [
      {
        ...{ orient: 'bottom', scale: 'x', title: `label (${target})`, labelOverlap: true },
        tickCount: { signal: 'max(2, min(10, ceil(width / 70)))' },
      },
      { orient: 'left', scale: 'y', title: 'prediction', tickCount: 6, grid: true, ticks: false },
    ],
    marks: [
      {
        type: 'area',
        interactive: false,
        clip: true,
        from: { data: 'band' },
        encode: {
          update: {
            x: { scale: 'x', field: 'x' },
            y: { scale: 'y', field: 'lower' },
            y2: { scale: 'y', field: 'upper' },
            ...{ fill: { value: 'var(--certified)' }, fillOpacity: { value: 0.1 } },
          },
        },
      },
      {
        type: 'line',
        interactive: false,
        clip: true,
        from: { data: 'band' },
        encode: {
          update: {
            ...{ x: { scale: 'x', field: 'x' }, y: { scale: 'y', field: 'x' } },
            ...{ stroke: { value: 'var(--soft)' }, strokeDash: { value: [4, 3] } },
          },
        },
      },
      {
        type: 'rule',
        interactive: false,
        clip: true,
        from: { data: 'values' },
        encode: {
          update: {
            x: { scale: 'x', field: 'x' },
            y: { scale: 'y', field: 'lower' },
            y2: { scale: 'y', field: 'upper' },
            stroke: { scale: 'color', field: 'ending' },
            strokeWidth: { signal: 'isValid(at) && datum.x === at ? 3 : 1.5' },
            strokeOpacity: { signal: 'isValid(at) ? (datum.x === at ? 1 : 0.25) : 0.6' },
          },
        },
      },
      {
        type: 'symbol',
        interactive: false,
        clip: true,
        from: { data: 'values' },
        encode: {
          update: {
            ...{ x: { scale: 'x', field: 'x' }, y: { scale: 'y', field: 'y' } },
            fill: { scale: 'color', field: 'ending' },
            shape: { scale: 'shape', field: 'ending' },
            size: { signal: 'isValid(at) && datum.x === at ? 70 : 26' },
            fillOpacity: { signal: 'isValid(at) && datum.x !== at ? 0.4 : 1' },
          },
        },
      },
    ],
  };
  const byTarget = new Map<number, typeof known>();
  for (const value of known.toSorted((a, b) => a.target - b.target)) {
    byTarget.set(value.target, [...(byTarget.get(value.target) ?? []), value]);
  }
  const told = (value: (typeof known)[number]) =>
    `${row} ${value.index} predicted ${text(value.prediction)}${value.interval === null ? '' : `, proved ${intervalText(value.interval)}`}, ${endings[value.ending]}`;
  return {
    ...{ id, title, caption: `${caption}${cut}${rest}`, spec, legend: [] },
    cursor: {
      group: id,
      places: [...byTarget].map(([x, at]) => ({
        x,
        text: `label ${text(x)}: ${at.slice(0, TOLD).map(told).join('; ')}${at.length > TOLD ? `; and ${at.length - TOLD} more` : ''}`,
      })),
    },
    table: {
      head: [row, 'label', 'prediction', 'proved interval', 'outcome'],
      rows: listed.map((value) => [
        ...[String(value.index), text(value.target), text(value.prediction)],
        ...[value.interval === null ? 'none' : intervalText(value.interval), endings[value.ending]],
      ]),
    },
  };
}

const text = (value: number): string => String(Number(value.toPrecision(6)));

const intervalText = ([lower, upper]: readonly [number, number]): string => `${notAbove(lower)} to ${notBelow(upper)}`;

/** The range of labels, with room for the bars at its ends. */
function extent(targets: readonly number[]): readonly [number, number] {
  if (targets.length === 0) return [0, 1];
  const [least, most] = [Math.min(...targets), Math.max(...targets)];
  const room = least === most ? Math.max(1, Math.abs(least)) / 10 : (most - least) / 40;
  return [least - room, most + room];
}

/** Where points and bars are; a bar that reaches far beyond the labels is cut off, so that the others stay visible. */
function verticalDomain(
  values: readonly { readonly prediction: number; readonly interval: Value['interval'] }[],
  [from, to]: readonly [number, number],
): readonly [number, number] {
  const all = values.flatMap(({ prediction, interval }) => [prediction, ...(interval ?? [])]);
  const room = BEYOND * (to - from);
  return [Math.max(from - room, Math.min(from, ...all)), Math.min(to + room, Math.max(to, ...all))];
}

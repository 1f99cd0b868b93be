/** Rows of intervals on one axis: bounds of logits, or of margins. */
import { valueText } from '../numbers.js';
import { label, picture, tag, ticks } from '../svg.js';

/** A row of the chart. */
export interface IntervalRow {
  readonly name: string;
  /** Whether the row is about the prediction. */
  readonly strong: boolean;
  /** The value without perturbation. */
  readonly value: number;
  /** The value at an adversarial example. */
  readonly attacked?: number | undefined;
  /** An interval for each method, in one order; ends may be infinite or NaN. */
  readonly intervals: readonly { readonly lower: number; readonly upper: number }[];
  /** At the end of the row. */
  readonly note?: string;
}

const [WIDTH, ROW, LEFT, RIGHT, TOP] = [360, 20, 44, 58, 4];

/**
 * Draws rows. Intervals that leave the axis end in an arrow; a bound that is not finite spans the whole axis.
 *
 * @param options.most the axis runs from -most to most
 * @param options.zero draws the line at 0 as a threshold
 */
export function intervalChart(
  rows: readonly IntervalRow[],
  { most, zero, description }: { readonly most: number; readonly zero: boolean; readonly description: string },
): string {
  const bottom = TOP + rows.length * ROW;
  const x = (value: number) =>
    LEFT + ((Math.min(most, Math.max(-most, value)) + most) / (2 * most)) * (WIDTH - LEFT - RIGHT);
  const lines = ticks(-most, most, 5).flatMap((value) => {
    const axis = value === 0 && zero ? 'threshold' : 'grid';
    return [
      tag('line', { class: axis, x1: x(value), x2: x(value), y1: TOP, y2: bottom }),
      label(x(value), bottom + 12, valueText(value).replace(/\.00?$/, ''), { class: 'tick', 'text-anchor': 'middle' }),
    ];
  });
  const drawn = rows.flatMap((row, i) => drawRow(row, TOP + i * ROW, { x, most }));
  return picture(WIDTH, bottom + 16, description, [...lines, ...drawn]);
}

interface Axis {
  readonly x: (value: number) => number;
  readonly most: number;
}

function drawRow(row: IntervalRow, top: number, { x, most }: Axis): string[] {
  const middle = top + ROW / 2;
  const name = label(LEFT - 8, middle + 4, row.name, { class: row.strong ? 'strong' : 'row', 'text-anchor': 'end' });
  const bars = row.intervals.flatMap(({ lower, upper }, i) => {
    const [from, to] = [Number.isFinite(lower) ? lower : -2 * most, Number.isFinite(upper) ? upper : 2 * most];
    const y = top + 3 + i * 7;
    const bar = tag('rect', { class: `method-${i}`, x: x(from), y, width: Math.max(1, x(to) - x(from)), height: 6 });
    return [
      bar,
      ...(from < -most ? [arrow(x(-most), y + 3, -1, i)] : []),
      ...(to > most ? [arrow(x(most), y + 3, 1, i)] : []),
    ];
  });
  const value = tag('line', { class: 'value', x1: x(row.value), x2: x(row.value), y1: top + 1, y2: top + ROW - 2 });
  const { attacked } = row;
  const diamond =
    attacked === undefined || !Number.isFinite(attacked)
      ? []
      : [tag('path', { class: 'attacked', d: `M${x(attacked)} ${middle - 5}l5 5l-5 5l-5 -5z` })];
  const note = row.note === undefined ? [] : [label(WIDTH - RIGHT + 10, middle + 4, row.note, { class: 'row' })];
  return [name, ...bars, value, ...diamond, ...note];
}

/** An end beyond the axis. */
const arrow = (x: number, y: number, to: number, method: number) =>
  tag('path', { class: `method-${method}`, d: `M${x} ${y - 4}l${6 * to} 4l${-6 * to} 4z` });

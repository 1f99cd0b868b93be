import type { Spec } from 'vega';
import { type Chart, frame } from './chart.js';

/** What {@link histogram} draws. */
export interface HistogramOptions {
  readonly id: string;
  readonly title: string;
  readonly caption: string;
  readonly values: readonly number[];
  readonly xTitle: string;
  readonly yTitle: string;
  /** Values from here on have the colour of what is certified. */
  readonly from: number;
  readonly fromName: string;
  readonly text: (x: number) => string;
}

/** Columns, at most. */
const BINS = 24;

/** How many values lie in each of equal intervals; one interval begins exactly at `from`. */
export function histogram({
  id,
  title,
  caption,
  values,
  xTitle,
  yTitle,
  from,
  fromName,
  text,
}: HistogramOptions): Chart {
  const bins = binsOf(values, from);
  const end = bins.at(-1)?.to ?? 1;
  const spec: Spec = {
    ...frame(`${title}. ${caption}`, { top: 20 }),
    data: [
      { name: 'bins', values: bins.map((bin) => ({ ...bin })) },
      { name: 'rules', values: [{ x: from, name: fromName }] },
    ],
    scales: [
      { name: 'x', type: 'linear', domain: [0, end], range: 'width', zero: true, nice: false },
      { name: 'y', type: 'linear', domain: { data: 'bins', field: 'count' }, range: 'height', zero: true, nice: true },
    ],
    axes: [
      {
        ...{ orient: 'bottom', scale: 'x', title: xTitle, format: '~g', labelOverlap: true },
        tickCount: { signal: 'max(2, min(10, ceil(width / 70)))' },
      },
      {
        orient: 'left',
        scale: 'y',
        title: yTitle,
        format: 'd',
        tickCount: 5,
        tickMinStep: 1,
        grid: true,
        ticks: false,
      },
    ],
    marks: [
      {
        type: 'rect',
        interactive: false,
        from: { data: 'bins' },
        encode: {
          update: {
            x: { scale: 'x', field: 'from', offset: 0.5 },
            x2: { scale: 'x', field: 'to', offset: -0.5 },
            y: { scale: 'y', field: 'count' },
            y2: { scale: 'y', value: 0 },
            fill: { signal: `datum.from >= ${from} ? 'var(--certified)' : 'var(--undecided)'` },
            fillOpacity: { signal: 'isValid(at) && at === datum.middle ? 1 : 0.8' },
          },
        },
      },
      {
        type: 'rule',
        interactive: false,
        from: { data: 'rules' },
        encode: {
          update: {
            ...{ x: { scale: 'x', field: 'x' }, y: { value: 0 }, y2: { signal: 'height' } },
            ...{ stroke: { value: 'var(--ink)' }, strokeDash: { value: [3, 3] } },
          },
        },
      },
      {
        type: 'text',
        interactive: false,
        from: { data: 'rules' },
        encode: {
          update: {
            x: { scale: 'x', field: 'x', offset: { signal: "scale('x', datum.x) > width / 2 ? -5 : 5" } },
            align: { signal: "scale('x', datum.x) > width / 2 ? 'right' : 'left'" },
            ...{ y: { value: -6 }, text: { field: 'name' }, fill: { value: 'var(--ink)' }, fontSize: { value: 12 } },
          },
        },
      },
    ],
  };
  return {
    ...{ id, title, caption, spec, legend: [] },
    cursor: {
      group: id,
      places: bins.map((bin) => ({ x: bin.middle, text: `${text(bin.from)} to ${text(bin.to)}: ${bin.count}` })),
    },
    table: {
      head: [xTitle, yTitle],
      rows: bins.map((bin) => [`${text(bin.from)} to ${text(bin.to)}`, String(bin.count)]),
    },
  };
}

/** Half-open intervals of one width, from 0 to the largest value. */
export function binsOf(values: readonly number[], from: number) {
  const most = Math.max(from, ...values);
  if (!(most > 0)) return [{ from: 0, middle: 0.5, to: 1, count: values.length }];
  // So wide that `from` is an end of one, where it is no smaller than a column.
  const rough = most / BINS;
  const width = from >= rough ? from / Math.floor(from / rough) : rough;
  const bins = Math.floor(most / width) + 1;
  const edge = (i: number) => (Math.abs(i * width - from) < width / 1000 ? from : i * width);
  return Array.from({ length: bins }, (_, i) => {
    const [low, high] = [edge(i), edge(i + 1)];
    return { from: low, middle: (low + high) / 2, to: high, count: values.filter((x) => x >= low && x < high).length };
  });
}

import type { Mark, Scale, Spec } from 'vega';
import { type Chart, COLORS, colorOf, DASHES, frame } from './chart.js';

/** A line. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Where the true value is, with a confidence: drawn behind the line. */
  readonly interval?: readonly (readonly [x: number, lower: number, upper: number])[];
}

/** A shaded part of the horizontal axis. */
export interface Shade {
  /** A variable of the page's style. */
  readonly color: string;
  readonly from: number;
  readonly to: number;
}

/** What {@link lineChart} draws. */
export interface LineChartOptions {
  readonly id: string;
  readonly title: string;
  readonly caption: string;
  readonly series: readonly Series[];
  readonly x: {
    readonly title: string;
    readonly name: string;
    readonly format?: string;
    readonly domain?: readonly [number, number];
  };
  readonly y: {
    readonly title: string;
    readonly format: string;
    readonly log?: boolean;
    /** Places of labels and lines; default some round ones. */
    readonly values?: readonly number[];
    readonly domain?: readonly [number, number];
  };
  /** Values as text. */
  readonly text: (y: number) => string;
  readonly textOfX?: (x: number) => string;
  readonly shades?: readonly Shade[];
  /** Vertical lines with a label. */
  readonly rules?: readonly { readonly x: number; readonly name: string }[];
  /** Points or not, and how they are joined; default straight lines with points where there are few. */
  readonly steps?: 'step-before';
  readonly group: string;
  /** Colours may start anywhere in the palette. */
  readonly firstColor?: number;
}

/** Points of a line that are marked, at most. */
const MARKED = 40;

/** Rows of the table, at most. */
const ROWS = 60;

/** Lines over a quantity. */
export function lineChart(options: LineChartOptions): Chart {
  const { id, title, caption, series, x, y, shades = [], rules = [], steps, group, text, firstColor = 0 } = options;
  const { textOfX = (value) => String(Number(value.toPrecision(4))) } = options;
  const all = series.flatMap(({ points }) => points);
  const xs = [...new Set(all.map(([at]) => at))].sort((a, b) => a - b);
  const legend = series.map(({ name }, i) => ({
    name,
    color: (firstColor + i) % COLORS,
    dash: Math.floor((firstColor + i) / COLORS) % DASHES.length,
  }));
  const shown = y.log ? all.filter(([, value]) => value > 0) : all;
  const spec: Spec = {
    ...frame(`${title}. ${caption}`, { top: rules.length > 0 ? 20 : 4 }),
    data: [
      {
        name: 'points',
        values: series.flatMap(({ name, points }) =>
          points.flatMap(([px, py]) => (y.log && !(py > 0) ? [] : [{ series: name, x: px, y: py }])),
        ),
        transform: [{ type: 'filter', expr: 'indexof(hidden, datum.series) < 0' }],
      },
      {
        name: 'intervals',
        values: series.flatMap(({ name, interval = [] }) =>
          interval.map(([px, lower, upper]) => ({ series: name, x: px, lower, upper })),
        ),
        transform: [{ type: 'filter', expr: 'indexof(hidden, datum.series) < 0' }],
      },
      { name: 'shades', values: [...shades] },
      { name: 'rules', values: [...rules] },
    ],
    scales: [
      {
        ...{ name: 'x', type: 'linear', range: 'width', zero: false, nice: false },
        domain: [...(x.domain ?? extent(xs))],
      },
      yScale(
        y,
        shown.map(([, value]) => value),
      ),
      {
        name: 'color',
        type: 'ordinal',
        domain: legend.map(({ name }) => name),
        range: legend.map(({ color }) => colorOf(color)),
      },
      {
        ...{ name: 'dash', type: 'ordinal', domain: legend.map(({ name }) => name) },
        range: legend.map(({ dash }) => [...DASHES[dash]!]),
      },
    ],
    axes: [
      {
        ...{ orient: 'bottom', scale: 'x', title: x.title, labelOverlap: true },
        tickCount: { signal: 'max(2, min(10, ceil(width / 70)))' },
        ...(x.format === undefined ? {} : { format: x.format }),
        ...(x.format === 'd' ? { tickMinStep: 1 } : {}),
      },
      {
        ...{ orient: 'left', scale: 'y', title: y.title, format: y.format, tickCount: 5, grid: true, ticks: false },
        ...(y.values === undefined ? {} : { values: [...y.values] }),
      },
    ],
    marks: [...shadeMarks(), intervalMarks(steps), lineMarks(steps, series), ...ruleMarks(), ...cursorMarks()],
  };
  return {
    ...{ id, title, caption, spec },
    legend: series.length > 1 ? legend : [],
    cursor: {
      group,
      places: xs.map((at) => ({
        x: at,
        text: `${x.name} ${textOfX(at)}: ${valuesAt(series, at, text, steps !== undefined)}`,
      })),
    },
    table: {
      head: [x.title, ...series.map(({ name }) => name)],
      rows: some(xs).map((at) => [textOfX(at), ...series.map((each) => valueAt(each, at, text))]),
    },
  };
}

const extent = (values: readonly number[]): readonly [number, number] => {
  const [first = 0, last = 1] = [values[0], values.at(-1)];
  return first === last ? [first - 1, first + 1] : [first, last];
};

function yScale({ log = false, domain }: LineChartOptions['y'], values: readonly number[]): Scale {
  const shared = { name: 'y', range: 'height' as const, nice: true, domain: [...(domain ?? yDomain(values, log))] };
  return log ? { ...shared, type: 'log' } : { ...shared, type: 'linear', zero: true };
}

function yDomain(values: readonly number[], log: boolean): readonly [number, number] {
  if (values.length === 0) return log ? [0.1, 1] : [0, 1];
  const [min, max] = [Math.min(...values), Math.max(...values)];
  if (log) return min === max ? [min / 2, max * 2] : [min, max];
  return [Math.min(0, min), max === 0 && min === 0 ? 1 : Math.max(0, max)];
}

const valueAt = ({ points }: Series, at: number, text: (y: number) => string): string => {
  const found = points.find(([x]) => x === at);
  return found === undefined ? '' : text(found[1]);
};

/** What the series are at a place; in steps also between two points. */
function valuesAt(series: readonly Series[], at: number, text: (y: number) => string, steps: boolean): string {
  return series
    .flatMap((each) => {
      const found = each.points.find(([x]) => (steps ? x >= at : x === at));
      if (found === undefined) return [];
      return [series.length === 1 ? text(found[1]) : `${each.name} ${text(found[1])}`];
    })
    .join('\u2002·\u2002');
}

const some = <T>(rows: readonly T[]): readonly T[] => {
  const every = Math.ceil(rows.length / ROWS);
  return rows.filter((_, i) => (rows.length - 1 - i) % every === 0);
};

const x = { scale: 'x', field: 'x' };
const y = { scale: 'y', field: 'y' };
const color = { scale: 'color', field: 'series' };

const shadeMarks = (): readonly Mark[] => [
  {
    type: 'rect',
    from: { data: 'shades' },
    interactive: false,
    encode: {
      update: {
        x: { scale: 'x', field: 'from' },
        x2: { scale: 'x', field: 'to' },
        ...{ y: { value: 0 }, y2: { signal: 'height' }, fill: { field: 'color' } },
      },
    },
  },
];

const intervalMarks = (steps: LineChartOptions['steps']): Mark => ({
  type: 'group',
  interactive: false,
  from: { facet: { name: 'band', data: 'intervals', groupby: 'series' } },
  marks: [
    {
      type: 'area',
      interactive: false,
      from: { data: 'band' },
      encode: {
        update: {
          x,
          y: { scale: 'y', field: 'lower' },
          y2: { scale: 'y', field: 'upper' },
          fill: color,
          fillOpacity: { value: 0.18 },
          ...(steps && { interpolate: { value: steps } }),
        },
      },
    },
  ],
});

function lineMarks(steps: LineChartOptions['steps'], series: readonly Series[]): Mark {
  const few = steps === undefined && series.every(({ points }) => points.length <= MARKED);
  return {
    type: 'group',
    interactive: false,
    from: { facet: { name: 'line', data: 'points', groupby: 'series' } },
    marks: [
      {
        type: 'line',
        interactive: false,
        from: { data: 'line' },
        encode: {
          update: {
            ...{ x, y, stroke: color, strokeWidth: { value: 2 }, strokeDash: { scale: 'dash', field: 'series' } },
            ...(steps && { interpolate: { value: steps } }),
          },
        },
      },
      ...(few
        ? [
            {
              type: 'symbol' as const,
              interactive: false,
              from: { data: 'line' },
              encode: { update: { x, y, fill: color, size: { value: 22 } } },
            },
          ]
        : []),
    ],
  };
}

const ruleMarks = (): readonly Mark[] => [
  {
    type: 'rule',
    interactive: false,
    from: { data: 'rules' },
    encode: {
      update: {
        ...{ x, y: { value: 0 }, y2: { signal: 'height' }, stroke: { value: 'var(--ink)' } },
        strokeDash: { value: [3, 3] },
      },
    },
  },
  {
    type: 'text',
    interactive: false,
    from: { data: 'rules' },
    encode: {
      update: {
        // On the side where there is more room.
        x: { scale: 'x', field: 'x', offset: { signal: "scale('x', datum.x) > width / 2 ? -5 : 5" } },
        align: { signal: "scale('x', datum.x) > width / 2 ? 'right' : 'left'" },
        ...{ y: { value: -6 }, text: { field: 'name' } },
        ...{ fill: { value: 'var(--ink)' }, fontSize: { value: 12 } },
      },
    },
  },
];

/** A vertical line at the cursor, and points on the lines. */
const cursorMarks = (): readonly Mark[] => [
  {
    type: 'rule',
    interactive: false,
    encode: {
      update: {
        x: { scale: 'x', signal: "isValid(at) ? at : domain('x')[0]" },
        ...{ y: { value: 0 }, y2: { signal: 'height' }, stroke: { value: 'var(--ink)' }, strokeWidth: { value: 1 } },
        opacity: { signal: 'isValid(at) ? 0.6 : 0' },
      },
    },
  },
  {
    type: 'symbol',
    interactive: false,
    from: { data: 'points' },
    encode: {
      update: {
        ...{ x, y, fill: color, stroke: { value: 'var(--page)' }, size: { value: 60 } },
        opacity: { signal: 'isValid(at) && datum.x === at ? 1 : 0' },
      },
    },
  },
];

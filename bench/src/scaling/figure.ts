import { parse, type Spec, View } from 'vega';
import type { Measurement } from './measure.js';
import type { Series } from './points.js';

/** A row of small figures: what is measured, and what it should grow with at most. */
interface Row {
  readonly title: string;
  readonly measured: (m: Measurement) => number;
  readonly work: (m: Measurement) => number;
}

const ROWS: readonly Row[] = [
  { title: 'ms a step, with the multiply-adds', measured: (m) => m.medianMs, work: (m) => m.gflop },
  {
    title: 'peak MiB, with activations and parameters',
    measured: (m) => m.peakMiB,
    work: (m) => m.activationMiB + m.parameterMiB,
  },
  { title: 'ms of tracing, with the nodes of the graph', measured: (m) => m.traceMs, work: (m) => m.nodes },
];
const SERIES: readonly Series[] = ['batch', 'width', 'depth'];
const [WIDTH, HEIGHT] = [230, 170];
const LINES = ['measured', 'in proportion to the work'];

/**
 * The figure of scaling: for each series (columns) time, memory and tracing (rows) against the size, both axes logarithmic. The dashed
 * line starts at the smallest point and grows with the work: what rises above it grows faster than the work it does.
 */
export function scalingFigure(measurements: readonly Measurement[]): Spec {
  const present = SERIES.filter((series) => measurements.some((m) => m.series === series));
  return {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    description: 'Time, memory and tracing of a training step against batch, width and depth',
    background: 'white',
    padding: 12,
    // Flush: without a canvas the widths of texts are only guessed.
    layout: { columns: present.length, padding: { column: 90, row: 75 }, bounds: 'flush', align: 'each' },
    scales: [
      { name: 'color', type: 'ordinal', domain: LINES, range: ['#0072b2', '#777777'] },
      { name: 'dash', type: 'ordinal', domain: LINES, range: [[], [5, 4]] },
    ],
    legends: [
      {
        stroke: 'color',
        strokeDash: 'dash',
        symbolType: 'stroke',
        orient: 'top',
        direction: 'horizontal',
        labelLimit: 300,
        offset: 30,
      },
    ],
    marks: ROWS.flatMap((row) =>
      present.map((series) =>
        panel(
          row,
          series,
          measurements.filter((m) => m.series === series),
        ),
      ),
    ),
  };
}

function panel(
  { title, measured, work }: Row,
  series: Series,
  members: readonly Measurement[],
): NonNullable<Spec['marks']>[number] {
  const first = members[0]!;
  const unit = measured(first) / work(first);
  const line = (name: string, y: (m: Measurement) => number) =>
    members.map((m) => ({ line: name, x: m.size, y: y(m) }));
  const values = [...line(LINES[0]!, measured), ...line(LINES[1]!, (m) => unit * work(m))];
  const position = { x: { scale: 'x', field: 'x' }, y: { scale: 'y', field: 'y' } } as const;
  return {
    type: 'group',
    title: { text: title, anchor: 'start', fontSize: 12, offset: 6 },
    encode: { enter: { width: { value: WIDTH }, height: { value: HEIGHT } } },
    data: [{ name: 'points', values }],
    scales: [
      { name: 'x', type: 'log', base: 2, domain: { data: 'points', field: 'x' }, range: [0, WIDTH] },
      { name: 'y', type: 'log', domain: { data: 'points', field: 'y' }, range: [HEIGHT, 0], nice: true },
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title: series, values: members.map((m) => m.size), format: 'd' },
      { orient: 'left', scale: 'y', grid: true, gridScale: 'x', gridColor: '#e5e5e5', tickCount: 4, format: '~s' },
    ],
    marks: [
      {
        type: 'group',
        from: { facet: { name: 'line', data: 'points', groupby: 'line' } },
        marks: [
          {
            type: 'line',
            from: { data: 'line' },
            encode: {
              enter: {
                ...position,
                stroke: { scale: 'color', field: 'line' },
                strokeDash: { scale: 'dash', field: 'line' },
                strokeWidth: { value: 2 },
              },
            },
          },
        ],
      },
      {
        type: 'symbol',
        from: { data: 'points' },
        encode: {
          enter: {
            ...position,
            size: { value: 36 },
            fill: { scale: 'color', field: 'line' },
            opacity: [{ test: `datum.line === '${LINES[0]}'`, value: 1 }, { value: 0 }],
          },
        },
      },
    ],
  };
}

/** Draws a figure: the text of an SVG file. */
export async function renderSvg(spec: Spec): Promise<string> {
  const view = new View(parse(spec), { renderer: 'none' });
  const svg = await view.toSVG();
  view.finalize();
  return `${svg}\n`;
}

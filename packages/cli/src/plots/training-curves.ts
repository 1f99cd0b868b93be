import type { MonitoredName } from '@cert/trainer/pipeline';
import type { GroupMark, Spec } from 'vega';
import { COLORS, CONFIG, type Heading } from './render.js';

/** One run over its epochs. Plain data. */
export interface TrainingCurve {
  readonly name: string;
  /** The images of the verified error; default test. */
  readonly monitored?: MonitoredName | undefined;
  readonly epochs: readonly {
    readonly epoch: number;
    /** The mean over the epoch. */
    readonly loss: number | null;
    /** A fraction, at the radius of the epoch. */
    readonly verifiedError: number | null;
  }[];
}

const PANELS = [
  { field: 'loss', title: 'training loss', format: '~g' },
  { field: 'verifiedError', title: 'verified error', format: '.0%' },
] as const;

/** One panel. */
interface Panel {
  readonly field: string;
  readonly title: string;
  readonly format: string;
}

/** How lines look when there are more runs than colours. */
const DASHES = [
  [1, 0],
  [6, 3],
  [2, 2],
];

/** The figure of a comparison: loss and verified error over the epochs, a line for each run. */
export function trainingCurvesFigure(curves: readonly TrainingCurve[], { title, subtitle }: Heading): Spec {
  const names = curves.map(({ name }) => name);
  const monitored = [...new Set(curves.map((curve) => curve.monitored ?? 'test'))].sort().join(' or ');
  const last = Math.max(1, ...curves.flatMap(({ epochs }) => epochs.map(({ epoch }) => epoch)));
  return {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    description: [title, ...subtitle].join('. '),
    background: 'white',
    padding: 12,
    config: CONFIG,
    title: { text: title, subtitle: [...subtitle], anchor: 'start' },
    layout: { columns: 1, padding: 24, bounds: 'full', align: 'each' },
    data: PANELS.map(({ field }) => ({
      name: field,
      values: curves.flatMap(({ name, epochs }) =>
        epochs.flatMap((each) => (each[field] === null ? [] : [{ name, epoch: each.epoch, value: each[field] }])),
      ),
    })),
    scales: [
      { name: 'x', type: 'linear', domain: last === 1 ? [0, 2] : [1, last], range: [0, 480], nice: false, zero: false },
      { name: 'color', type: 'ordinal', domain: names, range: COLORS },
      {
        name: 'dash',
        type: 'ordinal',
        domain: names,
        range: names.map((_, i) => DASHES[Math.floor(i / COLORS.length) % DASHES.length]!),
      },
    ],
    legends: [
      {
        stroke: 'color',
        strokeDash: 'dash',
        symbolType: 'stroke',
        symbolStrokeWidth: 3,
        orient: 'right',
        title: 'run',
        labelLimit: 240,
      },
    ],
    marks: PANELS.map((each) =>
      panel(each.field === 'loss' ? each : { ...each, title: `${each.title} on the ${monitored} split` }),
    ),
  };
}

function panel({ field, title, format }: Panel): GroupMark {
  const place = { x: { scale: 'x', field: 'epoch' }, y: { scale: 'y', field: 'value' } };
  const color = { scale: 'color', field: 'name' };
  return {
    type: 'group',
    encode: { enter: { width: { value: 480 }, height: { value: 180 } } },
    scales: [
      { name: 'y', type: 'linear', domain: { data: field, field: 'value' }, range: [180, 0], nice: true, zero: true },
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title: 'epoch', tickMinStep: 1, format: 'd' },
      { orient: 'left', scale: 'y', title, format, tickCount: 5, grid: true },
    ],
    marks: [
      {
        type: 'group',
        from: { facet: { name: `${field}Line`, data: field, groupby: 'name' } },
        marks: [
          {
            type: 'line',
            from: { data: `${field}Line` },
            encode: {
              enter: {
                ...place,
                stroke: color,
                strokeWidth: { value: 2 },
                strokeDash: { scale: 'dash', field: 'name' },
              },
            },
          },
          {
            type: 'symbol',
            from: { data: `${field}Line` },
            encode: { enter: { ...place, fill: color, size: { value: 24 } } },
          },
        ],
      },
    ],
  };
}

import type { Spec } from 'vega';
import type { ReluEpoch } from '../show/relu-report.js';
import { CONFIG, type Heading } from './render.js';

/** From the bottom to the top of a column. */
const STATES = ['active', 'unstable', 'inactive'] as const;
const COLORS = ['#0072b2', '#e69f00', '#999999'];
/** Columns of the figure. */
const COLUMNS = 3;

/** The figure of imbalance: for each layer, over the epochs, the shares of its neurons in each state, one upon the other. */
export function reluStatesFigure(epochs: readonly ReluEpoch[], { title, subtitle }: Heading): Spec {
  const nodes = Object.keys(epochs[0]!.layers);
  // Layer by layer: the order of the small figures is that in which their layers appear in the data.
  const values = nodes.flatMap((node) =>
    epochs.flatMap(({ epoch, layers }) => {
      let from = 0;
      return STATES.map((state) => {
        const part = { epoch, node, state, from, to: from + layers[node]![state] };
        from = part.to;
        return part;
      });
    }),
  );
  return {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    description: [title, ...subtitle].join('. '),
    background: 'white',
    padding: 12,
    config: CONFIG,
    title: { text: title, subtitle: [...subtitle], anchor: 'start' },
    layout: { columns: Math.min(COLUMNS, nodes.length), padding: 24, bounds: 'full', align: 'each' },
    data: [{ name: 'states', values }],
    scales: [
      { name: 'x', type: 'band', domain: epochs.map(({ epoch }) => epoch), range: [0, 180] },
      { name: 'y', type: 'linear', domain: [0, 1], range: [120, 0] },
      { name: 'color', type: 'ordinal', domain: [...STATES], range: COLORS },
    ],
    legends: [{ fill: 'color', symbolType: 'square', orient: 'right', title: 'neurons' }],
    marks: [
      {
        type: 'group',
        from: { facet: { name: 'layer', data: 'states', groupby: 'node' } },
        title: { text: { signal: 'parent.node' }, anchor: 'start', fontSize: 12, offset: 4 },
        encode: { enter: { width: { value: 180 }, height: { value: 120 } } },
        axes: [
          { orient: 'bottom', scale: 'x', title: 'epoch', labelOverlap: true, ticks: false, labelPadding: 4 },
          { orient: 'left', scale: 'y', format: '%', tickCount: 4, title: 'share of neurons' },
        ],
        marks: [
          {
            type: 'rect',
            from: { data: 'layer' },
            encode: {
              enter: {
                x: { scale: 'x', field: 'epoch' },
                width: { scale: 'x', band: 1 },
                y: { scale: 'y', field: 'to' },
                y2: { scale: 'y', field: 'from' },
                fill: { scale: 'color', field: 'state' },
                // Covers the seams between columns.
                stroke: { scale: 'color', field: 'state' },
                strokeWidth: { value: 0.5 },
              },
            },
          },
        ],
      },
    ],
  };
}

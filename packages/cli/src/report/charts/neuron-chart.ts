import type { Spec } from 'vega';
import type { LayerStates } from '../training.js';
import { type Chart, frame } from './chart.js';

/** From the bottom to the top, each with its colour. */
const STATES = ['active', 'unstable', 'inactive'] as const;

/** Colours of the palette for the states. */
export const STATE_COLORS = [0, 1, 6];

/** Height of the plot in CSS pixels: there may be many layers. */
const PLOT = 110;

/** The shares of the neurons of a layer in each state over the epochs, one upon the other. */
export function neuronChart(id: string, { layer, epochs }: LayerStates, group: string): Chart {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const values = epochs.flatMap(({ epoch, ...shares }) => {
    let from = 0;
    return STATES.map((state) => {
      const part = { epoch, state, from, to: from + shares[state] };
      from = part.to;
      return part;
    });
  });
  const title = `Neurons of ${layer}`;
  const last = epochs.at(-1);
  const caption =
    last === undefined
      ? ''
      : `After epoch ${last.epoch}: ${STATES.map((state) => `${percent(last[state])} ${state}`).join(', ')}.`;
  const spec: Spec = {
    ...frame(`${title}. ${caption}`, { height: PLOT }),
    data: [{ name: 'states', values }],
    scales: [
      // A column for each epoch, which ends where the epoch does.
      {
        name: 'x',
        type: 'linear',
        domain: [(epochs[0]?.epoch ?? 1) - 1, last?.epoch ?? 1],
        range: 'width',
        zero: false,
      },
      { name: 'y', type: 'linear', domain: [0, 1], range: 'height' },
      { name: 'color', type: 'ordinal', domain: [...STATES], range: STATE_COLORS.map((i) => `var(--series-${i})`) },
    ],
    axes: [
      {
        ...{ orient: 'bottom', scale: 'x', title: 'epoch', format: 'd', tickMinStep: 1, labelOverlap: true },
        tickCount: { signal: 'max(2, min(10, ceil(width / 70)))' },
      },
      { orient: 'left', scale: 'y', format: '%', tickCount: 4, ticks: false },
    ],
    marks: [
      {
        type: 'rect',
        interactive: false,
        from: { data: 'states' },
        encode: {
          update: {
            x: { scale: 'x', signal: 'datum.epoch - 1' },
            // A pixel more: no seams.
            x2: { scale: 'x', field: 'epoch', offset: 0.5 },
            y: { scale: 'y', field: 'to' },
            y2: { scale: 'y', field: 'from' },
            fill: { scale: 'color', field: 'state' },
            fillOpacity: { signal: 'isValid(at) && datum.epoch !== at ? 0.55 : 1' },
          },
        },
      },
    ],
  };
  return {
    ...{ id, title, caption, spec },
    legend: [],
    cursor: {
      group,
      places: epochs.map(({ epoch, ...shares }) => ({
        x: epoch,
        text: `epoch ${epoch}: ${STATES.map((state) => `${state} ${percent(shares[state])}`).join(', ')}`,
      })),
    },
    table: {
      head: ['epoch', ...STATES],
      rows: epochs.map(({ epoch, ...shares }) => [String(epoch), ...STATES.map((state) => percent(shares[state]))]),
    },
  };
}

import { parse, View } from 'vega';
import { describe, expect, it } from 'vitest';
import type { Chart } from './chart.js';
import { binsOf, histogram } from './histogram.js';
import { lineChart } from './line-chart.js';
import { neuronChart } from './neuron-chart.js';

/** What Vega draws, as the page has it. */
async function drawn({ spec }: Chart): Promise<string> {
  const svg = await new View(parse(spec), { renderer: 'none' }).toSVG();
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  return svg;
}

/** The drawn shapes of a kind of mark, by their path. */
const paths = (svg: string, mark: string) =>
  [...svg.matchAll(new RegExp(`<g class="${mark}[^"]*"[^>]*>(.*?)</g>`, 'g'))]
    .flatMap(([, body]) => [...body!.matchAll(/<path[^>]* d="([^"]*)"/g)])
    .map(([, path]) => path!);

const about = { id: 'a', title: 'Title', caption: 'Caption.' };
const axes = { x: { title: 'epoch', name: 'epoch' }, y: { title: 'loss', format: '~g' }, text: String, group: 'g' };

describe('lineChart', () => {
  const series = [
    {
      name: 'first',
      points: [
        [1, 2],
        [2, 1],
      ] as const,
    },
    { name: 'second', points: [[2, 4]] as const },
  ];

  it('has a line for each series, what the cursor tells, and the same numbers as a table', async () => {
    const chart = lineChart({ ...about, ...axes, series });
    expect(paths(await drawn(chart), 'mark-line role-mark')).toHaveLength(2);
    expect(chart.cursor!.places.map(({ text }) => text)).toEqual([
      'epoch 1: first 2',
      'epoch 2: first 1\u2002·\u2002second 4',
    ]);
    expect(chart.table).toEqual({
      head: ['epoch', 'first', 'second'],
      rows: [
        ['1', '2', ''],
        ['2', '1', '4'],
      ],
    });
    expect(chart.legend.map(({ name }) => name)).toEqual(['first', 'second']);
  });

  it('is drawn of one point, of zeros, of none, and on a logarithmic scale without what has no place there', async () => {
    for (const points of [
      [[3, 0.5]],
      [
        [1, 0],
        [2, 0],
      ],
      [],
    ] as const) {
      await drawn(lineChart({ ...about, ...axes, series: [{ name: 'x', points }] }));
      await drawn(lineChart({ ...about, ...axes, y: { ...axes.y, log: true }, series: [{ name: 'x', points }] }));
    }
  });

  it('in steps, tells between two places what holds up to the next', () => {
    const chart = lineChart({ ...about, ...axes, steps: 'step-before', series });
    expect(chart.cursor!.places[0]!.text).toBe('epoch 1: first 2\u2002·\u2002second 4');
  });

  it('keeps names that look like code as texts', async () => {
    const name = "'); alert(1); ('</script>";
    const chart = lineChart({
      ...about,
      ...axes,
      series: [
        { name, points: [[1, 1]] },
        { name: 'b', points: [[1, 2]] },
      ],
    });
    expect(paths(await drawn(chart), 'mark-line role-mark')).toHaveLength(2);
  });
});

describe('histogram', () => {
  it('has every value in one column, and a column that begins at the radius', () => {
    const values = [0, 0.01, 0.1, 0.0999, 0.1, 0.25];
    for (const from of [0.1, 8 / 255, 0.013]) {
      const bins = binsOf(values, from);
      expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(values.length);
      expect(bins.some((bin) => bin.from === from)).toBe(true);
      expect(bins.length).toBeLessThan(60);
      const certified = bins.filter((bin) => bin.from >= from).reduce((sum, { count }) => sum + count, 0);
      expect(certified).toBe(values.filter((value) => value >= from).length);
    }
  });

  it('is drawn of values that are all 0, of none, and at radius 0', async () => {
    const text = String;
    const shared = { ...about, xTitle: 'x', yTitle: 'y', fromName: 'epsilon', text };
    for (const [values, from] of [
      [[0, 0], 0.1],
      [[], 0.1],
      [[0, 0], 0],
      [[0.2], 0],
    ] as const) {
      await drawn(histogram({ ...shared, values, from }));
    }
  });
});

it('neuronChart has three parts for each epoch', async () => {
  const shares = { active: 0.25, unstable: 0.5, inactive: 0.25 };
  const epochs = [1, 2, 3].map((epoch) => ({ epoch, ...shares }));
  const chart = neuronChart('n', { layer: 'conv1', epochs }, 'epoch');
  expect(paths(await drawn(chart), 'mark-rect role-mark')).toHaveLength(9);
  expect(chart.cursor!.places.at(-1)!.text).toBe('epoch 3: active 25.0 %, unstable 50.0 %, inactive 25.0 %');
});

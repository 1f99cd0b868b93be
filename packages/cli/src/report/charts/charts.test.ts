import { parse, View } from 'vega';
import { describe, expect, it } from 'vitest';
import type { Chart } from './chart.js';
import { binsOf, histogram } from './histogram.js';
import { lineChart } from './line-chart.js';
import { neuronChart } from './neuron-chart.js';
import { valueChart } from './value-chart.js';

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

describe('valueChart', () => {
  const value = (index: number, target: number, prediction: number | null, [low, high] = [0, 0]) => ({
    ...{ index, target, prediction, ending: 'certified' as const },
    interval: low === high ? null : ([low!, high!] as const),
  });
  const endings = {
    certified: 'certified',
    undecided: 'undecided',
    broken: 'broken',
    misclassified: 'off by 2 or more',
  };
  const options = { ...about, target: 'price', row: 'row', delta: 2, endings };

  it('has a bar and a point for each row, and tells and lists the same numbers', async () => {
    const values = [value(4, 10, 10.5, [9.123456789, 11.5]), value(7, 20, 21, [20, 22.123456789]), value(9, 20, 19)];
    const chart = valueChart({ ...options, values });
    const svg = await drawn(chart);
    expect(svg.match(/<g class="mark-rule role-mark[^"]*"[^>]*>(.*?)<\/g>/)![1]!.match(/<line/g)).toHaveLength(3);
    expect(paths(svg, 'mark-symbol role-mark')).toHaveLength(3);
    expect(paths(svg, 'mark-area role-mark')).toHaveLength(1);
    // Bounds are rounded outwards.
    expect(chart.cursor!.places.map(({ x, text }) => [x, text])).toEqual([
      [10, 'label 10: row 4 predicted 10.5, proved 9.12345 to 11.5, certified'],
      [20, 'label 20: row 7 predicted 21, proved 20 to 22.1235, certified; row 9 predicted 19, certified'],
    ]);
    expect(chart.table.rows).toEqual([
      ['4', '10', '10.5', '9.12345 to 11.5', 'certified'],
      ['7', '20', '21', '20 to 22.1235', 'certified'],
      ['9', '20', '19', 'none', 'certified'],
    ]);
    expect(chart.caption).toBe('Caption.');
  });

  it('cuts off a bar that would hide the others, and says so', async () => {
    const values = [value(0, 10, 10, [9, 11]), value(1, 20, 20, [-1e9, 1e9]), value(2, 30, 31, [30, 32])];
    const chart = valueChart({ ...options, values });
    await drawn(chart);
    expect(chart.caption).toBe('Caption. 1 row reaches beyond the figure.');
    const [low, high] = chart.spec.scales!.find(({ name }) => name === 'y')!.domain as [number, number];
    expect([low < 9 && low > -50, high > 32 && high < 100]).toEqual([true, true]);
  });

  it('is drawn of one row, of equal labels, of none, and without a finite prediction', async () => {
    for (const values of [
      [value(0, 3, 3.5, [3, 4])],
      [value(0, 0, 0), value(1, 0, 1)],
      [],
      [value(0, 3, null), value(1, 4, 4)],
    ]) {
      await drawn(valueChart({ ...options, values }));
    }
  });
});

/**
 * Draws the results of recipes, a panel for each plan: verified error against standard error, a color for each method, a small point for each seed and a
 * line through the means of a method's settings: `npm run recipe:figure -- FILE.svg PLAN.json...`.
 */
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Mark, parse, type Spec, View } from 'vega';
import { type Plan, type Result, readPlan, readResults, verifiedErrorOf } from './recipe-plan.js';

const [file, ...plans] = process.argv.slice(2);
if (file === undefined || plans.length === 0) {
  console.error('Usage: npm run recipe:figure -- FILE.svg PLAN.json...');
  process.exit(2);
}

/** Errors in percent, of one seed or the mean over the seeds. */
interface Point {
  readonly method: string;
  readonly setting: string;
  readonly x: number;
  readonly y: number;
}

const SIDE = 260;
const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#000000'];

function pointsOf({ runs }: Plan, results: readonly Result[]): { readonly seeds: Point[]; readonly means: Point[] } {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const seeds: Point[] = [];
  const means: Point[] = [];
  for (const { name } of runs) {
    const [word = '', setting = ''] = name.split(' ');
    // Plans write methods as the command does, or as papers do.
    const method = word.toUpperCase();
    const own = results
      .filter(({ run }) => run === name)
      .map((result) => ({ method, setting, x: 100 * result.standardError, y: 100 * verifiedErrorOf(result) }));
    if (own.length === 0) continue;
    seeds.push(...own);
    means.push({ method, setting, x: mean(own.map(({ x }) => x)), y: mean(own.map(({ y }) => y)) });
  }
  return { seeds, means };
}

function panel(title: string, { seeds, means }: ReturnType<typeof pointsOf>): Mark {
  const position = { x: { scale: 'x', field: 'x' }, y: { scale: 'y', field: 'y' } } as const;
  const color = { scale: 'color', field: 'method' } as const;
  const scale = (name: 'x' | 'y', range: number[]) =>
    ({
      name,
      type: 'linear',
      domain: { data: 'seeds', field: name },
      range,
      nice: true,
      zero: false,
      padding: 12,
    }) as const;
  return {
    type: 'group',
    title: { text: title, anchor: 'start', fontSize: 12, offset: 6 },
    encode: { enter: { width: { value: SIDE }, height: { value: SIDE } } },
    data: [
      { name: 'seeds', values: seeds },
      { name: 'means', values: means },
    ],
    scales: [scale('x', [0, SIDE]), scale('y', [SIDE, 0])],
    axes: [
      { orient: 'bottom', scale: 'x', title: 'standard error (%)', tickCount: 6 },
      { orient: 'left', scale: 'y', title: 'verified error (%)', tickCount: 6, grid: true, gridColor: '#e5e5e5' },
    ],
    marks: [
      {
        type: 'group',
        from: { facet: { name: 'line', data: 'means', groupby: 'method' } },
        marks: [{ type: 'line', from: { data: 'line' }, encode: { enter: { ...position, stroke: color } } }],
      },
      {
        type: 'symbol',
        from: { data: 'seeds' },
        encode: { enter: { ...position, size: { value: 16 }, fill: color, opacity: { value: 0.45 } } },
      },
      {
        type: 'symbol',
        from: { data: 'means' },
        encode: { enter: { ...position, size: { value: 64 }, fill: color } },
      },
      {
        type: 'text',
        from: { data: 'means' },
        encode: {
          enter: {
            ...position,
            dx: { value: 7 },
            dy: { value: -5 },
            fontSize: { value: 10 },
            text: { field: 'setting' },
          },
        },
      },
    ],
  };
}

const drawn = await Promise.all(
  plans.map(async (path) => {
    const plan = await readPlan(path);
    return { title: plan.title ?? basename(path, '.json'), ...pointsOf(plan, await readResults(path, plan)) };
  }),
);
const methods = [...new Set(drawn.flatMap(({ means }) => means.map(({ method }) => method)))];
const figure: Spec = {
  $schema: 'https://vega.github.io/schema/vega/v6.json',
  description: 'Verified error against standard error of the runs of recipes',
  background: 'white',
  padding: 12,
  // Flush: without a canvas the widths of texts are only guessed.
  layout: { columns: drawn.length, padding: 70, bounds: 'flush', align: 'each' },
  scales: [{ name: 'color', type: 'ordinal', domain: methods, range: COLORS }],
  legends: [{ fill: 'color', orient: 'top', direction: 'horizontal', offset: 30 }],
  marks: drawn.map(({ title, ...points }) => panel(title, points)),
};
const view = new View(parse(figure), { renderer: 'none' });
await writeFile(file, `${await view.toSVG()}\n`);
view.finalize();

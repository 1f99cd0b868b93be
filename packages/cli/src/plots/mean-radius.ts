import type { Spec } from 'vega';
import type { InitLine } from '../show/init-report.js';
import { COLORS, CONFIG, type Heading } from './render.js';

/**
 * The figure of exploding bounds: mean radius over layers, on a logarithmic scale, a line for each initialization. Radii that are
 * 0 or not finite have no place on that scale and are left out.
 */
export function meanRadiusFigure(lines: readonly InitLine[], { title, subtitle }: Heading): Spec {
  const nodes = lines[0]!.layers.map(({ node }) => node);
  const values = lines.flatMap(({ name, layers }) =>
    layers
      .filter(({ meanRadius }) => meanRadius > 0 && meanRadius < Number.POSITIVE_INFINITY)
      .map(({ node, meanRadius }) => ({ name, node, radius: meanRadius })),
  );
  const place = { x: { scale: 'x', field: 'node' }, y: { scale: 'y', field: 'radius' } };
  return {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    description: [title, ...subtitle].join('. '),
    background: 'white',
    padding: 12,
    width: Math.max(360, 64 * nodes.length),
    height: 340,
    config: CONFIG,
    title: { text: title, subtitle: [...subtitle], anchor: 'start' },
    data: [{ name: 'radii', values }],
    scales: [
      { name: 'x', type: 'point', domain: [...nodes], range: 'width', padding: 0.5 },
      { name: 'y', type: 'log', domain: { data: 'radii', field: 'radius' }, range: 'height', nice: true, zero: false },
      { name: 'color', type: 'ordinal', domain: lines.map(({ name }) => name), range: COLORS },
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title: 'layer (bounds before its ReLU)', labelAngle: -30, labelAlign: 'right' },
      { orient: 'left', scale: 'y', title: 'mean radius of the bounds', format: '.0e', tickCount: 8, grid: true },
    ],
    legends: [{ stroke: 'color', symbolType: 'stroke', symbolStrokeWidth: 3, title: 'initialization' }],
    marks: [
      {
        type: 'group',
        from: { facet: { name: 'line', data: 'radii', groupby: 'name' } },
        marks: [
          {
            type: 'line',
            from: { data: 'line' },
            encode: { enter: { ...place, stroke: { scale: 'color', field: 'name' }, strokeWidth: { value: 2 } } },
          },
          {
            type: 'symbol',
            from: { data: 'line' },
            encode: { enter: { ...place, fill: { scale: 'color', field: 'name' }, size: { value: 36 } } },
          },
        ],
      },
    ],
  };
}

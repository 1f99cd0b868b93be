import type { Spec } from 'vega';
import { COLORS, CONFIG, type Heading } from './render.js';

/** A trial in the figure. Plain data; errors are fractions. */
export interface FrontPoint {
  readonly trial: number;
  readonly standardError: number;
  readonly verifiedError: number;
  /** Whether no other trial is better in both errors, and whether it was chosen. */
  readonly place: 'chosen' | 'front' | 'other';
}

/** How points look. */
const PLACES = ['chosen', 'front', 'other'];
const FILLS = [COLORS[0]!, COLORS[3]!, '#bbbbbb'];

/** The figure of a search: the standard and the verified error of each trial, with the Pareto front as a line of steps. */
export function paretoFrontFigure(points: readonly FrontPoint[], { title, subtitle }: Heading): Spec {
  const place = { x: { scale: 'x', field: 'standardError' }, y: { scale: 'y', field: 'verifiedError' } };
  const front = points
    .filter((point) => point.place !== 'other')
    .sort((a, b) => a.standardError - b.standardError || b.verifiedError - a.verifiedError);
  return {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    description: [title, ...subtitle].join('. '),
    background: 'white',
    padding: 12,
    width: 420,
    height: 320,
    config: CONFIG,
    title: { text: title, subtitle: [...subtitle], anchor: 'start' },
    data: [
      { name: 'trials', values: [...points] },
      { name: 'front', values: front },
    ],
    scales: [
      scale('x', 'standardError', 'width'),
      scale('y', 'verifiedError', 'height'),
      { name: 'fill', type: 'ordinal', domain: PLACES, range: FILLS },
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title: 'standard error', format: '.1%', tickCount: 6, grid: true },
      { orient: 'left', scale: 'y', title: 'verified error', format: '.1%', tickCount: 6, grid: true },
    ],
    legends: [{ fill: 'fill', title: 'trial', symbolSize: 80 }],
    marks: [
      {
        type: 'line',
        from: { data: 'front' },
        encode: {
          enter: {
            ...place,
            stroke: { value: COLORS[3]! },
            strokeWidth: { value: 1.5 },
            interpolate: { value: 'step-after' },
          },
        },
      },
      {
        type: 'symbol',
        from: { data: 'trials' },
        encode: {
          enter: { ...place, fill: { scale: 'fill', field: 'place' }, size: { value: 60 }, stroke: { value: 'white' } },
        },
      },
      {
        type: 'text',
        from: { data: 'front' },
        encode: {
          enter: {
            ...place,
            text: { field: 'trial' },
            dx: { value: 6 },
            dy: { value: -6 },
            fontSize: { value: 10 },
            fill: { value: '#222' },
          },
        },
      },
    ],
  };
}

const scale = (name: string, field: string, range: 'width' | 'height') => ({
  ...{ name, type: 'linear' as const, domain: { data: 'trials', field }, range, nice: true, zero: false, padding: 12 },
});

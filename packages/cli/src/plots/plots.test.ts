import { describe, expect, it } from 'vitest';
import type { InitLine } from '../show/init-report.js';
import type { ReluEpoch } from '../show/relu-report.js';
import { meanRadiusFigure } from './mean-radius.js';
import { reluStatesFigure } from './relu-states.js';
import { renderSvg } from './render.js';
import { type TrainingCurve, trainingCurvesFigure } from './training-curves.js';

const heading = { title: 'Bounds of a < b', subtitle: ['first line', 'second line'] };
const texts = (svg: string) => [...svg.matchAll(/<(text|tspan)[^>]*>([^<]+)<\/\1>/g)].map(([, , text]) => text!);
/** The drawn shapes of a kind of mark, by their path. */
const paths = (svg: string, mark: string) =>
  [...svg.matchAll(new RegExp(`<g class="${mark}[^"]*"[^>]*>(.*?)</g>`, 'g'))]
    .flatMap(([, body]) => [...body!.matchAll(/<path[^>]* d="([^"]*)"/g)])
    .map(([, path]) => path!);
/** The parts of figures that show data; axes, titles and legends have roles of their own. */
const lines = (svg: string) => paths(svg, 'mark-line role-mark');
const symbols = (svg: string) => paths(svg, 'mark-symbol role-mark');
const rects = (svg: string) => paths(svg, 'mark-rect role-mark');

describe('meanRadiusFigure', () => {
  const line = (name: string, ...radii: number[]): InitLine => ({
    name,
    layers: radii.map((meanRadius, i) => ({ node: `layer${i}`, meanRadius, gain: null, expected: null })),
    bySeed: [radii],
  });

  it('has a line for each initialization, a point for each layer, and says what they are', async () => {
    const svg = await renderSvg(meanRadiusFigure([line('xavier', 0.1, 10, 1000), line('ibp', 0.1, 0.1, 0.1)], heading));
    expect(lines(svg)).toHaveLength(2);
    expect(symbols(svg)).toHaveLength(6);
    for (const text of ['Bounds of a &lt; b', 'first line', 'second line', 'xavier', 'ibp', 'layer0', 'layer2']) {
      expect(texts(svg)).toContain(text);
    }
    for (const text of [
      'mean radius of the bounds',
      'layer (bounds before its ReLU)',
      'initialization',
      '1e-1',
      '1e+3',
    ]) {
      expect(texts(svg)).toContain(text);
    }
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(svg).toMatch(/^<svg [^>]*>.*<\/svg>\n$/s);
  });

  it('is logarithmic: factors of ten are steps of one height', async () => {
    const svg = await renderSvg(meanRadiusFigure([line('x', 0.1, 1, 10, 100)], heading));
    const [path] = lines(svg);
    const heights = [...path!.matchAll(/[ML]([\d.]+),([\d.]+)/g)].map(([, , y]) => Number(y));
    expect(heights).toHaveLength(4);
    const steps = heights.slice(1).map((y, i) => heights[i]! - y);
    expect(steps[0]).toBeGreaterThan(0);
    for (const step of steps) expect(step).toBeCloseTo(steps[0]!, 1);
  });

  it('leaves out radii that have no place on the scale', async () => {
    const broken = line('broken', 0.1, 0, Number.POSITIVE_INFINITY, Number.NaN);
    const svg = await renderSvg(meanRadiusFigure([line('ibp', 0.1, 0.1, 0.1, 0.1), broken], heading));
    expect(symbols(svg)).toHaveLength(5);
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  it('is the same text for the same data', async () => {
    const draw = () => renderSvg(meanRadiusFigure([line('xavier', 0.1, 10, 1000)], heading));
    expect(await draw()).toBe(await draw());
  });
});

describe('reluStatesFigure', () => {
  const shares = { active: 0.25, inactive: 0.25, unstable: 0.5 };
  const epochs = (count: number, ...nodes: string[]): ReluEpoch[] =>
    Array.from({ length: count }, (_, i) => ({
      ...{ epoch: i + 1, epsilon: 0.1, images: 4 },
      layers: Object.fromEntries(nodes.map((node) => [node, shares])),
    }));

  it('has a column of three parts for each layer and epoch, and says what they are', async () => {
    const svg = await renderSvg(reluStatesFigure(epochs(5, 'conv1', 'conv2', 'conv3', 'dense1'), heading));
    expect(rects(svg)).toHaveLength(5 * 4 * 3);
    for (const text of ['conv1', 'conv2', 'conv3', 'dense1', 'active', 'unstable', 'inactive', 'epoch', 'neurons']) {
      expect(texts(svg)).toContain(text);
    }
    expect(texts(svg).filter((text) => text === 'share of neurons')).toHaveLength(4);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('stacks them: a quarter, a half and a quarter of the height', async () => {
    const svg = await renderSvg(reluStatesFigure(epochs(1, 'conv1'), heading));
    const boxes = rects(svg).map((path) =>
      path
        .match(/^M([\d.]+),([\d.]+)h([\d.]+)v([\d.]+)/)!
        .slice(1)
        .map(Number),
    );
    expect(boxes.map(([, y, , height]) => [y, height])).toEqual([
      [90, 30],
      [30, 60],
      [0, 30],
    ]);
    expect(boxes.every(([x, , width]) => x === 0 && width === 180)).toBe(true);
  });

  it('is the same text for the same data', async () => {
    const draw = () => renderSvg(reluStatesFigure(epochs(3, 'conv1', 'dense1'), heading));
    expect(await draw()).toBe(await draw());
  });
});

describe('trainingCurvesFigure', () => {
  const epochs = (...errors: (number | null)[]) =>
    errors.map((verifiedError, i) => ({ epoch: i + 1, loss: 2 - i / 10, verifiedError }));

  it('has a line for each run in each of two panels, and says what they are', async () => {
    const curves = ['fast', 'vanilla', 'none yet'].map((name, i) => ({
      name,
      epochs: i < 2 ? epochs(1, 0.5, null) : [],
    }));
    const svg = await renderSvg(trainingCurvesFigure(curves, heading));
    expect(lines(svg)).toHaveLength(4);
    // A point that is not known has no place.
    expect(symbols(svg)).toHaveLength(2 * 3 + 2 * 2);
    for (const text of [
      'Bounds of a &lt; b',
      'fast',
      'vanilla',
      'none yet',
      'training loss',
      'verified error on the test split',
      'epoch',
    ]) {
      expect(texts(svg)).toContain(text);
    }
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('says whose images the verified error is of', async () => {
    const validation = { name: 'a', epochs: epochs(1), monitored: 'validation' as const };
    const drawn = async (...curves: TrainingCurve[]) => texts(await renderSvg(trainingCurvesFigure(curves, heading)));
    expect(await drawn(validation)).toContain('verified error on the validation split');
    expect(await drawn(validation, { name: 'b', epochs: epochs(1) })).toContain(
      'verified error on the test or validation split',
    );
  });

  it('is drawn of a single epoch, and is the same text for the same data', async () => {
    const draw = () => renderSvg(trainingCurvesFigure([{ name: 'a', epochs: epochs(0.25) }], heading));
    expect(symbols(await draw())).toHaveLength(2);
    expect(await draw()).not.toMatch(/NaN|Infinity|undefined/);
    expect(await draw()).toBe(await draw());
  });
});

import { buildParams, createRng, dense, linfBall, paramSpecs, sequential, sigmoid, tanh, tf } from '@cert/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { crown, crownIbp, ibp, type Lines, naturalPass } from './index.js';
import { SIGMOID, sShapedLines, TANH } from './s-shaped.js';

beforeEach(() => tf.engine().startScope());
afterEach(() => tf.engine().endScope());

const shapes = {
  sigmoid: { shape: SIGMOID, f: (x: number) => 1 / (1 + Math.exp(-x)) },
  tanh: { shape: TANH, f: Math.tanh },
};

const positive = [1e-30, 1e-8, 1e-4, 0.005, 0.02, 0.3, 1, 2.5, 6, 9.5, 15, 40, 1e3, 1e8, 1e30];
const ends = [...positive.map((x) => -x), 0, ...positive].map(Math.fround);
const intervals = ends.flatMap((l) => ends.filter((u) => u >= l).map((u): [number, number] => [l, u]));

/** All lines at once, as numbers in float64. */
function linesOn(shape: typeof SIGMOID, boxes: readonly [number, number][]) {
  const [lower, upper] = [0, 1].map((side) => tf.tensor2d([boxes.map((box) => box[side]!)]));
  const lines = sShapedLines(shape, { lower: lower!, upper: upper! });
  const read = (part: Exclude<keyof Lines, 'family'>) => [...lines[part]!.dataSync()];
  const [a, b, c, d] = [read('lowerSlope'), read('lowerIntercept'), read('upperSlope'), read('upperIntercept')];
  return boxes.map((box, i) => ({
    box,
    lower: (x: number) => a[i]! * x + b[i]!,
    upper: (x: number) => c[i]! * x + d[i]!,
    slopes: [a[i]!, c[i]!],
  }));
}

describe.each(Object.entries(shapes))('lines of %s', (_name, { shape, f }) => {
  it('enclose the function on intervals of every size, with nothing to spare for rounding', () => {
    const rng = createRng(1, 'intervals');
    const random = Array.from({ length: 400 }, (): [number, number] => {
      const [a, b] = [Math.fround(8 * rng.normal()), Math.fround(4 * rng.normal())];
      return [Math.min(a, b), Math.max(a, b)];
    });
    for (const { box, lower, upper, slopes } of linesOn(shape, [...intervals, ...random])) {
      const [l, u] = box;
      for (const slope of slopes) expect(slope).toBeGreaterThanOrEqual(0);
      const inside = Array.from({ length: 101 }, (_, i) => Math.min(u, l + ((u - l) * i) / 100));
      const near = [0, ...ends].filter((x) => x >= l && x <= u);
      const worst = [...inside, ...near].map((x) => Math.min(upper(x) - f(x), f(x) - lower(x)));
      expect(Math.min(...worst), `on [${l}, ${u}]`).toBeGreaterThan(0);
    }
  });

  it('are a point of the function where the interval is one', () => {
    const points = ends.filter((x) => Math.abs(x) <= 40);
    for (const { box, lower, upper } of linesOn(
      shape,
      points.map((x) => [x, x]),
    )) {
      const [x] = box;
      expect(upper(x) - f(x)).toBeLessThan(3e-5);
      expect(f(x) - lower(x)).toBeLessThan(3e-5);
    }
  });

  it('touch the function, and leave no more room in the middle than the ends of an interval', () => {
    for (const { box, lower, upper } of linesOn(
      shape,
      intervals.filter(([l, u]) => Math.max(-l, u) <= 1e3),
    )) {
      const [l, u] = box;
      const inside = Array.from({ length: 2001 }, (_, i) => l + ((u - l) * i) / 2000);
      const gap = (line: (x: number) => number) => Math.min(...inside.map((x) => Math.abs(line(x) - f(x))));
      expect(gap(upper), `above on [${l}, ${u}]`).toBeLessThan(1e-2);
      expect(gap(lower), `below on [${l}, ${u}]`).toBeLessThan(1e-2);
      const middle = (l + u) / 2;
      expect(upper(middle) - lower(middle)).toBeLessThanOrEqual(f(u) - f(l) + 1e-3);
    }
  });

  it('are NaN where an end is', () => {
    for (const box of [
      [Number.NaN, 1],
      [0, Number.NaN],
      [Number.NaN, Number.NaN],
    ] as const) {
      const [lines] = linesOn(shape, [[...box]]);
      expect(lines!.upper(0)).toBeNaN();
      expect(lines!.lower(0)).toBeNaN();
    }
  });
});

it.each([
  ['sigmoid', sigmoid],
  ['tanh', tanh],
])('CROWN is tighter than intervals on a net of %s, and sound', (_name, layer) => {
  const model = sequential([4], [dense(12), layer(), dense(12), layer(), dense(3)]);
  const rng = createRng(3, 'net');
  const params = buildParams(paramSpecs(model), ({ shape }) =>
    tf.randomNormal([...shape], 0, 0.8, 'float32', rng.int(1e6)),
  );
  const box = linfBall(tf.tensor2d([[0.2, 0.5, 0.7, 0.9]]), 0.1);
  const network = { model, params };
  const width = (method: typeof ibp | typeof crownIbp) => {
    const { output } = method.bound({ network, box });
    const points = tf.add(
      box.lower,
      tf.mul(tf.randomUniform([500, 4], 0, 1, 'float32', 5), tf.sub(box.upper, box.lower)),
    );
    const { output: logits } = naturalPass(network, points);
    expect(tf.min(tf.sub(output.upper, logits)).dataSync()[0]).toBeGreaterThan(0);
    expect(tf.min(tf.sub(logits, output.lower)).dataSync()[0]).toBeGreaterThan(0);
    return tf.mean(tf.sub(output.upper, output.lower)).dataSync()[0]!;
  };
  const [wide, mixed, narrow] = [width(ibp), width(crownIbp), width(crown())];
  expect(mixed).toBeLessThan(0.7 * wide);
  expect(narrow).toBeLessThanOrEqual(mixed);
});

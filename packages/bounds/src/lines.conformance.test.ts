import { type Layer, leakyRelu, relu, sequential, sigmoid, tanh } from '@cert/core';
import { linesSuite } from '@cert/testing';
import { describe, it } from 'vitest';
import { type Lines, linearRelaxation, linesOf } from './index.js';

const leaky = (slope: number) => (x: number) => (x >= 0 ? x : Math.fround(slope) * x);

/** The functions in float64. Slopes of a leaky ReLU are float32 numbers. */
const activations: readonly [string, Layer, (x: number) => number][] = [
  ['relu', relu(), (x) => Math.max(0, x)],
  ['leakyRelu(0.01)', leakyRelu(0.01), leaky(0.01)],
  ['leakyRelu(0.9)', leakyRelu(0.9), leaky(0.9)],
  ['sigmoid', sigmoid(), (x) => 1 / (1 + Math.exp(-x))],
  ['tanh', tanh(), Math.tanh],
];

describe.each(activations)('lines of %s', (name, layer, f) => {
  const suite = linesSuite({
    ...{ name, f, largest: 1e30 },
    lines(box): Lines {
      const model = sequential(box.lower.shape.slice(1), [layer]);
      return Object.values(linesOf(linearRelaxation, { model, params: {} }, { input: box }))[0]!;
    },
  });
  for (const { name: check, run } of suite) it(check, run);
});

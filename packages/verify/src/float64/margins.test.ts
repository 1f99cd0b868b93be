import { crownIbp, marginSpec, runningNorm, soundBall } from '@cert/bounds';
import {
  createRng,
  dense,
  flatten,
  l2,
  linf,
  linfBall,
  maxPool,
  relu,
  sequential,
  sizeOf,
  tf,
  toTensors,
  transpose,
} from '@cert/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  adversarialNetworks,
  cancellingNetwork,
  compareDyadic,
  drawExecution,
  drawPoint,
  drawRealPoint,
  dyadic,
  executeExact,
  executor,
  float32Ends,
  PLAIN,
  smallModels,
  subtractDyadic,
  toNumber,
} from '../../../../soundness/src/index.js';
import { boxAround } from './enclosure.js';
import { crownIbpMargins, ibpMargins } from './margins.js';

beforeEach(() => tf.engine().startScope());
afterEach(() => tf.engine().endScope());

const around = (x: Float32Array, epsilon: number) => boxAround(x, linf({ epsilon }), [x.length], epsilon);
const methods = {
  ibp: ibpMargins,
  'crown-ibp': (problem: Parameters<typeof crownIbpMargins>[0]) => crownIbpMargins(problem),
};

describe.each(smallModels())('margins over a Euclidean ball on $name', ({ name, model }) => {
  it('are below those of every execution at points of it, and not below those of the box', () => {
    const rng = createRng(3, name);
    let gained = 0;
    for (let net = 0; net < 6; net++) {
      const network = cancellingNetwork(model, rng);
      const run = executor(network);
      const image = Float32Array.from({ length: sizeOf(model.inputShape) }, () => rng.uniform());
      const epsilon = 0.1;
      const box = boxAround(image, l2({ epsilon, range: null }), model.inputShape, epsilon);
      const { ball: _, ...without } = box;
      const [bounds, loose] = [box, without].map((set) =>
        crownIbpMargins({ network, box: set, label: 1, level: 'deployed' }),
      ) as [number[], number[]];
      bounds.forEach((bound, i) => {
        expect(bound).toBeGreaterThanOrEqual(loose[i]!);
        if (bound > loose[i]!) gained++;
      });
      for (let draw = 0; draw < 30; draw++) {
        const direction = image.map(() => (draw % 2 === 0 ? rng.normal() : rng.uniform() < 0.5 ? -1 : 1));
        const length = Math.hypot(...direction) / (epsilon * (1 - 1e-6));
        const point = image.map((x, i) => x + direction[i]! / length);
        // Rounding to float32 may leave the ball.
        if (Math.hypot(...point.map((x, i) => x - image[i]!)) > epsilon) continue;
        const logits = run(point, drawExecution(rng));
        bounds.forEach((bound, i) => {
          expect(bound).toBeLessThanOrEqual(logits[1]! - logits[i < 1 ? 0 : i + 1]!);
        });
      }
    }
    expect(gained).toBeGreaterThan(0);
  });
});

describe.each(smallModels())('margins in float64 on $name', ({ name, model }) => {
  it.each(Object.entries(methods))('are below those of every execution: %s', (_method, margins) => {
    const rng = createRng(1, name);
    for (let net = 0; net < 10; net++) {
      const network = cancellingNetwork(model, rng);
      const run = executor(network);
      const image = Float32Array.from({ length: sizeOf(model.inputShape) }, () => rng.uniform());
      for (const epsilon of [0, 1e-7, 0.1]) {
        const ball = { image, epsilon, range: { min: 0, max: 1 } };
        const problem = { network, box: around(image, epsilon), label: 1 };
        const [real, deployed] = [margins({ ...problem, level: 'real' }), margins({ ...problem, level: 'deployed' })];
        expect([...real, ...deployed].every(Number.isFinite)).toBe(true);
        for (let draw = 0; draw < 10; draw++) {
          const logits = run(drawPoint(float32Ends(ball), image, rng), drawExecution(rng));
          deployed.forEach((bound, i) => {
            expect(bound).toBeLessThanOrEqual(logits[1]! - logits[i < 1 ? 0 : i + 1]!);
          });
        }
        for (let draw = 0; draw < 3; draw++) {
          const { lower, upper } = executeExact(network, drawRealPoint(ball, rng));
          real.forEach((bound, i) => {
            const margin = subtractDyadic(lower[1]!, upper[i < 1 ? 0 : i + 1]!);
            expect(compareDyadic(dyadic(bound), margin)).toBeLessThanOrEqual(0);
          });
        }
      }
    }
  });

  it('are nearly those of the tensors at the level real, where nothing cancels', () => {
    const rng = createRng(2, name);
    const network = cancellingNetwork(model, { ...rng, uniform: () => 1 / 3 });
    const x = Float32Array.from({ length: sizeOf(model.inputShape) }, () => rng.uniform());
    const net = { model, params: toTensors(network.params), norm: runningNorm(toTensors(network.stats)) };
    const spec = marginSpec(tf.tensor1d([1], 'int32'), model.classes);
    const box = linfBall(tf.tensor(x, [1, ...model.inputShape]), 0.02);
    const expected = crownIbp.bound({ network: net, box, spec }).output.lower.dataSync();
    const problem = { network, box: around(x, 0.02), label: 1 };
    const [real, deployed] = (['real', 'deployed'] as const).map((level) => crownIbpMargins({ ...problem, level }));
    real!.forEach((margin, i) => {
      expect(margin).toBeCloseTo(expected[i]!, 3);
      expect(deployed![i]!).toBeLessThan(margin);
      expect(deployed![i]!).toBeGreaterThan(margin - 1e-2 * (1 + Math.abs(margin)));
    });
    const any = crownIbpMargins({ ...problem, level: 'real' }, (_node, lower) => lower.map(() => 0.3));
    const exact = executeExact(network, x).lower.map(toNumber);
    any.forEach((margin, i) => {
      expect(margin).toBeLessThanOrEqual(exact[1]! - exact[i < 1 ? 0 : i + 1]!);
    });
  });
});

it.each(Object.entries(methods))('refuse a network that loses a neuron beside a large number: %s', (_name, margins) => {
  // Of this seed the large number is 2^36: float64 loses little.
  const network = adversarialNetworks({ seed: 2 }).find(({ name }) => name === 'lost-center')!;
  for (const level of ['real', 'deployed'] as const) {
    const box = around(network.image, network.epsilon);
    expect(margins({ network, box, label: 0, level })[0]).toBeLessThan(0);
  }
  // Over the real numbers the margin at 0.125 is 16; an execution in float32 may lose it.
  const point = around(Float32Array.of(0.125), 0);
  expect(margins({ network, box: point, label: 0, level: 'real' })[0]).toBeCloseTo(16, 2);
  expect(margins({ network, box: point, label: 0, level: 'deployed' })[0]).toBeLessThan(0);
});

it.each(Object.entries(methods))('count what an execution loses in the last layer: %s', (_name, margins) => {
  // 1 + 2^-24 rounds to 1, a thousand times: an execution from left to right has the margin 0.
  const kernel = Float32Array.from({ length: 2002 }, (_, i) => (i % 2 === 1 ? 0 : i === 0 ? 1 : 2 ** -24));
  const network = {
    ...{ model: sequential([1001], [dense(2)]), stats: {} },
    params: {
      dense1: { kernel: { shape: [1001, 2], data: kernel }, bias: { shape: [2], data: Float32Array.of(-1, 0) } },
    },
  };
  const problem = { network, box: around(new Float32Array(1001).fill(1), 0), label: 0 };
  expect(margins({ ...problem, level: 'real' })[0]).toBeCloseTo(1000 * 2 ** -24, 9);
  expect(margins({ ...problem, level: 'deployed' })[0]).toBeLessThanOrEqual(0);
});

it.each([
  ['relu', sequential([4], [relu()])],
  ['maxPool', sequential([4, 2, 1], [maxPool([1, 2]), flatten()])],
  ['transpose', sequential([2, 2], [transpose([1, 0]), flatten()])],
] as const)('count that an execution reads denormal inputs as 0, where only %s follows', (_op, model) => {
  const image = new Float32Array(sizeOf(model.inputShape));
  image[0] = 2 ** -130;
  const network = { model, params: {}, stats: {} };
  expect(executor(network)(image, { ...PLAIN, underflow: 'flush-inputs' })[0]).toBe(0);
  const problem = { network, box: around(image, 0), label: 0 };
  for (const margins of Object.values(methods)) {
    expect(Math.min(...margins({ ...problem, level: 'real' }))).toBeGreaterThan(0);
    expect(Math.max(...margins({ ...problem, level: 'deployed' }))).toBeLessThanOrEqual(0);
  }
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, 2 ** 100])('are NaN for a weight of %s', (weight) => {
  const network = cancellingNetwork(smallModels()[0]!.model, createRng(3));
  network.params.dense2!.kernel!.data[0] = weight;
  const problem = { network, box: around(new Float32Array(40).fill(0.5), 0.1), label: 0 };
  for (const margins of Object.values(methods)) {
    expect(margins({ ...problem, level: 'deployed' })).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    expect(margins({ ...problem, level: 'real' })).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  }
});

it('are NaN over an empty box', () => {
  const network = cancellingNetwork(smallModels()[0]!.model, createRng(3));
  const box = around(new Float32Array(40).fill(1.5), 0.1);
  expect(ibpMargins({ network, box, label: 0, level: 'real' }).every(Number.isNaN)).toBe(true);
});

it('are over a box that the one of the tensors contains', () => {
  const x = Float32Array.of(0, 0.05, 0.5, 0.97, 1);
  const { lower, upper } = around(x, 0.1);
  const { center, radius } = soundBall(tf.tensor1d(x), 0.1);
  const [c, r] = [center.dataSync(), radius.dataSync()];
  lower.forEach((l, i) => {
    expect(l).toBeLessThanOrEqual(Math.max(0, x[i]! - 0.1));
    expect(upper[i]!).toBeGreaterThanOrEqual(Math.min(1, x[i]! + 0.1));
    expect(l).toBeGreaterThanOrEqual(c[i]! - r[i]!);
    expect(upper[i]!).toBeLessThanOrEqual(c[i]! + r[i]!);
  });
});

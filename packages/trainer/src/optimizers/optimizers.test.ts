import { type Params, tf, toTensors } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { adam } from './adam.js';
import { adamw } from './adamw.js';
import { clipByGlobalNorm } from './clip.js';
import type { Optimizer, OptimizerState } from './optimizer.js';
import { radam } from './radam.js';
import { sgd } from './sgd.js';

const one = (...values: number[]): Params => ({ layer: { kernel: tf.tensor1d(values) } });
const read = (params: Params) => [...params.layer!.kernel!.dataSync()];

/** Runs an optimizer over given gradients and returns the parameters after each. */
function run(optimizer: Optimizer, start: number[], gradients: number[][], learningRate: number): number[][] {
  const path: number[][] = [];
  tf.tidy(() => {
    let params = one(...start);
    let state: OptimizerState = toTensors(
      optimizer.init({ layer: { kernel: { shape: [start.length], data: Float32Array.from(start) } } }),
    );
    for (const [step, gradient] of gradients.entries()) {
      const hyper = Object.fromEntries(
        Object.entries({ learningRate, ...optimizer.hyper(step) }).map(([name, value]) => [name, tf.scalar(value)]),
      );
      ({ params, state } = optimizer.update(params, one(...gradient), state, hyper));
      path.push(read(params));
    }
  });
  return path;
}

const close = (got: number[], wanted: number[], tolerance = 1e-6) =>
  got.forEach((value, i) => {
    expect(Math.abs(value - wanted[i]!)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(wanted[i]!)));
  });

describe('adam', () => {
  it('moves by the learning rate against the sign of the first gradient', () => {
    const [first] = run(adam(), [1, -1, 2], [[0.5, -3, 1e-4]], 0.01);
    close(first!, [0.99, -0.99, 1.99]);
  });

  it('follows the recurrences of the paper, computed here in float64', () => {
    const gradients = [[0.3], [-0.1], [0.7], [0.2]];
    let [p, m, v] = [0.5, 0, 0];
    const wanted = gradients.map(([g], i) => {
      m = 0.9 * m + 0.1 * g!;
      v = 0.999 * v + 0.001 * g! * g!;
      p -= (0.05 * (m / (1 - 0.9 ** (i + 1)))) / (Math.sqrt(v / (1 - 0.999 ** (i + 1))) + 1e-8);
      return p;
    });
    close(run(adam(), [0.5], gradients, 0.05).flat(), wanted, 1e-5);
  });

  it('leaves a parameter whose gradient is 0 where it is', () => {
    expect(run(adam(), [0.25], [[0], [0]], 0.1)).toEqual([[0.25], [0.25]]);
  });
});

describe('sgd', () => {
  it('without momentum steps along the gradient', () => {
    close(run(sgd(), [1], [[0.5], [0.25]], 0.1).flat(), [0.95, 0.925]);
  });

  it('with momentum adds up a velocity', () => {
    close(run(sgd({ momentum: 0.9 }), [0], [[1], [1]], 0.1).flat(), [-0.1, -0.29]);
  });
});

/** A kernel and a bias after one step with the same gradient for both. */
function decayed(optimizer: Optimizer, gradient: number): readonly [kernel: number, bias: number] {
  const both = (value: number): Params => ({ dense: { kernel: tf.tensor1d([value]), bias: tf.tensor1d([value]) } });
  const values = tf.tidy(() => {
    const start = { shape: [1], data: Float32Array.of(2) };
    const state = toTensors(optimizer.init({ dense: { kernel: start, bias: start } }));
    const hyper = Object.entries({ learningRate: 0.5, ...optimizer.hyper(0) }).map(([k, v]) => [k, tf.scalar(v)]);
    const { params } = optimizer.update(both(2), both(gradient), state, Object.fromEntries(hyper));
    return [params.dense!.kernel!, params.dense!.bias!].map((tensor) => tensor.dataSync()[0]!);
  });
  return [values[0]!, values[1]!];
}

describe('weight decay', () => {
  it('of adamw takes rate * decay of a kernel away, and leaves a bias', () => {
    // Without a gradient Adam does not move: 2 - 0.5 * 0.1 * 2.
    expect(decayed(adamw({ weightDecay: 0.1 }), 0)).toEqual([Math.fround(1.9), 2]);
  });

  it('as an L2 penalty is added to the gradient of a kernel, not of a bias', () => {
    // 2 - 0.5 (1 + 0.25 * 2) and 2 - 0.5.
    expect(decayed(sgd({ l2: 0.25 }), 1)).toEqual([1.25, 1.5]);
    expect(decayed(sgd({ momentum: 0.9, l2: 0.25 }), 1)).toEqual([1.25, 1.5]);
    // The first step of Adam is the rate against the sign, of 1 - 0.6 * 2 for the kernel.
    const [kernel, bias] = decayed(adam({ l2: 0.6 }), -1);
    close([kernel, bias], [1.5, 2.5]);
    close([...decayed(radam({ l2: 0.25 }), 1)], [1.25, 1.5]);
  });
});

describe('radam', () => {
  it('follows the mean of the gradients alone in the first five steps, and is rectified from the sixth on', () => {
    const optimizer = radam();
    const hyper = Array.from({ length: 8 }, (_, step) => optimizer.hyper(step));
    expect(hyper.map(({ plain }) => plain)).toEqual([1, 1, 1, 1, 1, 0, 0, 0]);
    expect(hyper.map(({ adaptive }) => adaptive! > 0)).toEqual([false, false, false, false, false, true, true, true]);
    // The same gradient again and again is its own mean.
    close(run(optimizer, [1], [[2], [2], [2]], 0.1).flat(), [0.8, 0.6, 0.4]);
  });

  it('becomes Adam: the rectification grows to 1', () => {
    const { adaptive, meanCorrection } = radam().hyper(100_000);
    expect(adaptive).toBeCloseTo(1, 3);
    expect(meanCorrection).toBe(1);
  });
});

describe('clipByGlobalNorm', () => {
  const clip = (limit: number) => {
    const grads: Params = { a: { kernel: tf.tensor1d([3, 0]) }, b: { bias: tf.tensor1d([4]) } };
    const { grads: clipped, norm } = clipByGlobalNorm(grads, limit);
    return [norm, clipped.a!.kernel!, clipped.b!.bias!].map((tensor) => [...tensor.dataSync()]);
  };

  it('scales everything by limit / (norm + 1e-6)', () => {
    const [norm, a, b] = clip(1);
    close(norm!, [5]);
    close(a!, [3 / (5 + 1e-6), 0]);
    close(b!, [4 / (5 + 1e-6)]);
  });

  it('lets a small gradient pass unchanged', () => {
    const [norm, a, b] = clip(10);
    expect([norm, a, b]).toEqual([[5], [3, 0], [4]]);
  });
});

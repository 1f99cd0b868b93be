import { dense, fromBounds, relu, sequential, type Tensor, tf } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { conforms } from '../test/conforms.js';
import { reluStability } from './relu-stability.js';

/** dense1 and dense2 feed a ReLU, dense3 gives the logits. */
const model = sequential([2], [dense(2), relu(), dense(3), relu(), dense(2)]);
const first = [
  { lower: [-1, 2], upper: [3, 5] },
  { lower: [-0.25, -4], upper: [0.5, -3] },
];
const second = [
  { lower: [-2, 0, 1], upper: [0, 1, 2] },
  { lower: [-0.5, -0.1, 3], upper: [0.5, 0.2, 3] },
];
const box = (images: readonly { lower: number[]; upper: number[] }[]) =>
  fromBounds(tf.tensor2d(images.map(({ lower }) => lower)), tf.tensor2d(images.map(({ upper }) => upper)));
const context = (dense1: ReturnType<typeof box>, dense2 = box(second)) => ({
  model,
  params: {},
  input: dense1,
  bounds: { output: dense1, at: { dense1, dense2 } },
});

/** Plain loops. */
function expected(): number {
  let sum = 0;
  for (const images of [first, second]) {
    for (const { lower, upper } of images) {
      for (const [i, l] of lower.entries()) sum += 1 - Math.tanh(1 + l * upper[i]!);
    }
  }
  return sum / 2;
}

describe('reluStability', () => {
  it('is the sum over neurons and layers and the mean over images of 1 - tanh(1 + lower * upper)', () => {
    expect(
      reluStability()
        .term(context(box(first)))
        .dataSync()[0],
    ).toBeCloseTo(expected(), 5);
  });

  it("has the gradient of the paper's -tanh(1 + lower * upper)", () => {
    const { lower, upper } = box(first);
    const [byLower, byUpper] = tf.grads((l: Tensor, u: Tensor) => reluStability().term(context(fromBounds(l, u))))([
      lower,
      upper,
    ]);
    const slope = (l: number, u: number) => -(1 - Math.tanh(1 + l * u) ** 2) / 2;
    const pairs = first.flatMap(({ lower: ls, upper: us }) => ls.map((l, i) => [l, us[i]!] as const));
    for (const [i, [l, u]] of pairs.entries()) {
      expect(byLower!.dataSync()[i]).toBeCloseTo(slope(l, u) * u, 5);
      expect(byUpper!.dataSync()[i]).toBeCloseTo(slope(l, u) * l, 5);
    }
  });

  it('pushes an unstable neuron to the nearer side and leaves a stable one alone', () => {
    const at = (lower: number, upper: number) =>
      reluStability()
        .term(
          context(
            box([{ lower: [lower, lower], upper: [upper, upper] }]),
            box([{ lower: [9, 9, 9], upper: [9, 9, 9] }]),
          ),
        )
        .dataSync()[0]!;
    expect(at(-0.1, 1)).toBeLessThan(at(-0.5, 0.6));
    expect(at(2, 3)).toBeCloseTo(0, 4);
    expect(at(-3, -2)).toBeCloseTo(0, 4);
  });
});

conforms(reluStability());

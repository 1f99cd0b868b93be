import { createRng, dense, linfBall, relu, type Shape, sequential, sizeOf, tf } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { fuseSpec, ibp, marginSpec } from './index.js';

const rng = createRng(2, 'spec.test');
const random = (shape: Shape) =>
  tf.tensor(
    Array.from({ length: sizeOf(shape) }, () => rng.normal()),
    [...shape],
  );

describe('marginSpec', () => {
  it('of 3 classes, by hand', () => {
    const { matrix } = marginSpec(tf.tensor1d([0, 2, 1], 'int32'), 3);
    expect(matrix.arraySync()).toEqual([
      [
        [1, -1, 0],
        [1, 0, -1],
      ],
      [
        [-1, 0, 1],
        [0, -1, 1],
      ],
      [
        [-1, 1, 0],
        [0, 1, -1],
      ],
    ]);
  });

  it('times logits is logit_y - logit_j for the other classes in increasing order', () => {
    const [classes, labels] = [10, [3, 0, 9, 5]];
    const logits = random([4, classes]);
    const rows = tf.matMul(marginSpec(tf.tensor1d(labels, 'int32'), classes).matrix, tf.expandDims(logits, 2));
    const values = logits.arraySync() as number[][];
    const expected = labels.map((y, i) =>
      values[i]!.filter((_, j) => j !== y).map((other) => expect.closeTo(values[i]![y]! - other, 5)),
    );
    expect(rows.squeeze([2]).arraySync()).toEqual(expected);
  });

  it('of an empty batch is empty', () => {
    expect(marginSpec(tf.tensor1d([], 'int32'), 4).matrix.shape).toEqual([0, 3, 4]);
  });
});

describe('fuseSpec', () => {
  it('is C W^T and C b, in plain loops', () => {
    const [matrix, kernel, bias] = [random([2, 3, 4]), random([5, 4]), random([4])];
    const fused = fuseSpec({ matrix: tf.tensor3d(matrix.arraySync() as number[][][]) }, kernel, bias);
    const [C, W, b] = [
      matrix.arraySync() as number[][][],
      kernel.arraySync() as number[][],
      bias.arraySync() as number[],
    ];
    const dot = (x: number[], y: number[]) => x.reduce((sum, v, i) => sum + v * y[i]!, 0);
    expect(fused.kernel.arraySync()).toEqual(
      C.map((m) => m.map((row) => W.map((w) => expect.closeTo(dot(row, w), 5)))),
    );
    expect(fused.bias.arraySync()).toEqual(C.map((m) => m.map((row) => expect.closeTo(dot(row, b), 5))));
  });
});

describe('ibp with margins', () => {
  it('is exact on one dense layer, where subtracting logit bounds is not', () => {
    const model = sequential([2], [dense(2)]);
    // Logits x + y and x - y: their difference is 2 y, however x moves.
    const params = {
      dense1: {
        kernel: tf.tensor2d([
          [1, 1],
          [1, -1],
        ]),
        bias: tf.tensor1d([0, 0]),
      },
    };
    const box = linfBall(tf.tensor2d([[0.5, 0.5]]), 0.25);
    const { output } = ibp.bound({ network: { model, params }, box, spec: marginSpec(tf.tensor1d([0], 'int32'), 2) });
    expect([output.lower.dataSync()[0], output.upper.dataSync()[0]]).toEqual([0.5, 1.5]);
    const logits = ibp.bound({ network: { model, params }, box }).output;
    expect(logits.lower.dataSync()[0]! - logits.upper.dataSync()[1]!).toBe(0);
  });

  it('applies rows to the logits when the last layer is not dense', () => {
    const model = sequential([2], [relu()]);
    const box = linfBall(tf.tensor2d([[0.5, 0.25]]), 0.25);
    const { output } = ibp.bound({
      network: { model, params: {} },
      box,
      spec: marginSpec(tf.tensor1d([0], 'int32'), 2),
    });
    // [0.25, 0.75] - [0, 0.5].
    expect([output.lower.dataSync()[0], output.upper.dataSync()[0]]).toEqual([-0.25, 0.75]);
  });
});

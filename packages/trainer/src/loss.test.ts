import { type Scalar, type Tensor, tf, valueAndGrad } from '@cert/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { balancedWeights, weightByClass } from './class-weights.js';
import { countErrors, countUnverified, crossEntropy, robustLoss } from './loss.js';

const value = (f: () => Tensor): number => tf.tidy(() => f().dataSync()[0]!);
const rows = fc.array(fc.array(fc.double({ min: -200, max: 200, noNaN: true }), { minLength: 4, maxLength: 4 }), {
  minLength: 1,
  maxLength: 5,
});

describe('robustLoss', () => {
  it('is mean log(1 + sum exp(-margin)), computed here in float64', () => {
    fc.assert(
      fc.property(rows, (margins) => {
        const wanted =
          margins.reduce((sum, row) => {
            const shift = Math.max(0, ...row.map((m) => -m));
            return sum + shift + Math.log(Math.exp(-shift) + row.reduce((s, m) => s + Math.exp(-m - shift), 0));
          }, 0) / margins.length;
        const got = value(() => robustLoss(tf.tensor2d(margins)));
        expect(Math.abs(got - wanted)).toBeLessThanOrEqual(1e-5 * Math.max(1, wanted));
      }),
    );
  });

  it('stays finite, with a finite gradient, where exp overflows', () => {
    const { value: loss, grads } = valueAndGrad((params) => ({ value: robustLoss(params.head!.margins!), aux: {} }), {
      head: { margins: tf.tensor2d([[-1e4, 1e4, 0]]) },
    });
    expect(loss.dataSync()[0]).toBeCloseTo(1e4, 0);
    expect([...grads.head!.margins!.dataSync()]).toEqual([-1, -0, -0]);
  });
});

describe('crossEntropy', () => {
  it('agrees with a hand-computed case', () => {
    // Two classes, logit difference ln 3 for the label: probability 3/4; and against it: 1/4.
    const got = value(() =>
      crossEntropy(
        tf.tensor2d([
          [Math.log(3), 0],
          [Math.log(3), 0],
        ]),
        tf.tensor1d([0, 1], 'int32'),
      ),
    );
    expect(got).toBeCloseTo(-(Math.log(0.75) + Math.log(0.25)) / 2, 6);
  });

  it('has the gradient softmax - one-hot', () => {
    const { grads } = valueAndGrad(
      (params) => ({ value: crossEntropy(params.head!.logits!, tf.tensor1d([2], 'int32')), aux: {} }),
      { head: { logits: tf.tensor2d([[1, 2, 3]]) } },
    );
    const weights = [1, 2, 3].map(Math.exp);
    const total = weights.reduce((a, b) => a + b);
    const wanted = weights.map((w, i) => w / total - (i === 2 ? 1 : 0));
    [...grads.head!.logits!.dataSync()].forEach((g, i) => {
      expect(g).toBeCloseTo(wanted[i]!, 5);
    });
  });
});

describe('weights of examples', () => {
  it('give the weighted mean, as PyTorch defines it, on two examples by hand', () => {
    // Losses -ln(3/4) of class 0 and -ln(1/4) of class 1, with the class weights 1 and 3, scaled to the mean 1: 1/2 and 3/2.
    const batch = weightByClass({ images: Float32Array.of(0, 0), labels: Int32Array.of(0, 1) }, [1, 3]);
    expect([...batch.weights!]).toEqual([0.5, 1.5]);
    const weights = tf.tensor1d([...batch.weights!]);
    const gap = Math.log(3);
    const wanted = -(1 * Math.log(0.75) + 3 * Math.log(0.25)) / (1 + 3);
    const logits = tf.tensor2d([
      [gap, 0],
      [gap, 0],
    ]);
    expect(value(() => crossEntropy(logits, tf.tensor1d([0, 1], 'int32'), weights))).toBeCloseTo(wanted, 6);
    expect(value(() => robustLoss(tf.tensor2d([[gap], [-gap]]), weights))).toBeCloseTo(wanted, 6);
  });

  it('are 0 where no example of a batch has a weight', () => {
    const { weights } = weightByClass({ images: Float32Array.of(0), labels: Int32Array.of(0) }, [0, 1]);
    expect([...weights!]).toEqual([0]);
  });

  it('balance classes by their frequency', () => {
    expect(balancedWeights([0, 0, 0, 1], 3)).toEqual([4 / 9, 4 / 3, 0]);
  });
});

const inf = Number.POSITIVE_INFINITY;

describe('countUnverified', () => {
  it.each([
    [[1e-9, 0.5, 3], 0],
    // Two classes may tie.
    [[0, 0.5, 3], 1],
    [[-1e-9, 0.5, 3], 1],
    [[Number.NaN, 1, 1], 1],
    [[inf, 1, 1], 1],
    [[-inf, 1, 1], 1],
    [[3.4e38, 1, 1], 0],
  ])('%o: %i', (margins, wanted) => {
    expect(value(() => countUnverified(tf.tensor2d([margins, [1, 1, 1]])))).toBe(wanted);
  });
});

describe('countErrors', () => {
  it.each([
    [[3, 1, 2], 0],
    [[1, 3, 2], 1],
    [[2, 2, 1], 1], // A tie predicts no class.
    [[Number.NaN, 1, 2], 1],
    [[3, Number.NaN, 2], 1],
    [[inf, inf, 0], 1],
  ])('%o: %i', (logits, wanted) => {
    expect(value(() => countErrors(tf.tensor2d([logits, [9, 0, 0]]), tf.tensor1d([0, 0], 'int32')))).toBe(wanted);
  });
});

describe('valueAndGrad', () => {
  it('gives zeros for a parameter that the value does not depend on, and hands the rest out', () => {
    const params = { used: { x: tf.scalar(3) }, unused: { y: tf.tensor1d([1, 2]) } };
    const before = tf.memory().numTensors;
    const {
      value: square,
      aux,
      grads,
    } = valueAndGrad(
      (p) => ({ value: tf.square(p.used!.x!) as Scalar, aux: { twice: tf.mul(p.used!.x!, 2) } }),
      params,
    );
    const read = [square, aux.twice, grads.used!.x!, grads.unused!.y!].map((tensor) => [...tensor.dataSync()]);
    expect(read).toEqual([[9], [6], [6], [0, 0]]);
    expect(tf.memory().numTensors - before).toBe(4);
  });
});

import {
  add,
  batchNorm,
  conv2d,
  dense,
  flatten,
  globalAvgPool,
  graph,
  type Layer,
  type Model,
  relu,
  sequential,
} from '@cert/core';
import { describe, expect, it } from 'vitest';
import { ibpInit, ibpPlan } from './ibp.js';

/** Two residual blocks, the second with a convolution as its shortcut. */
function residual(end: 'flatten' | 'pool'): Model {
  const builder = graph([4, 4, 2]);
  builder.add(conv2d(4), undefined, 'stem');
  const stem = builder.add(relu());
  builder.add(conv2d(4), [stem], 'a1');
  builder.add(batchNorm());
  builder.add(relu());
  const a2 = builder.add(conv2d(4), undefined, 'a2');
  builder.add(add(), [a2, stem], 'sum1');
  const block = builder.add(relu());
  builder.add(conv2d(8, { stride: 2 }), [block], 'b1');
  builder.add(relu());
  const b2 = builder.add(conv2d(8), undefined, 'b2');
  const shortcut = builder.add(conv2d(8, { kernel: 1, stride: 2, padding: 0 }), [block], 'shortcut');
  builder.add(add(), [b2, shortcut], 'sum2');
  builder.add(relu());
  builder.add(end === 'pool' ? globalAvgPool() : flatten());
  builder.add(dense(6), undefined, 'hidden');
  builder.add(relu());
  builder.add(dense(3), undefined, 'logits');
  return builder.build();
}

declare module '@cert/core' {
  interface OpMap {
    /** A plug-in's layer. */
    scaledDense: { attrs: object; params: 'kernel' | 'bias'; stats: never };
  }
}

const root = Math.sqrt(2 * Math.PI);

describe('ibpPlan', () => {
  it('has sqrt(2 pi) / fan_in, per group, and keeps the last kernel', () => {
    const model = sequential(
      [4, 4, 6],
      [conv2d(4, { kernel: 3, groups: 2 }), relu(), flatten(), dense(5), relu(), dense(3)],
    );
    expect(ibpPlan(model)).toEqual({
      conv2d1: { fanIn: 27, std: root / 27, halved: false, kept: false },
      dense1: { fanIn: 64, std: root / 64, halved: false, kept: false },
      dense2: { fanIn: 5, std: null, halved: false, kept: true },
    });
  });

  it.each(['flatten', 'pool'] as const)(
    'halves what a residual sum feeds, directly or through ReLU, and not past %s',
    (end) => {
      const plan = ibpPlan(residual(end));
      const halved = Object.keys(plan).filter((node) => plan[node]!.halved);
      expect(halved).toEqual(['b1', 'shortcut']);
      expect(plan.b1!.std).toBeCloseTo(root / 36 / 2, 12);
      expect(plan.shortcut!.std).toBeCloseTo(root / 4 / 2, 12);
      expect(plan.a1!.std).toBeCloseTo(root / 36, 12);
    },
  );

  it('halves a layer that a sum feeds without ReLU', () => {
    const builder = graph([3]);
    const left = builder.add(dense(3), ['input'], 'left');
    const right = builder.add(dense(3), ['input'], 'right');
    builder.add(add(), [left, right]);
    builder.add(dense(3), undefined, 'fed');
    builder.add(dense(2), undefined, 'logits');
    expect(ibpPlan(builder.build()).fed).toMatchObject({ halved: true, std: root / 3 / 2 });
  });

  it('leaves the last kernel at its default even behind a sum', () => {
    const builder = graph([3]);
    const left = builder.add(dense(3), ['input'], 'left');
    builder.add(add(), [left, 'input']);
    builder.add(dense(2), undefined, 'logits');
    expect(ibpPlan(builder.build()).logits).toEqual({ fanIn: 3, std: null, halved: false, kept: true });
  });

  it('plans the kernel of an op that it has never heard of', () => {
    const plugin: Layer<'scaledDense'> = { ...dense(4), op: 'scaledDense' };
    expect(ibpPlan(sequential([3], [plugin, dense(2)])).scaledDense1).toMatchObject({ fanIn: 3, std: root / 3 });
  });
});

describe('ibpInit', () => {
  const moments = (values: ArrayLike<number>) => {
    const list = Array.from(values);
    const mean = list.reduce((a, b) => a + b, 0) / list.length;
    return { mean, std: Math.sqrt(list.reduce((sum, v) => sum + (v - mean) ** 2, 0) / list.length) };
  };

  it('samples what is planned', () => {
    const model = sequential([8, 8, 4], [conv2d(64), relu(), flatten(), dense(20), relu(), dense(20)]);
    const params = ibpInit(model, 1);
    const plan = ibpPlan(model);
    for (const node of ['conv2d1', 'dense1']) {
      const values = params[node]!.kernel!.data;
      const { mean, std } = moments(values);
      const expected = plan[node]!.std!;
      // Five standard errors: of a mean std / sqrt(n), of a standard deviation std / sqrt(2 n).
      expect(Math.abs(mean)).toBeLessThan((5 * expected) / Math.sqrt(values.length));
      expect(Math.abs(std - expected)).toBeLessThan((5 * expected) / Math.sqrt(2 * values.length));
    }
    // The last kernel: uniform in +-1/sqrt(20), of standard deviation 1/sqrt(60).
    const last = params.dense2!.kernel!.data;
    const limit = 1 / Math.sqrt(20);
    expect(Math.max(...last)).toBeLessThanOrEqual(limit);
    expect(Math.min(...last)).toBeGreaterThanOrEqual(-limit);
    expect(Math.abs(moments(last).std - 1 / Math.sqrt(60))).toBeLessThan(5 * limit * Math.sqrt(1 / 45 / last.length));
  });
});

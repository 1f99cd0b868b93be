import { extendRules, ibp, marginSpec, naturalPass, standardRules } from '@cert/bounds';
import {
  add,
  batchNorm,
  buildParams,
  conv2d,
  createRng,
  dense,
  globalAvgPool,
  graph,
  initialStats,
  linfBall,
  type Model,
  type Moments,
  type Params,
  paramSpecs,
  relu,
  sequential,
  sizeOf,
  type Tensor,
  tf,
  toTensors,
} from '@cert/core';
import { ibpInit } from '@cert/init';
import { describe, expect, it } from 'vitest';
import { elbow, elbowRules, zonotope } from '../src/index.js';

const rules = extendRules(standardRules, { elbow: elbowRules });

/** Two ways from the input to one sum: interval arithmetic takes them for independent. */
function branches(): Model {
  const g = graph([3]);
  const left = g.add(dense(4));
  const right = g.add(dense(4), ['input']);
  g.add(add(), [g.add(elbow(), [left]), right]);
  g.add(dense(2));
  return g.build();
}

function residual(): Model {
  const g = graph([4, 4, 2]);
  const stem = g.add(conv2d(3));
  g.add(batchNorm());
  g.add(relu());
  g.add(add(), [g.add(conv2d(3)), stem]);
  g.add(elbow());
  g.add(globalAvgPool());
  g.add(dense(3));
  return g.build();
}

const nets: { readonly [name: string]: Model } = {
  branches: branches(),
  residual: residual(),
  deep: sequential([6], [dense(10), elbow(), dense(10), relu(), dense(4)]),
};

const uniform = (seed: number, shape: readonly number[]): Tensor => {
  const rng = createRng(seed, 'tightness');
  return tf.tensor(Float32Array.from({ length: sizeOf(shape) }, rng.uniform), [...shape]);
};

describe.each(Object.entries(nets))('%s', (_name, model) => {
  const params = toTensors(ibpInit(model, 3));
  const norm = toTensors(initialStats(model)) as { readonly [node: string]: Moments };
  const images = uniform(1, [5, ...model.inputShape]);
  const box = linfBall(images, 0.05);
  const spec = marginSpec(tf.tensor1d([0, 1, 0, 1, 1], 'int32'), model.classes);
  const mean = (x: Tensor) => tf.mean(x).dataSync()[0]!;

  it.each([8, 64])('with %i generators no bound is looser than that of IBP', (generators) => {
    const ours = zonotope({ generators }).bound({ network: { model, params, norm }, box, spec });
    const theirs = rules.ibp.bound({ network: { model, params, norm }, box, spec });
    const pairs = [
      ...Object.keys(theirs.at).map((node) => [ours.at[node]!, theirs.at[node]!]),
      [ours.output, theirs.output],
    ];
    for (const [a, b] of pairs) {
      expect(tf.min(tf.sub(a!.lower, b!.lower)).dataSync()[0]).toBeGreaterThanOrEqual(-1e-6);
      expect(tf.min(tf.sub(b!.upper, a!.upper)).dataSync()[0]).toBeGreaterThanOrEqual(-1e-6);
    }
  });

  it('margins are tighter than those of IBP, and hold at sampled points', () => {
    const ours = zonotope().bound({ network: { model, params, norm }, box, spec }).output.lower;
    const theirs = rules.ibp.bound({ network: { model, params, norm }, box, spec }).output.lower;
    expect(mean(ours)).toBeGreaterThan(mean(theirs) + 0.01 * Math.abs(mean(theirs)));
    for (let seed = 0; seed < 50; seed++) {
      const position = seed % 2 ? tf.round(uniform(seed, images.shape)) : uniform(seed, images.shape);
      const x = tf.add(box.lower, tf.mul(tf.sub(box.upper, box.lower), position));
      const { output } = naturalPass({ model, params, norm }, x, rules.natural);
      const margins = tf.sum(tf.mul(spec.matrix, tf.expandDims(output, 1)), 2);
      expect(tf.min(tf.sub(margins, ours)).dataSync()[0]).toBeGreaterThan(-1e-5);
    }
  });
});

it('is exact where two branches cancel, by hand: x - x', () => {
  const g = graph([1]);
  const left = g.add(dense(1));
  g.add(add(), [left, g.add(dense(1), ['input'])]);
  const model = g.build();
  const params: Params = buildParams(paramSpecs(model), ({ node, name }) =>
    name === 'bias' ? tf.zeros([1]) : tf.tensor2d([[node === left ? 1 : -1]]),
  );
  const box = linfBall(tf.tensor2d([[0.5]]), 0.25);
  const range = (method: typeof ibp | ReturnType<typeof zonotope>) => {
    const { lower, upper } = method.bound({ network: { model, params }, box }).output;
    return [lower.dataSync()[0], upper.dataSync()[0]];
  };
  expect(range(ibp)).toEqual([-0.5, 0.5]);
  expect(range(zonotope())).toEqual([0, 0]);
});

import {
  add,
  avgPool,
  batchNorm,
  buildParams,
  conv2d,
  createRng,
  dense,
  flatten,
  graph,
  initialStats,
  linfBall,
  type Model,
  type Params,
  paramSpecs,
  relu,
  type Shape,
  sequential,
  sizeOf,
  tf,
  toTensors,
} from '@cert/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BackwardTable,
  crown,
  crownIbp,
  crownIbpOf,
  crownMargins,
  extendLines,
  ibp,
  linearRelaxation,
  marginSpec,
  naturalPass,
  runningNorm,
} from './index.js';

const random = (rng: ReturnType<typeof createRng>, shape: Shape, scale = 1) =>
  tf.tensor(
    Array.from({ length: sizeOf(shape) }, () => scale * rng.normal()),
    [...shape],
  );

const drawParams = (model: Model, seed: number): Params =>
  buildParams(paramSpecs(model), ({ node, name, shape }) => random(createRng(seed, node, name), shape, 0.6));

/** Residual, strided and pooled: every path that rows take back. */
function mixedNet(): Model {
  const net = graph([6, 5, 2]);
  const stem = net.add(relu(), [net.add(batchNorm(), [net.add(conv2d(4))])]);
  const main = net.add(conv2d(6, { stride: 2, groups: 2 }), [stem]);
  const shortcut = net.add(conv2d(6, { kernel: 1, padding: 0, stride: 2 }), [stem]);
  net.add(relu(), [net.add(add(), [main, shortcut])]);
  net.add(avgPool(2));
  net.add(flatten());
  net.add(dense(5));
  net.add(relu());
  net.add(dense(3));
  return net.build();
}

const values = (x: { dataSync(): ArrayLike<number> }) => Array.from(x.dataSync());

/** By hand: hidden a = x + y in [-1, 3], b = x - y in [-2, 2]; margin = relu(a) - relu(b). */
const byHand = {
  model: sequential([2], [dense(2), relu(), dense(2)]),
  params: {
    dense1: {
      kernel: tf.tensor2d([
        [1, 1],
        [1, -1],
      ]),
      bias: tf.tensor1d([0, 0]),
    },
    dense2: {
      kernel: tf.tensor2d([
        [1, 0],
        [0, 1],
      ]),
      bias: tf.tensor1d([0, 0]),
    },
  },
  box: { lower: tf.tensor2d([[-0.5, -0.5]]), upper: tf.tensor2d([[1.5, 1.5]]) },
  spec: marginSpec(tf.tensor1d([0], 'int32'), 2),
};

describe('CROWN-IBP', () => {
  it('of two unstable neurons, by hand', () => {
    // relu(a) >= a, as 3/4 > 1/2; relu(b) <= (b + 2) / 2. a - (b + 2) / 2 = (x + 3 y) / 2 - 1, least at -0.5: -2.
    const { output } = crownIbp.bound({
      network: { model: byHand.model, params: byHand.params },
      box: byHand.box,
      spec: byHand.spec,
    });
    expect(values(output.lower)).toEqual([-2]);
    // relu(a) <= 3/4 (a + 1); relu(b) >= 0, as 1/2 is not above 1/2. Greatest at 1.5: 3.
    expect(values(output.upper)).toEqual([3]);
    // Plain intervals: [0, 3] - [0, 2].
    const loose = ibp.bound({
      network: { model: byHand.model, params: byHand.params },
      box: byHand.box,
      spec: byHand.spec,
    }).output;
    expect([...values(loose.lower), ...values(loose.upper)]).toEqual([-2, 3]);
  });

  it('leaves stable neurons exact', () => {
    const box = { lower: tf.tensor2d([[1, 0.1]]), upper: tf.tensor2d([[1.2, 0.3]]) };
    // Both active: margin = a - b = 2 y in [0.2, 0.6], where intervals give [1.1 - 1.1, 1.5 - 0.7].
    const { output } = crownIbp.bound({
      network: { model: byHand.model, params: byHand.params },
      box,
      spec: byHand.spec,
    });
    expect(values(output.lower)[0]).toBeCloseTo(0.2, 6);
    expect(values(output.upper)[0]).toBeCloseTo(0.6, 6);
    const loose = ibp.bound({ network: { model: byHand.model, params: byHand.params }, box, spec: byHand.spec }).output;
    expect(values(loose.lower)[0]).toBeCloseTo(0, 6);
  });

  it('bounds differences of logits where no specification is given logit by logit', () => {
    const { output } = crownIbp.bound({ network: { model: byHand.model, params: byHand.params }, box: byHand.box });
    expect(values(output.lower)).toEqual([-1, 0]);
    expect(values(output.upper)).toEqual([3, 2]);
  });

  it('needs bounds at every node that a ReLU reads', () => {
    const { at } = ibp.bound({ network: { model: byHand.model, params: byHand.params }, box: byHand.box });
    const { dense1: _, ...incomplete } = at;
    expect(() =>
      crownMargins(
        { network: { model: byHand.model, params: byHand.params }, box: byHand.box, spec: byHand.spec },
        incomplete,
      ),
    ).toThrow('Bounds at "dense1", an input of "relu1" (relu), are missing.');
  });
});

describe('a table of backward rules', () => {
  it('without a rule names the op, the node and the cure', () => {
    const partial: BackwardTable = { name: 'partial', rules: linearRelaxation.rules, lines: {} };
    const method = crownIbpOf({ backward: partial });
    expect(() => method.bound({ network: { model: byHand.model, params: byHand.params }, box: byHand.box })).toThrow(
      'partial has no backward rule and no lines for "relu" (node "relu1").\nAdd one with extendBackward(partial, { relu: rule }) or extendLines(partial, { relu: lines }).',
    );
    const complete = crownIbpOf({ backward: extendLines(partial, { relu: linearRelaxation.lines.relu! }) });
    expect(
      values(
        complete.bound({ network: { model: byHand.model, params: byHand.params }, box: byHand.box, spec: byHand.spec })
          .output.lower,
      ),
    ).toEqual([-2]);
  });
});

describe('CROWN', () => {
  it('in chunks of any size is the same', () => {
    const model = mixedNet();
    const params = drawParams(model, 3);
    const norm = runningNorm(toTensors(initialStats(model)));
    const box = linfBall(random(createRng(4), [2, 6, 5, 2], 0.5), 0.05, null);
    const spec = marginSpec(tf.tensor1d([2, 0], 'int32'), 3);
    const [whole, ...others] = [undefined, 1, 4, 1000].map((chunk) => {
      const { output, at } = crown({ chunk }).bound({ network: { model, params, norm }, box, spec });
      return [output, ...Object.values(at)].flatMap(({ lower, upper }) => [...values(lower), ...values(upper)]);
    });
    for (const other of others) expect(other).toEqual(whole!.map((x) => expect.closeTo(x, 4)));
  });

  it('is the same as CROWN-IBP behind the first ReLU, and tighter further on', () => {
    const model = mixedNet();
    const params = drawParams(model, 5);
    const norm = runningNorm(toTensors(initialStats(model)));
    const box = linfBall(random(createRng(6), [3, 6, 5, 2], 0.5), 0.03, null);
    const [loose, tight] = [crownIbp, crown()].map((m) => m.bound({ network: { model, params, norm }, box }).at);
    const width = (at: typeof loose, node: string) =>
      tf.mean(tf.sub(at![node]!.upper, at![node]!.lower)).dataSync()[0]!;
    expect(width(tight, 'batchNorm1')).toBeCloseTo(width(loose, 'batchNorm1'), 4);
    expect(width(tight, 'dense1')).toBeLessThan(width(loose, 'dense1'));
  });
});

/** The smallest margin [batch, rows] at random points and corners of a box. */
function attacked(model: Model, params: Params, norm: ReturnType<typeof runningNorm>, x: number, epsilon: number) {
  const rng = createRng(x, 'attack');
  const images = random(createRng(x, 'images'), [2, ...model.inputShape], 0.5);
  const spec = marginSpec(tf.tensor1d([0, model.classes - 1], 'int32'), model.classes);
  const box = linfBall(images, epsilon, null);
  const reached = Array.from({ length: 24 }, (_, i) => {
    const noise = random(rng, images.shape);
    const step = i % 2 === 0 ? tf.sign(noise) : tf.clipByValue(noise, -1, 1);
    const { output } = naturalPass({ model, params, norm }, tf.add(images, tf.mul(step, epsilon)));
    return tf.squeeze(tf.matMul(spec.matrix, tf.expandDims(output, 2)), [2]);
  });
  return { box, spec, least: values(tf.min(tf.stack(reached), 0)) };
}

describe('properties', () => {
  const model = mixedNet();
  const norm = runningNorm(toTensors(initialStats(model)));

  it('lower margins are never above what an attack reaches', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.constantFrom(0, 1e-6, 0.01, 0.1, 1), (seed, epsilon) => {
        tf.tidy(() => {
          const params = drawParams(model, seed);
          const { box, spec, least } = attacked(model, params, norm, seed, epsilon);
          for (const method of [crownIbp, crown()]) {
            const lower = values(method.bound({ network: { model, params, norm }, box, spec }).output.lower);
            lower.forEach((bound, i) => {
              expect(bound).toBeLessThanOrEqual(least[i]! + 1e-4 * (1 + Math.abs(least[i]!)));
            });
          }
        });
      }),
      { numRuns: 12 },
    );
  });

  it('are never below those of IBP where every neuron is stable, as linear bounds are exact there', () => {
    fc.assert(
      fc.property(fc.nat(1000), (seed) => {
        tf.tidy(() => {
          const params = drawParams(model, seed);
          const { box, spec } = attacked(model, params, norm, seed, 1e-5);
          const { at, output } = ibp.bound({ network: { model, params, norm }, box, spec });
          const stable = ['batchNorm1', 'add1', 'dense1'].every(
            (node) =>
              tf.any(tf.logicalAnd(tf.less(at[node]!.lower, 0), tf.greater(at[node]!.upper, 0))).dataSync()[0] === 0,
          );
          fc.pre(stable);
          for (const method of [crownIbp, crown()]) {
            const bounds = method.bound({ network: { model, params, norm }, box, spec }).output;
            values(tf.sub(bounds.lower, output.lower)).forEach((gain) => {
              expect(gain).toBeGreaterThanOrEqual(-1e-4);
            });
          }
        });
      }),
      { numRuns: 8 },
    );
  });
});

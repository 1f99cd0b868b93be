import { ibp } from '@cert/bounds';
import {
  createRng,
  dense,
  type HostBatch,
  linf,
  perturbationBox,
  relu,
  type Scalar,
  sequential,
  tf,
  toTensors,
  withLabelUnits,
} from '@cert/core';
import { ibpInit } from '@cert/init';
import { openDevice } from '@cert/jit/node';
import { checkGradient } from '@cert/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fit } from '../fit.js';
import { adam } from '../optimizers/adam.js';
import { sgd } from '../optimizers/sgd.js';
import { taskOf, worstErrors } from '../regression.js';
import { constantSchedule } from '../schedules/schedule.js';
import { initialState } from '../state.js';
import { createTrainStep } from '../step.js';
import { naturalObjective } from './natural.js';
import { intervalObjective, intervalSchedule, squaredObjective } from './regression.js';

const close = (value: number) => expect.closeTo(value, 5);

describe('by hand: f = 2 a - b + 1 over boxes of radius 1/2', () => {
  const model = sequential([2], [dense(1)]);
  const params = { dense1: { kernel: tf.tensor2d([[2], [-1]]), bias: tf.tensor1d([1]) } };
  const batch = {
    // f is 1 and 4; over the boxes [-0.5, 2.5] and [2.5, 5.5].
    images: tf.tensor2d([
      [0, 0],
      [2, 1],
    ]),
    labels: tf.tensor1d([0, 0], 'int32'),
    targets: tf.tensor1d([1, 5]),
  };
  const perturbation = linf({ epsilon: 0.5, range: null });
  const hyper = { epsilon: tf.scalar(0.5), learningRate: tf.scalar(0) };
  const metricsOf = (objective: Parameters<typeof createTrainStep>[0]['objective'], delta: number, more = {}) => {
    const options = { model, objective, optimizer: sgd(), perturbation, regression: { delta, scale: 2 } };
    const { state, metrics } = createTrainStep(options)(
      { params, stats: {}, optimizer: {} },
      { ...batch, ...more },
      hyper,
    );
    tf.dispose([state.params]);
    const { terms: _, ...numbers } = metrics;
    return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, value!.dataSync()[0]]));
  };

  it('the squared error is measured in units of the scale', () => {
    // |f - y| is 0 and 1.
    expect(metricsOf(squaredObjective({ scale: 2 }), 1)).toMatchObject({ loss: close(1 / 8), errors: 1 });
  });

  it('the interval loss is the worst squared error of each box, and counts what may be off by delta', () => {
    // At most 1.5 and 2.5.
    const wanted = (1.5 ** 2 + 2.5 ** 2) / 2 / 4;
    expect(metricsOf(intervalObjective({ scale: 2 }), 2)).toMatchObject({
      ...{ loss: close(wanted), robustLoss: close(wanted), naturalLoss: close(1 / 8), errors: 0, unverified: 1 },
    });
    // An error of exactly delta is not below it.
    expect(metricsOf(intervalObjective({ scale: 2 }), 1.5)).toMatchObject({ unverified: 2 });
    expect(metricsOf(intervalObjective({ scale: 2 }), 2.51)).toMatchObject({ unverified: 0 });
  });

  it('adds the natural loss, and weights examples', () => {
    const both = intervalObjective({ scale: 2, naturalWeight: 3 });
    expect(metricsOf(both, 2).loss).toBeCloseTo((1.5 ** 2 + 2.5 ** 2) / 8 + 3 / 8, 5);
    const weights = tf.tensor1d([2, 0]);
    expect(metricsOf(intervalObjective({ scale: 2 }), 2, { weights }).loss).toBeCloseTo(1.5 ** 2 / 4, 5);
  });
});

describe('gradients', () => {
  it('of the interval loss are those of finite differences', async () => {
    const model = sequential([3], [dense(5), relu(), dense(1)]);
    const { dense1, dense2 } = toTensors(ibpInit(model, 1));
    const images = tf.tensor2d([
      [0.2, 0.4, 0.9],
      [0.7, 0.1, 0.3],
    ]);
    const targets = tf.tensor1d([0.3, -1]);
    const labels = tf.tensor1d([0, 0], 'int32');
    const objective = intervalObjective({ scale: 0.5 });
    const { spec } = taskOf(model, objective, { delta: 1, scale: 1 });
    const loss = (first: typeof images, second: typeof images) => {
      const network = {
        model,
        params: { dense1: { ...dense1!, kernel: first }, dense2: { ...dense2!, kernel: second } },
      };
      const box = perturbationBox(linf({ epsilon: 0.2, range: null }), images, tf.scalar(0.2));
      const { output } = ibp.bound({ network, box, spec: spec(labels) });
      return tf.mean(tf.square(tf.div(worstErrors(output.lower, targets), 0.5))) as Scalar;
    };
    await checkGradient(
      (first, second) => loss(first as typeof images, second as typeof images),
      [dense1!.kernel!, dense2!.kernel!],
    );
  });
});

describe('training', () => {
  let device: Awaited<ReturnType<typeof openDevice>>;
  beforeAll(async () => {
    device = await openDevice('cpu');
  });
  afterAll(() => device.dispose());

  it('learns a function in the units of its label, and tightens its intervals, compiled', async () => {
    const [mean, std] = [5000, 300];
    const model = withLabelUnits(sequential([2], [dense(16), relu(), dense(1)]), { mean, std });
    const optimizer = adam();
    const at = (seed: number): HostBatch => {
      const rng = createRng(seed, 'rows');
      const images = Float32Array.from({ length: 64 }, () => rng.uniform());
      const targets = Float32Array.from({ length: 32 }, (_, i) => mean + 500 * (images[2 * i]! - images[2 * i + 1]!));
      return { images, targets, labels: new Int32Array(32) };
    };
    const last: { [name: string]: number | undefined }[] = [];
    for await (const { type, metrics } of fit({
      ...{
        device,
        model,
        optimizer,
        epochs: 30,
        stepsPerEpoch: 4,
        state: initialState(model, ibpInit(model, 0), optimizer),
      },
      ...{
        regression: { delta: 150, scale: std },
        batches: (epoch: number, from: number) => [0, 1, 2, 3].slice(from).map((i) => at(4 * epoch + i)),
      },
      plan: {
        objective: intervalSchedule({ scale: std }),
        epsilon: (step) => (step < 20 ? 0 : 0.02),
        targetEpsilon: 0.02,
        learningRate: constantSchedule(0.02),
        regWeight: () => 0,
        regularizedSteps: 0,
      },
    })) {
      if (type === 'epoch') last.push(metrics);
    }
    expect(last[0]).toMatchObject({ error: expect.any(Number) });
    expect(last.at(-1)!.naturalLoss).toBeLessThan(0.05);
    expect(last.at(-1)!.verifiedError).toBeLessThan(0.2);
    expect(last.at(-1)!.verifiedError).toBeGreaterThanOrEqual(last.at(-1)!.error!);
  });
});

describe('a step refuses', () => {
  const one = sequential([2], [dense(1)]);
  const optimizer = sgd();
  const regression = { delta: 1, scale: 1 };
  it.each([
    [
      'a model of one output as a classifier',
      { model: one, objective: naturalObjective },
      /has 1 outputs, for a classification/,
    ],
    [
      'several outputs',
      { model: sequential([2], [dense(2)]), objective: squaredObjective(), regression },
      /has 2 outputs/,
    ],
    [
      'an objective for classes',
      { model: one, objective: naturalObjective, regression },
      /natural is for a classification/,
    ],
    ['an objective for targets', { model: one, objective: squaredObjective() }, /squared is for a regression/],
  ])('%s', (_, options, message) => {
    expect(() => createTrainStep({ ...options, optimizer })).toThrow(message);
  });

  it('a batch without targets', () => {
    const step = createTrainStep({ model: one, objective: squaredObjective(), optimizer, regression });
    const batch = { images: tf.ones([1, 2]), labels: tf.tensor1d([0], 'int32') };
    expect(() => step(toTensors(initialState(one, ibpInit(one, 0), optimizer)), batch, {})).toThrow(/has no targets/);
  });
});

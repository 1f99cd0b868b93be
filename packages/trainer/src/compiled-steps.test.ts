import { batchNorm, createRng, dense, mapTree, relu, type Scalar, sequential, tf, toTensors } from '@cert/core';
import { ibpInit } from '@cert/init';
import { type Device, disposeTree, putBatch, putScalars } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import { l1, reluBalance, reluStability, tightness, volume } from '@cert/regularizers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiledSteps } from './compiled-steps.js';
import { readMetrics } from './metrics.js';
import { crownIbpObjective } from './objectives/crown-ibp.js';
import { naturalObjective } from './objectives/natural.js';
import { pgdObjective } from './objectives/pgd.js';
import { robustObjective } from './objectives/robust.js';
import { always, crownIbpSchedule, naturalThen, type ObjectiveSchedule } from './objectives/schedule.js';
import { adam } from './optimizers/adam.js';
import { sgd } from './optimizers/sgd.js';
import { planStep } from './plan.js';
import { constantSchedule } from './schedules/schedule.js';
import { initialState, putState } from './state.js';
import { createTrainStep, type StepMetrics } from './step.js';

const model = sequential([4], [dense(8), batchNorm(), relu(), dense(3)]);
const rng = createRng(7, 'compiled-steps');
const COUNT = 12;
const host = {
  images: Float32Array.from({ length: 4 * COUNT }, rng.uniform),
  labels: Int32Array.from({ length: COUNT }, (_, i) => i % 3),
  noise: { shape: [COUNT, 4], data: Float32Array.from({ length: 4 * COUNT }, () => 2 * rng.uniform() - 1) },
};
const NUMBERS = { learningRate: 0.02, epsilon: 0.02, ramp: 0.4, regWeight: 0.05 };

/** A software adapter takes long: there one part has to do. */
const PARTS = process.env.CERT_TEST_DEVICE === undefined ? [1, 2] : [1];

let device: Device;
beforeAll(async () => {
  device = await openDevice(process.env.CERT_TEST_DEVICE ?? 'cpu');
});
afterAll(() => device.dispose());

describe.each([
  ['natural', naturalObjective, []],
  ['pgd', pgdObjective(), []],
  ['vanilla', robustObjective(), []],
  ['fast', robustObjective(), [tightness(), reluBalance()]],
  ['crown-ibp', crownIbpObjective(), []],
  ['crown-ibp without fusion', crownIbpObjective({ fusion: false }), []],
  ['stability', robustObjective(), [reluStability(), l1()]],
  ['volume', robustObjective(), [volume()]],
] as const)('a step of %s', (_name, objective, regularizers) => {
  it.each(PARTS)('compiles once, learns and does what it does eagerly, in %i parts', async (parts) => {
    const optimizer = adam();
    const options = { model, objective, optimizer, regularizers, parts };
    const initial = initialState(model, ibpInit(model, 2), optimizer);
    const steps = compiledSteps(device, options);
    const step = steps.of({ objective, regularized: regularizers.length > 0 });
    let state = putState(device, initial);
    const losses: number[] = [];
    for (let i = 0; i < 30; i++) {
      const batch = putBatch(device, model, host);
      const hyper = putScalars(device, { ...NUMBERS, ...optimizer.hyper(i) });
      const next = await step.run(state, batch, hyper);
      losses.push((await readMetrics(next.metrics, step.layout(), COUNT)).loss);
      disposeTree([state, batch, hyper, next.metrics]);
      state = next.state;
    }
    disposeTree(state);
    expect(losses.at(-1)).toBeLessThan(0.9 * losses[0]!);
    // Devices that run op by op trace nothing.
    expect(step.run.traces).toBe(device.name.startsWith('tfjs') ? 0 : 1);

    const eagerBatch = {
      images: tf.tensor(host.images, [COUNT, 4]),
      labels: tf.tensor1d(host.labels, 'int32'),
      noise: tf.tensor(host.noise.data, [COUNT, 4]),
    };
    const scalars = mapTree((x: number) => tf.scalar(x), { ...NUMBERS, ...optimizer.hyper(0) }) as Record<
      string,
      Scalar
    >;
    const { metrics } = createTrainStep(options)(toTensors(initial), eagerBatch, scalars) as { metrics: StepMetrics };
    expect(losses[0]).toBeCloseTo(metrics.loss.dataSync()[0]!, 4);
    await steps.dispose();
  });
});

describe('compiledSteps', () => {
  const plan = {
    epsilon: (step: number) => step / 4,
    targetEpsilon: 1,
    learningRate: constantSchedule(0.1),
    regWeight: constantSchedule(1),
    regularizedSteps: 3,
  };
  /** Which steps of a training share a compiled function. */
  const shared = (objective: ObjectiveSchedule) => {
    const optimizer = sgd();
    const steps = compiledSteps(device, { model, optimizer, regularizers: [tightness()] });
    const made = [0, 1, 2, 3, 4].map((step) => steps.of(planStep({ ...plan, objective }, optimizer, step)));
    return made.map((one) => made.indexOf(one));
  };

  it('makes one for each objective, with regularizers and without', () => {
    expect(shared(naturalThen(robustObjective()))).toEqual([0, 1, 1, 3, 3]);
    expect(shared(crownIbpSchedule())).toEqual([0, 1, 1, 3, 4]);
    expect(shared(always(naturalObjective))).toEqual([0, 0, 0, 3, 3]);
  });
});

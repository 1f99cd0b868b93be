import {
  batchNorm,
  conv2d,
  createRng,
  dense,
  flatten,
  flattenTree,
  type HostParams,
  l2,
  type Model,
  type Params,
  type Perturbation,
  relu,
  sequential,
  sizeOf,
  type Tensor,
  tf,
  toTensors,
} from '@cert/core';
import { ibpInit } from '@cert/init';
import { describe, expect, it } from 'vitest';
import { conforms } from '../../test/conforms.js';
import { sgd } from '../optimizers/sgd.js';
import { initialState } from '../state.js';
import { createTrainStep } from '../step.js';
import type { AttackOptions } from './attack.js';
import { ccIbpObjective } from './cc-ibp.js';
import { expIbpObjective } from './exp-ibp.js';
import { mtlIbpObjective } from './mtl-ibp.js';
import { naturalObjective } from './natural.js';
import type { BoundedObjective, Objective } from './objective.js';
import { robustObjective } from './robust.js';
import { sabrObjective } from './sabr.js';
import { stapsSchedule, tapsSchedule } from './schedule.js';
import { stapsObjective, tapsObjective } from './taps.js';

const model: Model = sequential(
  [4, 4, 1],
  [conv2d(3), batchNorm(), relu(), flatten(), dense(6), batchNorm(), relu(), dense(3)],
);
const rng = createRng(5, 'identities');
const uniform = (shape: readonly number[], least = 0) =>
  tf.tensor(
    Float32Array.from({ length: sizeOf(shape) }, () => least + (1 - least) * rng.uniform()),
    [...shape],
  );
const COUNT = 4;
const images = uniform([COUNT, 4, 4, 1]);
const labels = tf.tensor1d([0, 1, 2, 1], 'int32');
const initial: HostParams = ibpInit(model, 3);
const attack: AttackOptions = { steps: 3, stepSize: 0.5, restarts: 2 };

/** Loss and new parameters of a step. */
function stepOf(objective: Objective, epsilon = 0.05, on: Model = model, perturbation?: Perturbation) {
  const optimizer = sgd();
  const start = toTensors(initialState(on, on === model ? initial : ibpInit(on, 3), optimizer));
  const shape = objective.noise?.(on) ?? on.inputShape;
  const hyper = { epsilon: tf.scalar(epsilon), ramp: tf.scalar(1), learningRate: tf.scalar(0.1) };
  const noise = uniform([COUNT, ...shape], -1);
  const step = createTrainStep({ model: on, objective, optimizer, ...(perturbation && { perturbation }) });
  const { state, metrics } = step(start, { images, labels, noise }, hyper);
  const params = flattenTree<Tensor>(state.params as Params).flatMap(({ value }) => [...value.dataSync()]);
  return { loss: metrics.loss.dataSync()[0]!, params };
}

function expectSame(a: ReturnType<typeof stepOf>, b: ReturnType<typeof stepOf>): void {
  expect(Math.abs(a.loss - b.loss)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(b.loss)));
  a.params.forEach((value, i) => {
    expect(Math.abs(value - b.params[i]!)).toBeLessThanOrEqual(1e-4 * Math.max(1, Math.abs(b.params[i]!)));
  });
}

describe('objectives between adversarial and IBP training', () => {
  const robust = robustObjective();

  it.each<[string, BoundedObjective]>([
    ['SABR with a shrinkage of 1', sabrObjective({ shrinkage: 1, attack })],
    ['MTL-IBP with alpha 1', mtlIbpObjective({ alpha: 1, attack })],
    ['CC-IBP with alpha 1', ccIbpObjective({ alpha: 1, attack })],
    ['EXP-IBP with alpha 1', expIbpObjective({ alpha: 1, attack })],
  ])('%s is IBP training', (_, objective) => {
    expectSame(stepOf(objective), stepOf(robust));
    expect(stepOf(objective).loss).not.toBeCloseTo(stepOf(naturalObjective).loss, 2);
  });

  it.each<[string, BoundedObjective]>([
    ['SABR with a shrinkage of 0', sabrObjective({ shrinkage: 0, attack })],
    ['MTL-IBP with alpha 0', mtlIbpObjective({ alpha: 0, attack })],
    ['CC-IBP with alpha 0', ccIbpObjective({ alpha: 0, attack })],
    ['EXP-IBP with alpha 0', expIbpObjective({ alpha: 0, attack })],
  ])('%s is between natural and IBP training, and all agree', (_, objective) => {
    const { loss } = stepOf(objective);
    expect(loss).toBeGreaterThan(stepOf(naturalObjective).loss);
    expect(loss).toBeLessThan(stepOf(robust).loss);
    // The points of another attack differ a little.
    expect(Math.abs(loss - stepOf(mtlIbpObjective({ alpha: 0, attack })).loss)).toBeLessThan(0.05 * loss);
  });

  it('all reach the natural loss where the radius is tiny', () => {
    const natural = stepOf(naturalObjective).loss;
    for (const objective of [
      sabrObjective({ shrinkage: 0.5, attack }),
      mtlIbpObjective({ alpha: 0.5, attack }),
      ccIbpObjective({ alpha: 0.5, attack }),
      expIbpObjective({ alpha: 0.5, attack }),
    ]) {
      expect(stepOf(objective, 1e-6).loss).toBeCloseTo(natural, 3);
    }
  });

  it('TAPS whose second part is linear finds the worst corner, the margin of IBP, so its loss is the square', () => {
    const ibp = stepOf(robust).loss;
    // One step of twice the half width reaches a corner from any point.
    const one = { steps: 1, stepSize: 2, restarts: 1 };
    expect(stepOf(tapsObjective({ cut: 2, attack: one })).loss / ibp ** 2).toBeCloseTo(1, 4);
    const deeper = stepOf(tapsObjective({ cut: 1, attack })).loss;
    expect(deeper).toBeLessThanOrEqual(ibp ** 2 * (1 + 1e-5));
    expect(deeper).toBeGreaterThan(stepOf(naturalObjective).loss * ibp * (1 - 1e-5));
  });

  it('STAPS with a shrinkage of 1 is TAPS', () => {
    const one = { steps: 1, stepSize: 2, restarts: 1 };
    const taps = stepOf(tapsObjective({ cut: 2, attack: one }));
    expectSame(stepOf(stapsObjective({ cut: 2, attack: one, boxAttack: attack, shrinkage: 1 })), taps);
    const small = stepOf(stapsObjective({ cut: 2, attack: one, boxAttack: attack, shrinkage: 0.3 }));
    expect(small.loss).toBeLessThan(taps.loss);
  });

  it('mixes the natural loss in by its share, which follows the ramp', () => {
    const [natural, whole] = [stepOf(naturalObjective).loss, stepOf(robust).loss];
    // The ramp of this step is 1.
    const mixed = stepOf(robustObjective({ naturalShare: [0.9, 0.25] })).loss;
    expect(mixed).toBeCloseTo(0.25 * natural + 0.75 * whole, 4);
    expect(stepOf(mtlIbpObjective({ alpha: 1, attack, naturalShare: [1, 1] })).loss).toBeCloseTo(natural, 5);
  });

  it('takes Euclidean sets, except for small boxes', () => {
    const ball = l2({ epsilon: 0 });
    const loss = (objective: Objective) => stepOf(objective, 0.2, model, ball).loss;
    expect(loss(mtlIbpObjective({ alpha: 0, attack }))).toBeGreaterThan(stepOf(naturalObjective).loss);
    expect(loss(mtlIbpObjective({ alpha: 0, attack }))).toBeLessThan(
      stepOf(mtlIbpObjective({ alpha: 0, attack }), 0.2).loss,
    );
    expect(() => loss(sabrObjective({ shrinkage: 0.5 }))).toThrow('perturbation set is a Euclidean ball');
  });

  it('refuses shares outside [0, 1] and a cut that the model does not have', () => {
    expect(() => sabrObjective({ shrinkage: 1.5 })).toThrow('The shrinkage is 1.5');
    expect(() => sabrObjective({ shrinkage: 0.5, reluShrinkage: -1 })).toThrow('The ReLU shrinkage is -1');
    expect(() => mtlIbpObjective({ alpha: Number.NaN })).toThrow('The alpha is NaN');
    expect(() => robustObjective({ naturalShare: [0, 2] })).toThrow('The share of the natural loss is 2');
    expect(() => stepOf(tapsObjective({ cut: 3 }))).toThrow('from 1 to 2: the model has 2 ReLUs');
    // Before the first step.
    const ball = l2({ epsilon: 0 });
    expect(() => tapsObjective({ cut: 3 }).check?.(model, ball)).toThrow('the model has 2 ReLUs');
    expect(() => tapsObjective({ cut: 2 }).check?.(model, ball)).not.toThrow();
    expect(() => stapsObjective({ cut: 2, shrinkage: 0.5 }).check?.(model, ball)).toThrow('Euclidean ball');
    expect(() => sabrObjective({ shrinkage: 0.5 }).check?.(model, ball)).toThrow('Euclidean ball');
  });

  it('TAPS and STAPS are trained by bounds alone while the radius grows', () => {
    const names = [0, 0.3, 0.99, 1].map((ramp) => [
      tapsSchedule({ cut: 1 })(ramp).name,
      stapsSchedule({ cut: 1, shrinkage: 0.5 })(ramp).name,
    ]);
    expect(names).toEqual([
      ['natural', 'natural'],
      ['robust', 'sabr'],
      ['robust', 'sabr'],
      ['taps', 'staps'],
    ]);
  });
});

const few = { steps: 2, stepSize: 0.5, restarts: 2 };
conforms(
  sabrObjective({ shrinkage: 0.4, attack: few }),
  sabrObjective({ shrinkage: 0.4, reluShrinkage: 0.8, attack: few }),
  mtlIbpObjective({ alpha: 0.3, attack: few }),
  ccIbpObjective({ alpha: 0.3, attack: few }),
  expIbpObjective({ alpha: 0.3, attack: few }),
);

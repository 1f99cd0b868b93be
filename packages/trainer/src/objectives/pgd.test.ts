import { ibp, marginSpec, naturalPass } from '@cert/bounds';
import {
  batchNorm,
  createRng,
  dense,
  flattenTree,
  type Model,
  type Params,
  relu,
  sequential,
  sizeOf,
  type Tensor,
  tf,
  toTensors,
  UNIT_BALL,
} from '@cert/core';
import { ibpInit } from '@cert/init';
import { describe, expect, it } from 'vitest';
import { conforms } from '../../test/conforms.js';
import { sgd } from '../optimizers/sgd.js';
import { initialState } from '../state.js';
import { createTrainStep } from '../step.js';
import { naturalObjective } from './natural.js';
import type { ChoiceContext } from './objective.js';
import { pgdObjective } from './pgd.js';

const random = (seed: number, shape: readonly number[], least = 0) => {
  const rng = createRng(seed, 'pgd-test');
  const size = sizeOf(shape);
  return tf.tensor(
    Float32Array.from({ length: size }, () => least + (1 - least) * rng.uniform()),
    [...shape],
  );
};
const values = (tensor: Tensor) => [...tensor.dataSync()];
const passOf = (model: Model) => (params: Params, x: Tensor) => naturalPass({ model, params, norm: 'batch' }, x);

/** What a step hands to `choose`. */
function contextOf(
  given: Pick<ChoiceContext, 'model' | 'params' | 'images' | 'labels' | 'noise' | 'hyper'>,
): ChoiceContext {
  const { model, params, images, labels } = given;
  const pass = passOf(model);
  const network = { model, params, norm: pass(params, images).norm };
  const spec = marginSpec(labels, model.classes);
  return {
    ...given,
    ...{ perturbation: UNIT_BALL, spec, pass, network },
    forward: (points) => naturalPass(network, points).output,
    bound: (box) => ibp.bound({ network, box, spec }),
  };
}

describe('pgdObjective', () => {
  it('reaches the worst corner of the clipped ball where that is known: a linear classifier', () => {
    const model = sequential([3], [dense(2)]);
    const kernel = [
      [1, -1],
      [-2, 1],
      [0.5, 0.2],
    ];
    const params = { dense1: { kernel: tf.tensor2d(kernel), bias: tf.zeros([2]) } };
    const images = tf.tensor2d([
      [0.5, 0.95, 0.3],
      [0.04, 0.5, 0.5],
    ]);
    const { points } = pgdObjective().choose!(
      contextOf({
        ...{ model, params, images, labels: tf.tensor1d([0, 1], 'int32') },
        ...{ noise: random(1, [2, 3], -1), hyper: { epsilon: tf.scalar(0.1) } },
      }),
    );
    // Against each image's own class, by the signs of w_0 - w_1 = (2, -3, 0.3).
    const wanted = [0.4, 1, 0.2, 0.14, 0.4, 0.6];
    values(points!).forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i]!, 6);
    });
  });

  it('starts at the noise: without steps, that is the point', () => {
    const model = sequential([2], [dense(2)]);
    const { points } = pgdObjective({ steps: 0 }).choose!(
      contextOf({
        model,
        params: toTensors(ibpInit(model, 0)),
        images: tf.tensor2d([[0.5, 0.98]]),
        labels: tf.tensor1d([0], 'int32'),
        noise: tf.tensor2d([[-0.5, 1]]),
        hyper: { epsilon: tf.scalar(0.1) },
      }),
    );
    expect(values(points!).map((value) => value.toFixed(4))).toEqual(['0.4500', '1.0000']);
  });

  it('trains on the points as natural training on images, running statistics included', () => {
    const model = sequential([4], [dense(6), batchNorm(), relu(), dense(2)]);
    const objective = pgdObjective({ steps: 3 });
    const optimizer = sgd();
    const initial = ibpInit(model, 1);
    const params = toTensors(initial);
    const [images, noise] = [random(2, [5, 4]), random(3, [5, 4], -1)];
    const labels = tf.tensor1d([0, 1, 1, 0, 1], 'int32');
    const hyper = { epsilon: tf.scalar(0.1), learningRate: tf.scalar(0.5) };
    const start = () => toTensors(initialState(model, initial, optimizer));
    const adversarial = createTrainStep({ model, objective, optimizer })(start(), { images, labels, noise }, hyper);
    const { points } = objective.choose!(contextOf({ model, params, images, labels, noise, hyper }));
    const natural = createTrainStep({ model, objective: naturalObjective, optimizer });
    const wanted = natural(start(), { images: points!, labels }, hyper);
    const numbers = (tree: object) =>
      flattenTree<Tensor>(tree as never).map(({ path, value }) => [path, values(value)]);
    expect(numbers(adversarial.state)).toEqual(numbers(wanted.state));
    expect(values(adversarial.metrics.loss)).toEqual(values(wanted.metrics.loss));
    // What is logged as natural is measured on the images themselves.
    const clean = natural(start(), { images, labels }, hyper).metrics;
    expect(values(adversarial.metrics.naturalLoss)).toEqual(values(clean.naturalLoss));
    expect(values(adversarial.metrics.loss)[0]).toBeGreaterThan(values(clean.loss)[0]!);
  });
});

conforms(pgdObjective());

import { naturalPass } from '@cert/bounds';
import {
  createRng,
  dense,
  type HostParams,
  type Hyper,
  linf,
  type Params,
  relu,
  type Scalar,
  sequential,
  type Tensor,
  tf,
  toHost,
  valueAndGrad,
} from '@cert/core';
import { kaimingInit } from '@cert/init';
import { type Device, disposeTree, putBatch, putParams, putScalars, putTree } from '@cert/jit';
import { adam, crossEntropy, type OptimizerState } from '@cert/trainer';
import { attackStepSize, createAttackStep, randomStart } from '@cert/verify';
import { float32Ends } from '../box.js';
import { execute } from '../execute/execute.js';
import { PLAIN } from '../execute/execution.js';
import type { AdversarialNetwork } from '../kinds/adversarial-network.js';
import { marginOf, misclassifiedExactly } from '../kinds/build.js';

/** Settings of {@link hideCounterexample}. */
export interface HiddenOptions {
  /** Where to train. */
  readonly device: Device;
  readonly seed: number;
  /** Numbers of an image; default 32. */
  readonly features?: number;
  /** Units of each hidden layer; default two of 64. */
  readonly hidden?: readonly number[];
  /** The radius; default 0.2. */
  readonly epsilon?: number;
  /** Rounds of one attack and a few steps of training; default 40. */
  readonly rounds?: number;
}

/** Points of the last attacks that are trained on, the points of one attack, its steps, steps of training after it. */
const [WINDOW, BATCH, ATTACK_STEPS, TRAIN_STEPS] = [512, 32, 20, 4];
/** By how much the planted point is misclassified. */
const DEPTH = 0.5;
/** The slope of the spike, in logits for a radius. */
const SPIKE = 20;
/** Least distance of the planted point in every coordinate, in radii. */
const REACH = 0.98;

/**
 * A network with a counterexample that a gradient attack does not find, after SoundnessBench (Zhou et al. 2024, arXiv:2412.03154). The point
 * image + delta, with |delta_i| in [0.98 epsilon, epsilon], is trained to be misclassified by a hinge loss, while the points that attacks
 * from random starts reach, those of earlier rounds included, are trained to be classified correctly.
 *
 * Nothing here is about rounding: the point is misclassified over the real numbers and under every execution that was tried.
 */
export async function hideCounterexample(options: HiddenOptions): Promise<AdversarialNetwork> {
  const { device, seed, features = 32, hidden = [64, 64], epsilon = 0.2, rounds = 40 } = options;
  const rng = createRng(seed, 'hidden');
  const model = sequential([features], [...hidden.flatMap((units) => [dense(units), relu()]), dense(2)]);
  const image = Float32Array.from({ length: features }, () => 0.3 + 0.4 * rng.uniform());
  const range = { min: 0, max: 1 };
  const ends = float32Ends({ image, epsilon, range });
  const point = image.map((x, i) => {
    const delta = (rng.int(2) === 0 ? -1 : 1) * epsilon * (REACH + (1 - REACH) * rng.uniform());
    return Math.min(Math.max(Math.fround(x + delta), ends.lower[i]!), ends.upper[i]!);
  });

  const optimizer = adam();
  const step = device.jit((params: Params, state: OptimizerState, images: Tensor, planted: Tensor, hyper: Hyper) => {
    const { value, grads } = valueAndGrad((at) => {
      const labels = tf.zeros([WINDOW], 'int32');
      const robust = crossEntropy(naturalPass({ model, params: at }, images).output, labels);
      const logits = naturalPass({ model, params: at }, planted).output;
      const margin = tf.sum(tf.mul(logits, tf.tensor2d([[1, -1]])));
      return { value: tf.add(robust, tf.relu(tf.add(margin, 2 * DEPTH))) as Scalar, aux: {} };
    }, params);
    return { ...optimizer.update(params, grads, state, hyper), value };
  });
  const attack = device.jit(createAttackStep(model, linf({ epsilon, range })));

  const initial = withSpike(kaimingInit(model, seed), image, point, epsilon);
  let params = putParams(device, initial);
  let state = putTree(device, optimizer.init(initial)) as Parameters<typeof step>[1];
  const planted = device.put(point, [1, features]);
  const batch = putBatch(device, model, {
    images: Float32Array.from({ length: BATCH * features }, (_, i) => image[i % features]!),
    labels: new Int32Array(BATCH),
  });
  const window = Float32Array.from({ length: WINDOW * features }, (_, i) => image[i % features]!);
  const scalars = putScalars(device, { epsilon, stepSize: attackStepSize(epsilon, ATTACK_STEPS) });
  for (let round = 0; round < rounds; round++) {
    const start = randomStart(new Float32Array(await batch.images.data()), {
      ...{ epsilon, size: features, first: round * BATCH, seed, restart: 0 },
    });
    let points = device.put(start, [BATCH, features]);
    for (let i = 0; i < ATTACK_STEPS; i++) {
      const next = await attack({ params, stats: {} }, batch, points, scalars);
      disposeTree([points, next.logits]);
      points = next.point;
    }
    window.set(await points.data(), ((round * BATCH) % WINDOW) * features);
    const images = device.put(window.slice(), [WINDOW, features]);
    for (let i = 0; i < TRAIN_STEPS; i++) {
      const count = round * TRAIN_STEPS + i;
      const hyper = putScalars(device, { learningRate: round < 0.8 * rounds ? 3e-3 : 5e-4, ...optimizer.hyper(count) });
      const next = await step(params, state, images, planted, hyper);
      disposeTree([params, state, hyper, next.value]);
      params = next.params;
      state = next.state;
    }
    disposeTree([points, images]);
  }
  const network = { model, params: await toHost(params), stats: {} };
  disposeTree([params, state, planted, batch, scalars]);
  await step.dispose();
  await attack.dispose();
  return {
    ...network,
    ...{ name: 'hidden', image, label: 0, epsilon, range },
    counterexample: { point, execution: PLAIN },
    refutesReal: misclassifiedExactly(network, point, 0),
  };
}

/**
 * The first hidden unit becomes a spike: relu(k (a - 0.9)) with a the mean over the coordinates of the deviation towards the point, in radii. It
 * is 0 with its gradient wherever two coordinates or more are far from the point, so that an attack learns nothing from it. Without it, 300 rounds
 * of training did not hide a point in 8, 16 or 32 dimensions.
 */
function withSpike(params: HostParams, image: Float32Array, point: Float32Array, epsilon: number): HostParams {
  const { kernel, bias } = params.dense1!;
  const [units, features] = [bias!.data.length, image.length];
  const directions = image.map((x, i) => (SPIKE * Math.sign(point[i]! - x)) / (epsilon * features));
  const [weights, shifts] = [kernel!.data.slice(), bias!.data.slice()];
  directions.forEach((w, i) => {
    weights[i * units] = w;
  });
  shifts[0] = -0.9 * SPIKE - directions.reduce((sum, w, i) => sum + w * image[i]!, 0);
  const dense1 = { kernel: { ...kernel!, data: weights }, bias: { ...bias!, data: shifts } };
  return { ...params, dense1 };
}

/** The margin at the planted point, executed as written; negative where training succeeded. */
export const plantedMargin = (network: AdversarialNetwork): number =>
  marginOf(execute(network, network.counterexample.point, PLAIN), network.label);

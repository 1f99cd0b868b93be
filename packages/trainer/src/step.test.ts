import { readFileSync } from 'node:fs';
import { ibp } from '@cert/bounds';
import {
  batchNorm,
  buildParams,
  conv2d,
  dense,
  filledTensor,
  flatten,
  linfBall,
  type Model,
  type Params,
  paramSpecs,
  perturbationBox,
  relu,
  type Stats,
  sequential,
  statSpecs,
  type Tensor,
  tf,
  toTensors,
} from '@cert/core';
import { ibpInit } from '@cert/init';
import { reluBalance, tightness } from '@cert/regularizers';
import { describe, expect, it } from 'vitest';
import { naturalObjective } from './objectives/natural.js';
import type { BoundedObjective } from './objectives/objective.js';
import { robustObjective } from './objectives/robust.js';
import { naturalThen } from './objectives/schedule.js';
import { adam } from './optimizers/adam.js';
import { sgd } from './optimizers/sgd.js';
import { fallingWeight, planStep } from './plan.js';
import { constantSchedule } from './schedules/schedule.js';
import { smoothedSchedule } from './schedules/smoothed.js';
import { initialState } from './state.js';
import { createTrainStep } from './step.js';

interface GoldenTensor {
  readonly shape: number[];
  readonly data: number[];
}
interface GoldenTrajectory {
  readonly net: readonly { readonly [field: string]: GoldenTensor | number | string }[];
  readonly batches: readonly { readonly x: GoldenTensor; readonly labels: number[] }[];
  readonly steps: readonly { readonly [quantity: string]: number | boolean }[];
  readonly final_params: { readonly [name: string]: GoldenTensor };
  readonly final_running: { readonly [name: string]: GoldenTensor };
}

const golden = JSON.parse(
  readFileSync(new URL('../../../golden/fixtures/trajectory.json', import.meta.url), 'utf8'),
) as GoldenTrajectory;

/** The net of the file; node names are those of the file's layers, in order. */
const LAYERS = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '10'];
const NODES = [
  'conv2d1',
  'batchNorm1',
  'relu1',
  'conv2d2',
  'batchNorm2',
  'relu2',
  'flatten1',
  'dense1',
  'batchNorm3',
  'relu3',
  'dense2',
];
const NAMES = {
  kernel: 'weight',
  bias: 'bias',
  gamma: 'weight',
  beta: 'bias',
  mean: 'running_mean',
  variance: 'running_var',
};
const model: Model = sequential(
  [8, 8, 1],
  [
    ...[conv2d(4), batchNorm(), relu()],
    ...[conv2d(6, { stride: 2 }), batchNorm(), relu()],
    ...[flatten(), dense(12), batchNorm(), relu()],
    dense(10),
  ],
);

/** A tensor in PyTorch's layout in ours. The first dense layer reads a flattened image, channels first there and last here. */
function converted({ shape, data }: GoldenTensor, flattened = false): Tensor {
  const tensor = tf.tensor(data, shape);
  if (shape.length === 4) return tf.transpose(tensor, [2, 3, 1, 0]);
  if (shape.length !== 2) return tensor;
  if (!flattened) return tf.transpose(tensor);
  return tf.reshape(tf.transpose(tf.reshape(tensor, [12, 6, 4, 4]), [2, 3, 1, 0]), [96, 12]);
}

type Lookup = (layer: string, field: string) => GoldenTensor;
const read = (lookup: Lookup, specs: ReturnType<typeof paramSpecs>): Params =>
  buildParams(specs, ({ node, name }) =>
    converted(lookup(LAYERS[NODES.indexOf(node)]!, NAMES[name as keyof typeof NAMES]), node === 'dense1'),
  );

const tensorsOf = (tree: unknown): Tensor[] =>
  tree instanceof tf.Tensor ? [tree] : Object.values(tree as object).flatMap(tensorsOf);

/** Largest difference of two tensors, relative to 1 + size. */
const distance = (got: Tensor, wanted: Tensor): number =>
  tf.tidy(() => tf.max(tf.div(tf.abs(tf.sub(got, wanted)), tf.add(tf.abs(wanted), 1))).dataSync()[0]!);

describe('five steps of the reference implementation', () => {
  const options = {
    model,
    optimizer: adam(),
    regularizers: [tightness(), reluBalance()],
  };
  const objective = naturalThen(robustObjective());
  const plan = {
    epsilon: smoothedSchedule({ start: 1, length: 1, target: 0.1, stepsPerEpoch: 5 }),
    targetEpsilon: 0.1,
    learningRate: constantSchedule(5e-4),
    objective,
    regWeight: fallingWeight(0.5),
    regularizedSteps: 5,
  };
  const initial: Lookup = (layer, field) => golden.net.find(({ name }) => name === layer)![field] as GoldenTensor;
  const params = read(initial, paramSpecs(model));
  let state = {
    params,
    stats: read(initial, statSpecs(model)) as Stats,
    optimizer: toTensors(options.optimizer.init(buildParams(paramSpecs(model), ({ shape }) => filledTensor(shape, 0)))),
  };

  it.each(golden.steps.map((wanted, i) => [i, wanted] as const))('step %i', (i, wanted) => {
    const { x, labels } = golden.batches[i]!;
    const planned = planStep(plan, options.optimizer, i);
    const hyper = Object.fromEntries(Object.entries(planned.hyper).map(([name, value]) => [name, tf.scalar(value)]));
    const images = tf.transpose(tf.tensor(x.data, x.shape), [0, 2, 3, 1]);
    const batch = { images, labels: tf.tensor1d(labels, 'int32') };
    const { state: next, metrics } = createTrainStep({ ...options, objective: planned.objective })(state, batch, hyper);
    state = next;
    const value = (tensor: Tensor | undefined) => tensor!.dataSync()[0]!;
    const got: Record<string, number> = {
      eps: planned.epsilon,
      ce_loss: value(metrics.naturalLoss),
      robust_loss: value(metrics.robustLoss),
      error: value(metrics.errors) / labels.length,
      robust_error: value(metrics.unverified) / labels.length,
      L_tightness: value(metrics.terms.tightness),
      L_relu: value(metrics.terms[options.regularizers[1]!.name]),
      reg_intensity: planned.hyper.regWeight!,
      loss: value(metrics.loss),
      grad_norm_before_clip: value(metrics.gradNorm),
    };
    expect(planned.objective.name === 'robust').toBe(wanted.robust);
    for (const [name, number] of Object.entries(got)) {
      expect(Math.abs(number - (wanted[name] as number)) / Math.abs((wanted[name] as number) || 1), name).toBeLessThan(
        1e-4,
      );
    }
  });

  it('ends with the same parameters and running statistics', () => {
    const params = read((layer, field) => golden.final_params[`${layer}.${field}`]!, paramSpecs(model));
    const stats = read((layer, field) => golden.final_running[`${layer}.${field}`]!, statSpecs(model));
    for (const { node, name } of paramSpecs(model)) {
      // A bias in front of a normalization has no true gradient: Adam turns its rounding noise into steps of up to the rate.
      if (name === 'bias' && node !== 'dense2') continue;
      expect(distance(state.params[node]![name]!, params[node]![name]!), `${node}.${name}`).toBeLessThan(2e-5);
    }
    for (const { node, name } of statSpecs(model)) {
      const limit = name === 'mean' ? 2e-3 : 1e-5;
      expect(distance(state.stats[node]![name]!, stats[node]![name]!), `${node}.${name}`).toBeLessThan(limit);
    }
  });
});

describe('createTrainStep', () => {
  const small = sequential([4], [dense(3), batchNorm(), relu(), dense(2)]);
  const params = () => buildParams(paramSpecs(small), ({ shape }) => filledTensor(shape, 0.5));
  const batch = () => ({ images: tf.fill([3, 4], 0.5), labels: tf.tensor1d([0, 1, 0], 'int32') });
  const hyper = () => ({ learningRate: tf.scalar(0.1), epsilon: tf.scalar(0.1), regWeight: tf.scalar(1) });

  it('leaves nothing behind but its result', () => {
    const step = createTrainStep({
      model: small,
      objective: robustObjective(),
      optimizer: sgd({ momentum: 0.9 }),
      regularizers: [tightness(), reluBalance()],
    });
    const state = toTensors(initialState(small, params(), sgd({ momentum: 0.9 })));
    const scope = [batch(), hyper()] as const;
    const before = tf.memory().numTensors;
    const returned = tf.tidy(() => {
      const { state: next, metrics } = step(state, ...scope);
      return tensorsOf({ ...next, metrics });
    });
    expect(tf.memory().numTensors - before).toBe(returned.length);
    tf.dispose(returned);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('bounds the box that the objective chooses, and trains on its points', () => {
    const optimizer = sgd();
    /** The state after a step. */
    const after = (objective: BoundedObjective, epsilon: number, images = batch().images) => {
      const step = createTrainStep({ model: small, objective, optimizer });
      const start = toTensors(initialState(small, params(), optimizer));
      const { state } = step(start, { ...batch(), images }, { ...hyper(), epsilon: tf.scalar(epsilon) });
      return tensorsOf(state).map((tensor) => [...tensor.dataSync()]);
    };
    const robust = robustObjective();
    const halved: BoundedObjective = {
      ...robust,
      choose: ({ images, hyper: { epsilon }, perturbation }) => ({
        box: perturbationBox(perturbation, images, tf.div(epsilon!, 2)),
      }),
    };
    expect(after(halved, 0.1)).toEqual(after(robust, 0.05));
    expect(after(halved, 0.1)).not.toEqual(after(robust, 0.1));

    const moved: BoundedObjective = {
      ...robust,
      choose({ images, hyper: { epsilon } }) {
        const points = tf.add(images, 0.25);
        return { points, box: linfBall(points, epsilon!) };
      },
    };
    expect(after(moved, 0.1)).toEqual(after(robust, 0.1, tf.add(batch().images, 0.25)));
    expect(after(moved, 0.1)).not.toEqual(after(robust, 0.1));
  });

  it('reads regularizers and what is verified off the whole set, whatever box the objective chooses', () => {
    const point: BoundedObjective = {
      ...robustObjective(),
      choose: ({ images, perturbation }) => ({ box: perturbationBox(perturbation, images, 0) }),
    };
    const metrics = (objective: BoundedObjective, regularized: boolean) => {
      const regularizers = regularized ? [tightness()] : [];
      const step = createTrainStep({ model: small, objective, optimizer: sgd(), regularizers });
      return step(toTensors(initialState(small, ibpInit(small, 1), sgd())), batch(), hyper()).metrics;
    };
    const [chosen, whole] = [metrics(point, true), metrics(robustObjective(), true)];
    const value = (tensor: Tensor | undefined) => tensor!.dataSync()[0]!;
    expect(value(chosen.terms.tightness)).toBe(value(whole.terms.tightness));
    expect(value(chosen.robustLoss)).toBe(value(whole.robustLoss));
    expect(value(chosen.loss)).toBeLessThan(value(whole.loss));
    // Without regularizers nothing is bounded over the whole set, so nothing is called verified.
    expect(metrics(point, false).unverified).toBeUndefined();
    const loose: BoundedObjective = { ...robustObjective(), method: { name: 'empty', bound: ibp.bound } };
    expect(metrics(loose, false).unverified).toBeUndefined();
  });

  it('computes no bounds when nothing needs them', () => {
    const step = createTrainStep({ model: small, objective: naturalObjective, optimizer: sgd() });
    const { metrics } = step(toTensors(initialState(small, params(), sgd())), batch(), hyper());
    expect(Object.keys(metrics).sort()).toEqual(['errors', 'gradNorm', 'loss', 'naturalLoss', 'terms']);
  });

  it('adds the natural cross-entropy when it is given a weight', () => {
    const loss = (naturalWeight: number) => {
      const step = createTrainStep({ model: small, objective: robustObjective({ naturalWeight }), optimizer: sgd() });
      const { metrics } = step(toTensors(initialState(small, params(), sgd())), batch(), hyper());
      return [metrics.loss, metrics.naturalLoss].map((tensor) => tensor.dataSync()[0]!);
    };
    const [[plain], [mixed, natural]] = [loss(0), loss(0.5)];
    expect(mixed).toBeCloseTo(plain! + 0.5 * natural!, 5);
  });
});

import {
  type BoundMethod,
  INPUT,
  linf,
  linfBall,
  type Model,
  type Network,
  type Rng,
  type Scalar,
  type Shape,
  type Spec,
  sizeOf,
  subModel,
  type Tensor,
  tf,
} from '@cert/core';
import { checkCompiled } from './check-compiled.js';
import { type ConformanceCase, type Forward, failure, guarded } from './conformance.js';
import type { CompilingDevice } from './device.js';
import { checkGradient } from './gradient.js';
import { evaluate } from './host.js';
import { margins } from './host-bounds.js';
import {
  disposeSample,
  drawImages,
  drawSample,
  leavesOf,
  type NamedModel,
  rngFor,
  type Sample,
  sampleModels,
} from './models.js';
import { checkPurity } from './purity.js';
import type { TestedChoice, TestedContext, TestedObjective } from './tested-objective.js';

/** Options of {@link objectiveSuite}. */
export interface ObjectiveSuiteOptions {
  /** The objective under test. */
  readonly objective: TestedObjective;
  /** Where its bounds come from; `ibp` of `@cert/bounds` is one. */
  readonly method: BoundMethod;
  /** The plain forward pass; `naturalPass` of `@cert/bounds` fits. */
  readonly forward: Forward;
  /** Whether gradients are compared with finite differences; default true. They must be finite in any case. */
  readonly differentiable?: boolean;
  /**
   * Where the objective is compiled, bounds included: then its value and gradient there are compared with the eager ones. A `Device` of
   * `@cert/jit` fits: `{ device: await cpuDevice() }`. Default: eager only.
   */
  readonly device?: CompilingDevice;
  /** Seed of weights and images; default 0. */
  readonly seed?: number;
}

const batch = 3;

/** Radii from that of a point to one that covers all images. */
const radii = [0, 1e-6, 1e-3, 0.05, 1];

/** Radii at which a gradient is more than rounding. */
const smooth = [0.05, 0.3];

/**
 * Returns the conformance checks of an objective, on small random nets and balls of all sizes: a finite scalar with a finite gradient that
 * agrees with finite differences, one image, weights of examples if it takes them, purity. Deterministic for a seed.
 *
 * @example for (const { name, run } of objectiveSuite({ objective: robustObjective(), method: ibp, forward: naturalPass })) it(name, run);
 */
export function objectiveSuite(options: ObjectiveSuiteOptions): ConformanceCase[] {
  const { objective, differentiable = true, device } = options;
  const on = (
    what: string,
    net: NamedModel,
    check: Check,
    over: readonly number[],
    images = batch,
  ): ConformanceCase => ({
    name: `${objective.name}: ${what} (${net.name})`,
    async run() {
      for (const epsilon of over) await withSetting(options, net, epsilon, images, check);
    },
  });
  return sampleModels().flatMap((net) => [
    on('is a finite scalar with a finite gradient', net, checkValue, radii),
    ...(differentiable ? [on('has the gradient of finite differences', net, checkSlope, smooth)] : []),
    on('takes a batch of one image', net, checkValue, radii, 1),
    ...(objective.weighted ? [on('counts an example as often as its weight says', net, checkWeights, smooth)] : []),
    on('is a pure function that reads no value', net, checkPure, smooth.slice(0, 1)),
    ...(device === undefined
      ? []
      : [on(`gives compiled for ${device.name} what it gives eagerly`, net, checkAgainst(device), smooth)]),
  ]);
}

interface Setting extends Sample, Pick<ObjectiveSuiteOptions, 'objective' | 'method' | 'forward'> {
  readonly model: Model;
  readonly images: Tensor;
  readonly epsilon: Tensor;
  readonly labels: Tensor;
  readonly ramp: Scalar;
  readonly spec: Spec;
  readonly choice: TestedChoice;
  readonly where: string;
}

type Check = (setting: Setting) => Promise<void>;

async function withSetting(
  { objective, method, forward, seed = 0 }: ObjectiveSuiteOptions,
  { name, model }: NamedModel,
  radius: number,
  count: number,
  check: Check,
): Promise<void> {
  const rng = rngFor(seed, name, 'objective');
  const sample = drawSample(model, rng);
  const labels = Array.from({ length: count }, (_, i) => (2 * i + 1) % model.classes);
  const tensors = {
    images: drawImages(model, count, rng),
    epsilon: tf.scalar(radius) as Tensor,
    labels: tf.tensor1d(labels, 'int32') as Tensor,
    ramp: tf.scalar(0.5),
    spec: margins(labels, model.classes),
  };
  const noise = drawNoise(objective.noise?.(model) ?? model.inputShape, count, rng);
  const where = `model "${name}", epsilon ${radius}, batch of ${count}`;
  let choice: TestedChoice = {};
  try {
    const setting = { ...sample, ...tensors, objective, method, forward, model, where };
    choice = guarded(objective.name, `${where}, its choice`, () => choiceOf(setting, radius, noise));
    await check({ ...setting, choice });
  } finally {
    disposeSample(sample);
    tf.dispose([tensors, noise, { ...choice, ...(choice.box && { box: { ...choice.box } }) }]);
  }
}

const logitsOf =
  (forward: Forward, network: Network) =>
  (points: Tensor, from: string = INPUT): Tensor =>
    forward({ ...network, model: subModel(network.model, from) }, points).output;

const drawNoise = (shape: Shape, count: number, rng: Rng): Tensor =>
  tf.tensor(
    Float32Array.from({ length: count * sizeOf(shape) }, () => 2 * rng.uniform() - 1),
    [count, ...shape],
  );

/** What the objective chooses at the undisturbed parameters and images; nothing for one without `choose`. */
function choiceOf(
  { objective, method, forward, model, params, norm, images, epsilon, labels, ramp, spec }: Omit<Setting, 'choice'>,
  radius: number,
  noise: Tensor,
): TestedChoice {
  if (objective.choose === undefined) return {};
  const network = { model, params, norm };
  const hyper = { epsilon: epsilon as Scalar, ramp };
  const perturbation = linf({ epsilon: radius, range: null });
  return tf.tidy(() => ({
    ...objective.choose?.({
      ...{ model, params, images, labels, noise, hyper, perturbation, spec, network },
      // The statistics of a sample are constants: those of other points are the same here.
      pass: (of, points) => ({ ...forward({ model, params: of, norm }, points), norm }),
      forward: logitsOf(forward, network),
      bound: (box) => (objective.method ?? method).bound({ network, box, spec }),
    }),
  })) as TestedChoice;
}

/** What a step hands to the objective. */
function contextOf(setting: Setting, { params, norm }: Sample, images: Tensor, epsilon: Tensor): TestedContext {
  const { objective, forward, model, labels, ramp, spec, choice } = setting;
  // Not clipped: differences are measured with respect to the images too.
  const network = { model, params, norm };
  const problem = { network, box: choice.box ?? linfBall(images, epsilon, null), spec };
  return {
    ...{ network, labels, problem, choice },
    logits: forward(network, choice.points ?? images).output,
    hyper: { epsilon: epsilon as Scalar, ramp },
    bounds: (objective.method ?? setting.method).bound(problem),
    forward: logitsOf(forward, network),
  };
}

/** The loss, as a tensor whose shape has been checked. */
function lossOf({ objective, where }: Setting, context: TestedContext): Tensor {
  const loss = guarded(objective.name, where, () => objective.loss(context));
  if (loss instanceof tf.Tensor && loss.shape.length === 0) return loss;
  throw failure(
    'shape-mismatch',
    objective.name,
    where,
    `the loss has shape [${loss instanceof tf.Tensor ? loss.shape : typeof loss}].`,
    'Return a scalar, the mean over the batch (tf.mean).',
  );
}

/** The loss as a function of the images, epsilon and the parameters. */
function asFunction(setting: Setting) {
  const { names, tensors, rebuild } = leavesOf(setting);
  return {
    f: (...[images, epsilon, ...leaves]: Tensor[]) =>
      lossOf(setting, contextOf(setting, rebuild(leaves), images!, epsilon!)),
    at: [setting.images, setting.epsilon, ...tensors],
    names: ['the images', 'epsilon', ...names],
  };
}

async function checkValue(setting: Setting): Promise<void> {
  const { objective, where } = setting;
  const { f, at, names } = asFunction(setting);
  const values = await evaluate<string>(() => {
    // tf.grads refuses inputs that do not reach the loss: a product with 0 makes all of them reach it.
    const reached = (xs: Tensor[]) => xs.map((x) => tf.mul(tf.sum(x), 0)).reduce((a, b) => tf.add(a, b));
    const g = (...xs: Tensor[]) => tf.add(f(...xs), reached(xs));
    const { value, grads } = guarded(objective.name, `${where}, its gradient`, () => tf.valueAndGrads(g)([...at]));
    return { value, ...Object.fromEntries(grads.map((gradient, i) => [String(i), gradient])) };
  });
  const gradients = names.map((name, i) => [`the gradient with respect to ${name}`, values[String(i)]!] as const);
  for (const [what, { data }] of [['the loss', values.value!] as const, ...gradients]) {
    const bad = data.find((x) => !Number.isFinite(x));
    if (bad === undefined) continue;
    throw failure(
      'not-finite',
      objective.name,
      where,
      `${what} is ${bad}${what === 'the loss' ? '' : ' somewhere'}.`,
      'Keep divisors, roots and logarithms away from 0 on both branches of a tf.where, and subtract the largest value before tf.exp.',
    );
  }
}

async function checkSlope(setting: Setting): Promise<void> {
  const { f, at, names } = asFunction(setting);
  await checkGradient(f, at, { names, who: `${setting.objective.name}, ${setting.where}` });
}

/** The weights of the three examples: twice, once, not at all. */
const example = [2, 1, 0];

async function checkWeights(setting: Setting): Promise<void> {
  const { objective, where, images, labels, spec, epsilon, choice } = setting;
  // The weight of an example as the number of its copies.
  const copies = example.flatMap((weight, i) => Array.from({ length: weight }, () => i));
  const copied = <T extends Tensor>(x: T): T => tf.gather(x, copies) as T;
  const { points, box, adversarial } = choice;
  const values = await evaluate<string>(() => {
    const many = {
      ...setting,
      ...{ labels: copied(labels), spec: { matrix: copied(spec.matrix) } },
      choice: {
        ...(points && { points: copied(points) }),
        ...(adversarial && { adversarial: copied(adversarial) }),
        ...(box && { box: { lower: copied(box.lower), upper: copied(box.upper) } }),
      },
    };
    const weights = tf.tensor1d(example);
    return {
      wanted: lossOf(many, contextOf(many, setting, copied(images), epsilon)),
      weighted: lossOf(setting, { ...contextOf(setting, setting, images, epsilon), weights }),
    };
  });
  const [weighted, wanted] = [values.weighted!.data[0]!, values.wanted!.data[0]!];
  if (Math.abs(weighted - wanted) <= 1e-4 * Math.max(1, Math.abs(wanted))) return;
  throw failure(
    'broken-contract',
    objective.name,
    where,
    `with the weights [${example.join(', ')}] the loss is ${weighted}; on a batch with as many copies of each example it is ${wanted}.`,
    'Multiply each loss by its weight before the mean: weightedMean(losses, context.weights) of @cert/trainer.',
  );
}

const checkAgainst =
  (device: CompilingDevice): Check =>
  async (setting) => {
    const { f, at, names } = asFunction(setting);
    await checkCompiled(f, at, { device, names, who: setting.objective.name, where: setting.where });
  };

async function checkPure(setting: Setting): Promise<void> {
  const { objective, where, images, epsilon } = setting;
  let context: TestedContext | undefined;
  const kept = tf.tidy(() => {
    context = contextOf(setting, setting, images, epsilon);
    const { logits, problem, bounds } = context;
    return {
      logits,
      box: { ...problem.box },
      output: { ...bounds.output },
      at: Object.values(bounds.at).map((at) => ({ ...at })),
    };
  });
  try {
    const run = () => ({ loss: lossOf(setting, context!) });
    const { weights: _, ...inputs } = context!;
    await checkPurity({ who: objective.name, where, inputs, run });
  } finally {
    tf.dispose(kept);
  }
}

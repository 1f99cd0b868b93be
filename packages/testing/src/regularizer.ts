import { dense, type Model, type Params, type Regularizer, type Rng, sequential, type Tensor, tf } from '@cert/core';
import { checkCompiled } from './check-compiled.js';
import { type ConformanceCase, failure, guarded } from './conformance.js';
import type { CompilingDevice } from './device.js';
import { checkGradient } from './gradient.js';
import { evaluate } from './host.js';
import { disposeSample, drawSample, leavesOf, type NamedModel, rngFor, type Sample, sampleModels } from './models.js';
import { checkPurity } from './purity.js';
import {
  type DrawnBounds,
  drawBounds,
  inCenterRadius,
  namesOf,
  type Scenario,
  scenarios,
  tensorsOf,
  withTensors,
} from './scenarios.js';

/** Options of {@link regularizerSuite}. */
export interface RegularizerSuiteOptions {
  /** The regularizer under test. */
  readonly regularizer: Regularizer;
  /** Whether gradients are compared with finite differences; default true. They must be finite in any case. */
  readonly differentiable?: boolean;
  /**
   * Where the regularizer is compiled: then its value and gradient there are compared with the eager ones. A `Device` of `@cert/jit` fits:
   * `{ device: await cpuDevice() }`. Default: eager only.
   */
  readonly device?: CompilingDevice;
  /** Seed of weights, bounds and images; default 0. */
  readonly seed?: number;
}

/**
 * Returns the conformance checks of a regularizer, on various bounds: a finite scalar that is not negative, a finite gradient
 * that agrees with finite differences, the same from plain lower and upper bounds, one image, purity. Deterministic for a seed.
 *
 * @example for (const { name, run } of regularizerSuite({ regularizer: tightness() })) it(name, run);
 */
export function regularizerSuite({
  regularizer,
  differentiable = true,
  device,
  seed = 0,
}: RegularizerSuiteOptions): ConformanceCase[] {
  const nets = [...sampleModels(), { name: 'no relu', model: sequential([3], [dense(2)]) }];
  const on = (
    what: string,
    net: NamedModel,
    check: Check,
    over: readonly Scenario[] = scenarios.slice(0, 1),
    batch = 3,
  ): ConformanceCase => ({
    name: `${regularizer.name}: ${what} (${net.name})`,
    async run() {
      for (const scenario of over) await withSetting({ regularizer, net, scenario, batch, seed }, check);
    },
  });
  const smooth = scenarios.filter((scenario) => scenario.smooth);
  return nets.flatMap((net) => [
    on('is a finite scalar >= 0', net, checkValue, scenarios),
    on('has a finite gradient', net, checkFinite, scenarios),
    ...(differentiable ? [on('has the gradient of finite differences', net, checkSlope, smooth)] : []),
    on('takes a batch of one image', net, checkValue, scenarios, 1),
    on('gives the same from plain lower and upper bounds', net, checkPlain),
    on('is a pure function that reads no value', net, checkPure),
    ...(device === undefined
      ? []
      : [on(`gives compiled for ${device.name} what it gives eagerly`, net, checkAgainst(device), scenarios)]),
  ]);
}

interface Setting extends Sample {
  readonly regularizer: Regularizer;
  readonly model: Model;
  readonly drawn: DrawnBounds;
  readonly where: string;
}

type Check = (setting: Setting) => Promise<void>;

async function withSetting(
  given: { regularizer: Regularizer; net: NamedModel; scenario: Scenario; batch: number; seed: number },
  check: Check,
): Promise<void> {
  const { regularizer, net, scenario, batch, seed } = given;
  const rng: Rng = rngFor(seed, net.name, scenario.name);
  const sample = drawSample(net.model, rng);
  const drawn = drawBounds(net.model, batch, scenario, rng);
  try {
    const where = `model "${net.name}", ${scenario.name}, batch of ${batch}`;
    await check({ ...sample, regularizer, model: net.model, drawn, where });
  } finally {
    disposeSample(sample);
    tf.dispose(tensorsOf(drawn));
  }
}

/** The term, as a tensor whose shape has been checked. */
function termOf({ regularizer, model, where }: Setting, params: Params, { input, bounds }: DrawnBounds): Tensor {
  const term = guarded(regularizer.name, where, () => regularizer.term({ model, params, input, bounds }));
  if (term instanceof tf.Tensor && term.shape.length === 0) return term;
  throw failure(
    'shape-mismatch',
    regularizer.name,
    where,
    `the term has shape [${term instanceof tf.Tensor ? term.shape : typeof term}].`,
    'Return a scalar: reduce over all axes (tf.mean, tf.sum).',
  );
}

const termValue = async (setting: Setting, drawn = setting.drawn): Promise<number> =>
  (await evaluate(() => ({ term: termOf(setting, setting.params, drawn) }))).term.data[0]!;

async function checkValue(setting: Setting): Promise<void> {
  const value = await termValue(setting);
  if (value >= 0 && value < Number.POSITIVE_INFINITY) return;
  throw failure(
    Number.isFinite(value) ? 'broken-contract' : 'not-finite',
    setting.regularizer.name,
    setting.where,
    `the term is ${value}.`,
    'Return a finite penalty >= 0 for all bounds; clamp divisors from below.',
  );
}

/** The term as a function of the bounds' tensors and of the parameters, with their values and names. */
function asFunction(setting: Setting) {
  const { names, tensors, rebuild } = leavesOf({ params: setting.params, norm: {} });
  const own = tensorsOf(setting.drawn);
  return {
    f: (...xs: Tensor[]) =>
      termOf(setting, rebuild(xs.slice(own.length)).params, withTensors(setting.drawn, xs.slice(0, own.length))),
    at: [...own, ...tensors],
    names: [...namesOf(setting.drawn), ...names],
  };
}

async function checkFinite(setting: Setting): Promise<void> {
  const { f, at, names } = asFunction(setting);
  const gradients = await evaluate<string>(() => {
    // tf.grads refuses inputs that do not reach the term: a product with 0 makes all of them reach it.
    const reached = (xs: Tensor[]) => xs.map((x) => tf.mul(tf.sum(x), 0)).reduce((a, b) => tf.add(a, b));
    const all = guarded(setting.regularizer.name, `${setting.where}, its gradient`, () =>
      tf.grads((...xs: Tensor[]) => tf.add(f(...xs), reached(xs)))([...at]),
    );
    return Object.fromEntries(all.map((gradient, i) => [String(i), gradient]));
  });
  names.forEach((name, i) => {
    const bad = gradients[String(i)]!.data.find((g) => !Number.isFinite(g));
    if (bad === undefined) return;
    throw failure(
      'not-finite',
      setting.regularizer.name,
      setting.where,
      `the gradient with respect to ${name} is ${bad} somewhere.`,
      'Keep divisors, roots and logarithms away from 0 on both branches of a tf.where: NaN times 0 is NaN.',
    );
  });
}

async function checkSlope(setting: Setting): Promise<void> {
  const { f, at, names } = asFunction(setting);
  await checkGradient(f, at, { names, who: `${setting.regularizer.name}, ${setting.where}` });
}

const checkAgainst =
  (device: CompilingDevice): Check =>
  async (setting) => {
    const { f, at, names } = asFunction(setting);
    await checkCompiled(f, at, { device, names, who: setting.regularizer.name, where: setting.where });
  };

async function checkPlain(setting: Setting): Promise<void> {
  const full = tf.tidy(() => inCenterRadius(setting.drawn));
  try {
    const [plain, carried] = [await termValue(setting), await termValue(setting, full)];
    if (Math.abs(plain - carried) <= 1e-4 * Math.max(1, Math.abs(plain))) return;
    throw failure(
      'broken-contract',
      setting.regularizer.name,
      setting.where,
      `the term is ${plain} for bounds with lower and upper only, but ${carried} for bounds that carry center and radius.`,
      'Read centers and radii with centerOf and radiusOf of @cert/core.',
    );
  } finally {
    tf.dispose(full);
  }
}

async function checkPure(setting: Setting): Promise<void> {
  const { regularizer, model, params, drawn, where } = setting;
  await checkPurity({
    who: regularizer.name,
    where,
    inputs: { model, params, ...drawn },
    run: () => ({ term: termOf(setting, params, drawn) }),
  });
}

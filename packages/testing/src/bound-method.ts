import {
  type BatchNormStats,
  type BoundMethod,
  INPUT,
  type IntervalTensor,
  type Layer,
  linfBall,
  type Op,
  type Params,
  perturbationBox,
  type Rng,
  sizeOf,
  type Tensor,
  tf,
} from '@cert/core';
import { disposeBox, drawBoxes, type NamedBox, partialSet, pointBox } from './boxes.js';
import { checkCompiled } from './check-compiled.js';
import { type ConformanceCase, type Forward, failure } from './conformance.js';
import type { CompilingDevice } from './device.js';
import { affineNets, affineRange, checkExact, cornerRange, monotoneNets, singleLayers } from './exactness.js';
import { checkFiniteGradient, checkGradient } from './gradient.js';
import { evaluate } from './host.js';
import {
  type BoundCall,
  boundTensors,
  compiledBounds,
  type Evaluator,
  forwardTensors,
  hostBounds,
  margins,
  OUTPUT,
} from './host-bounds.js';
import {
  disposeSample,
  drawImages,
  drawSample,
  furtherModels,
  leavesOf,
  modelsAround,
  type NamedModel,
  rngFor,
  type Sample,
  sampleModels,
} from './models.js';
import { checkPurity, identical } from './purity.js';
import { checkByAttack, checkBySampling, checkOrder, place } from './soundness.js';

/** Options of {@link boundMethodSuite}. */
export interface BoundMethodSuiteOptions {
  /** The method under test. */
  readonly method: BoundMethod;
  /** The plain forward pass, with support for `layers`; `naturalPass` of `@cert/bounds` fits. */
  readonly forward: Forward;
  /**
   * Ops that the method supports; nets with other ops are skipped. Default: conv2d, dense, batchNorm, relu, add, flatten,
   * globalAvgPool, avgPool and affine. {@link boundedOps} are all built-in ops that bounds are defined for.
   */
  readonly ops?: readonly Op[];
  /** Layers of additional ops; each is tested in small nets between affine layers. */
  readonly layers?: readonly Layer[];
  /**
   * Where the method must return the exact range: `layers`, on every single layer (interval arithmetic, the default);
   * `affine`, on whole affine nets (methods that keep linear functions of the input); `output`, on whole affine nets but only for
   * the logits and margins (methods whose bounds in between are another's); `nothing`.
   */
  readonly exactOn?: 'layers' | 'affine' | 'output' | 'nothing';
  /** Whether margins bounded through a specification must be at least as tight as differences of logit bounds; default true. */
  readonly tightMargins?: boolean;
  /** Whether gradients are compared with finite differences; default true. */
  readonly differentiable?: boolean;
  /**
   * Device for compiling the method. If given, every check of values runs eagerly and compiled, and values and gradients of both are
   * compared. A `Device` of `@cert/jit` fits: `{ device: await cpuDevice() }`. Default: eager only.
   */
  readonly device?: CompilingDevice;
  /** Seed of weights, images and boxes; default 0. */
  readonly seed?: number;
}

/**
 * Returns the conformance checks of a bound method, on small random nets of every op: soundness by random points and by a gradient attack
 * at every node and for margins, on balls and on boxes with immutable and one-sided features, order, points, single and empty batches, exactness, gradients, purity. Deterministic for a seed; takes
 * some seconds on the JavaScript backend.
 *
 * @example for (const { name, run } of boundMethodSuite({ method: ibp, forward: naturalPass })) it(name, run);
 */
export function boundMethodSuite(options: BoundMethodSuiteOptions): ConformanceCase[] {
  const { method, ops, layers = [], exactOn = 'layers', tightMargins = true, differentiable = true } = options;
  const nets = [...sampleModels(ops), ...furtherModels(ops), ...layers.flatMap(modelsAround)];
  const { device } = options;
  const onNet = (what: string, net: NamedModel, check: (setting: Setting) => Promise<void>): ConformanceCase => ({
    name: `${method.name}: ${what} (${net.name})`,
    run: () => withSetting(options, net, undefined, check),
  });
  /** A check of values, eagerly and compiled. */
  const twice = (what: string, net: NamedModel, check: (setting: Setting) => Promise<void>): ConformanceCase[] => [
    onNet(what, net, check),
    ...(device === undefined
      ? []
      : [
          {
            name: `${method.name}: ${what}, compiled for ${device.name} (${net.name})`,
            run: () => withSetting(options, net, device, check),
          },
        ]),
  ];

  const whole = exactOn === 'affine' || exactOn === 'output';
  const exact = exactOn === 'nothing' ? [] : [...singleLayers(ops), ...(whole ? affineNets(ops) : [])];
  const checkAffine = exactOn === 'output' ? checkAffineAt([OUTPUT]) : checkAffineAt();
  const monotone = exactOn === 'layers' ? monotoneNets(ops) : [];
  // Cheap checks first, so that a broken rule shows at once.
  return [
    ...nets.flatMap((net) => [
      ...twice('contains random points of the box', net, (s) => overBoxes(s, checkBySampling)),
      ...twice('lower <= upper for narrow and wide boxes', net, checkWidths),
      ...twice('equals the natural pass on single points', net, checkPoints),
      ...twice('bounds one image as in a batch, and an empty batch', net, checkBatches),
      onNet('is a pure function that reads no value', net, checkPure),
      ...(tightMargins ? twice('margins are at least as tight as differences of logits', net, checkMargins) : []),
      ...(device === undefined
        ? []
        : [
            onNet(`gives compiled for ${device.name} what it gives eagerly`, net, (s) =>
              checkAgainstDevice(s, device, differentiable),
            ),
          ]),
    ]),
    ...exact.flatMap((net) => twice('is exact', net, checkAffine)),
    ...monotone.flatMap((net) => twice('is exact', net, (s) => overBoxes(s, checkCorners))),
    ...nets.flatMap((net) => [
      ...(differentiable ? [onNet('has the gradient of finite differences', net, checkGradients)] : []),
      ...twice('withstands a gradient attack on every bound', net, (s) => overBoxes(s, checkByAttack)),
    ]),
  ];
}

/** A net with parameters, images and boxes around them. */
interface Setting extends Sample, Pick<BoundMethodSuiteOptions, 'method' | 'forward'> {
  readonly evaluator?: Evaluator;
  readonly net: NamedModel;
  readonly images: Tensor;
  readonly boxes: readonly NamedBox[];
  readonly rng: Rng;
}

const batch = 3;

async function withSetting(
  { method, forward, seed = 0 }: BoundMethodSuiteOptions,
  net: NamedModel,
  device: CompilingDevice | undefined,
  check: (setting: Setting) => Promise<void>,
): Promise<void> {
  const evaluator = device && compiledBounds(device);
  const rng = rngFor(seed, net.name);
  const sample = drawSample(net.model, rng);
  const images = drawImages(net.model, batch, rng);
  const boxes = drawBoxes(images, rng);
  try {
    await check({ ...sample, ...(evaluator && { evaluator }), method, forward, net, images, boxes, rng });
  } finally {
    disposeSample(sample);
    images.dispose();
    for (const { box } of boxes) disposeBox(box);
    await evaluator?.dispose();
  }
}

const callOf = ({ method, net, params, norm, evaluator }: Setting, box: IntervalTensor): BoundCall => ({
  ...(evaluator && { evaluator }),
  method,
  model: net.model,
  params,
  norm,
  box,
});

/** Labels of the sample images: different ones, so that a rule that mixes up images shows. */
const labels = (classes: number, count = batch) => Array.from({ length: count }, (_, i) => (2 * i + 1) % classes);

async function withSpec<T>(call: BoundCall, use: (call: BoundCall) => Promise<T>): Promise<T> {
  const spec = margins(labels(call.model.classes, call.box.lower.shape[0]), call.model.classes);
  try {
    return await use({ ...call, spec });
  } finally {
    spec.matrix.dispose();
  }
}

type Check = (call: BoundCall, forward: Forward, where: string, rng: Rng) => Promise<void>;

async function overBoxes(setting: Setting, check: Check): Promise<void> {
  for (const { name, box } of setting.boxes) {
    const [call, where] = [callOf(setting, box), `model "${setting.net.name}", ${name}`];
    await check(call, setting.forward, where, setting.rng);
    await withSpec(call, (c) => check(c, setting.forward, `${where}, margins`, setting.rng));
  }
}

async function checkWidths(setting: Setting): Promise<void> {
  for (const epsilon of [0, 1e-6, 1e-3, 1, 100]) {
    const box = linfBall(setting.images, epsilon, null);
    const [call, where] = [callOf(setting, box), `model "${setting.net.name}", epsilon ${epsilon}`];
    checkOrder(call, await hostBounds(call, where), where);
    await withSpec(call, async (c) => checkOrder(c, await hostBounds(c, where), `${where}, margins`));
    disposeBox(box);
  }
}

async function checkPoints(setting: Setting): Promise<void> {
  const box = pointBox(setting.images);
  const check = async (call: BoundCall, where: string) => {
    const values = await evaluate(() => forwardTensors(setting.forward, call, setting.images));
    for (const [node, sides] of await hostBounds(call, where)) {
      for (const side of ['lower', 'upper'] as const) {
        sides[side].data.forEach((got, i) => {
          const want = values[node]!.data[i]!;
          if (Math.abs(got - want) <= 1e-5 + 1e-4 * Math.abs(want)) return;
          throw failure(
            'unsound',
            call.method.name,
            `${where}, node "${node}", ${place(sides[side], i)}`,
            `the ${side} bound is ${got}, but the value is ${want}.`,
            'On a box that is a single point, both bounds must equal the value of the natural pass.',
          );
        });
      }
    }
  };
  const [call, where] = [callOf(setting, box), `model "${setting.net.name}", epsilon 0`];
  await check(call, where);
  await withSpec(call, (c) => check(c, `${where}, margins`));
  disposeBox(box);
}

async function checkBatches(setting: Setting): Promise<void> {
  const { box } = setting.boxes[1]!;
  const slice = (from: number, size: number): IntervalTensor => {
    const part = (x: Tensor) => tf.slice(x, [from, ...x.shape.slice(1).map(() => 0)], [size, ...x.shape.slice(1)]);
    return { lower: part(box.lower), upper: part(box.upper) };
  };
  const where = `model "${setting.net.name}"`;
  const plain = callOf(setting, { lower: box.lower, upper: box.upper });
  const [one, none] = [callOf(setting, slice(1, 1)), callOf(setting, slice(0, 0))];
  const whole = await hostBounds(plain, `${where}, ${batch} images`);
  for (const [node, single] of await hostBounds(one, `${where}, one image`)) {
    single.lower.data.forEach((l, i) => {
      const at = sizeOf(single.lower.shape) + i;
      const [u, wl, wu] = [single.upper.data[i]!, whole.get(node)!.lower.data[at]!, whole.get(node)!.upper.data[at]!];
      const allowed = 1e-5 + 1e-5 * Math.max(Math.abs(wl), Math.abs(wu));
      if (Math.abs(l - wl) <= allowed && Math.abs(u - wu) <= allowed) return;
      throw failure(
        'broken-contract',
        setting.method.name,
        `${where}, node "${node}", ${place(whole.get(node)!.lower, at)}`,
        `the bounds are [${l}, ${u}] for one image and [${wl}, ${wu}] in a batch of ${batch}.`,
        'The bounds of an image must not depend on other images in the batch.',
      );
    });
  }
  await hostBounds(none, `${where}, an empty batch`);
  await withSpec(none, (c) => hostBounds(c, `${where}, margins, an empty batch`));
  disposeBox(one.box);
  disposeBox(none.box);
}

async function checkPure(setting: Setting): Promise<void> {
  const { method, net, rng } = setting;
  const other = drawSample(net.model, rng);
  const where = `model "${net.name}"`;
  const first = setting.boxes[0]!.box;
  const pure = (params: Params, norm: BatchNormStats, box: IntervalTensor, model = net.model) =>
    checkPurity({
      who: method.name,
      where,
      inputs: { model, params, norm, box },
      run: () => boundTensors({ method, model, params, norm, box }, where),
    });
  const before = await pure(setting.params, setting.norm, first);
  await withSpec(callOf(setting, first), ({ spec, ...rest }) =>
    checkPurity({
      who: method.name,
      where: `${where}, margins`,
      inputs: { ...rest, method: {}, spec: spec! },
      run: () => boundTensors({ ...rest, spec: spec! }, where),
    }),
  );
  // Other parameters for the same model, then a copy of the model: what was cached from the first call would show.
  const changed = await pure(other.params, other.norm, first);
  const copied = await pure(other.params, other.norm, first, structuredClone(net.model));
  const again = await pure(setting.params, setting.norm, first);
  disposeSample(other);
  const stale = Object.keys(before).find(
    (name) =>
      !identical(before[name]!, again[name]!) ||
      !identical(changed[name]!, copied[name]!) ||
      (name.startsWith(OUTPUT) && identical(before[name]!, changed[name]!)),
  );
  if (stale === undefined) return;
  throw failure(
    'broken-contract',
    method.name,
    where,
    `the bounds at ${stale} depend on earlier calls.`,
    'Bounds must depend only on the arguments: keep no state between calls.',
  );
}

/** All bounds of a net as one function of the images, epsilon and the parameters, and where to call it. */
interface AsFunction {
  readonly f: (...xs: Tensor[]) => Tensor;
  readonly at: readonly Tensor[];
  readonly names: readonly string[];
  readonly where: string;
}

async function asFunction(
  setting: Setting,
  use: (bounds: AsFunction) => Promise<void>,
  boxOf = (x: Tensor, radius: Tensor): IntervalTensor => linfBall(x, radius, null),
): Promise<void> {
  const { method, net, images } = setting;
  const where = `model "${net.name}"`;
  const epsilon = tf.scalar(0.05);
  const { names, tensors, rebuild } = leavesOf(setting);
  await withSpec(callOf(setting, setting.boxes[0]!.box), async ({ spec }) => {
    const bounds = (x: Tensor, radius: Tensor, ...leaves: Tensor[]) => {
      const call = {
        method,
        model: net.model,
        ...rebuild(leaves),
        box: boxOf(x, radius),
      };
      const sides = (named: { readonly [name: string]: Tensor }) =>
        Object.entries(named)
          .filter(([name]) => /\/(lower|upper)$/.test(name) && !name.startsWith(`${INPUT}/`))
          .map(([, tensor]) => tf.reshape(tensor, [-1]));
      return tf.concat([
        ...sides(boundTensors(call, where)),
        ...sides(boundTensors({ ...call, spec: spec! }, `${where}, margins`)),
      ]);
    };
    await use({
      f: (...xs) => bounds(xs[0]!, xs[1]!, ...xs.slice(2)),
      at: [images, epsilon, ...tensors],
      names: ['the images', 'epsilon', ...names],
      where,
    });
  });
  epsilon.dispose();
}

async function checkGradients(setting: Setting): Promise<void> {
  await asFunction(setting, ({ f, at, names, where }) =>
    checkGradient(f, at, { names, who: `${setting.method.name}, ${where}` }),
  );
  // Training with immutable features passes gradients through boxes that have no width in them.
  const who = (where: string) => `${setting.method.name}, ${where}, immutable and one-sided features`;
  const set = partialSet(setting.net.model.inputShape);
  await asFunction(
    setting,
    ({ f, at, names, where }) => checkFiniteGradient(f, at, { names, who: who(where) }),
    (x, radius) => perturbationBox(set, x, radius),
  );
}

const checkAgainstDevice = (setting: Setting, device: CompilingDevice, differentiable: boolean): Promise<void> =>
  asFunction(setting, ({ f, at, names, where }) =>
    checkCompiled(f, at, { device, differentiable, names, where, who: setting.method.name }),
  );

async function checkMargins(setting: Setting): Promise<void> {
  const { classes } = setting.net.model;
  for (const { name, box } of setting.boxes) {
    const where = `model "${setting.net.name}", ${name}`;
    const call = callOf(setting, box);
    const logits = (await hostBounds(call, where)).get(OUTPUT)!;
    const rows = await withSpec(call, async (c) => (await hostBounds(c, `${where}, margins`)).get(OUTPUT)!);
    labels(classes).forEach((label, image) => {
      const others = Array.from({ length: classes }, (_, j) => j).filter((j) => j !== label);
      others.forEach((j, row) => {
        const got = rows.lower.data[image * others.length + row]!;
        const loose = logits.lower.data[image * classes + label]! - logits.upper.data[image * classes + j]!;
        if (got >= loose - 1e-5 - 1e-5 * Math.abs(loose)) return;
        throw failure(
          'broken-contract',
          setting.method.name,
          `${where}, image ${image}, class ${label} against ${j}`,
          `the lower bound of the margin is ${got}, but subtracting logit bounds gives ${loose}.`,
          'Multiply the specification into the last dense layer before computing its bounds.',
        );
      });
    });
  }
}

/** Compares with the exact range of an affine net, at the given nodes only. */
const checkAffineAt =
  (nodes?: readonly string[]) =>
  async (setting: Setting): Promise<void> => {
    const check = async (call: BoundCall, where: string) => {
      const range = await affineRange(call, setting.forward);
      const wanted = [...range].filter(([node]) => nodes === undefined || nodes.includes(node));
      await checkExact(call, new Map(wanted), where);
    };
    for (const { name, box } of setting.boxes) {
      const [call, where] = [callOf(setting, box), `model "${setting.net.name}", ${name}`];
      await check(call, where);
      if (setting.net.model.nodes.at(-1)!.op !== 'dense') continue;
      await withSpec(call, (c) => check(c, `${where}, margins`));
    }
  };

const checkCorners: Check = async (call, forward, where) => checkExact(call, await cornerRange(call, forward), where);

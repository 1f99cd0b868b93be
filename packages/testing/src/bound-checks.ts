/** The checks of a bound method on one net. */
import {
  type BatchNormStats,
  INPUT,
  type IntervalTensor,
  linfBall,
  type Params,
  perturbationBox,
  sizeOf,
  type Tensor,
  tf,
} from '@cert/core';
import { batch, type Check, callOf, labels, type Setting, withSpec } from './bound-setting.js';
import { disposeBox, partialSet, pointBox } from './boxes.js';
import { checkCompiled } from './check-compiled.js';
import { failure } from './conformance.js';
import type { CompilingDevice } from './device.js';
import { affineRange, checkExact, cornerRange } from './exactness.js';
import { checkFiniteGradient, checkGradient } from './gradient.js';
import { evaluate } from './host.js';
import { type BoundCall, boundTensors, forwardTensors, hostBounds, OUTPUT } from './host-bounds.js';
import { disposeSample, drawSample, leavesOf } from './models.js';
import { checkPurity, identical } from './purity.js';
import { checkOrder, place } from './soundness.js';

export async function checkWidths(setting: Setting): Promise<void> {
  for (const epsilon of [0, 1e-6, 1e-3, 1, 100]) {
    const box = linfBall(setting.images, epsilon, null);
    const [call, where] = [callOf(setting, box), `model "${setting.net.name}", epsilon ${epsilon}`];
    checkOrder(call, await hostBounds(call, where), where);
    await withSpec(call, async (c) => checkOrder(c, await hostBounds(c, where), `${where}, margins`));
    disposeBox(box);
  }
}

export async function checkPoints(setting: Setting): Promise<void> {
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

export async function checkBatches(setting: Setting): Promise<void> {
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

export async function checkPure(setting: Setting): Promise<void> {
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

export async function checkGradients(setting: Setting): Promise<void> {
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

export const checkAgainstDevice = (setting: Setting, device: CompilingDevice, differentiable: boolean): Promise<void> =>
  asFunction(setting, ({ f, at, names, where }) =>
    checkCompiled(f, at, { device, differentiable, names, where, who: setting.method.name }),
  );

export async function checkMargins(setting: Setting): Promise<void> {
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
export const checkAffineAt =
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

export const checkCorners: Check = async (call, forward, where) =>
  checkExact(call, await cornerRange(call, forward), where);

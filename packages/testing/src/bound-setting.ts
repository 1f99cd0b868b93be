/** What a check of a bound method gets: a net with parameters, images and boxes, eager or compiled. */
import type { BoundMethod, IntervalTensor, Rng, Tensor } from '@cert/core';
import { disposeBox, drawBoxes, type NamedBox } from './boxes.js';
import type { Forward } from './conformance.js';
import type { CompilingDevice } from './device.js';
import { type BoundCall, compiledBounds, type Evaluator, margins } from './host-bounds.js';
import { disposeSample, drawImages, drawSample, type NamedModel, rngFor, type Sample } from './models.js';

/** A net with parameters, images and boxes around them. */
export interface Setting extends Sample {
  readonly method: BoundMethod;
  readonly forward: Forward;
  readonly evaluator?: Evaluator;
  readonly net: NamedModel;
  readonly images: Tensor;
  readonly boxes: readonly NamedBox[];
  readonly rng: Rng;
}

/** Images of a sample. */
export const batch = 3;

export async function withSetting(
  { method, forward, seed = 0 }: Pick<Setting, 'method' | 'forward'> & { readonly seed?: number },
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

export const callOf = ({ method, net, params, norm, evaluator }: Setting, box: IntervalTensor): BoundCall => ({
  ...(evaluator && { evaluator }),
  method,
  model: net.model,
  params,
  norm,
  box,
});

/** Labels of the sample images: different ones, so that a rule that mixes up images shows. */
export const labels = (classes: number, count = batch) =>
  Array.from({ length: count }, (_, i) => (2 * i + 1) % classes);

export async function withSpec<T>(call: BoundCall, use: (call: BoundCall) => Promise<T>): Promise<T> {
  const spec = margins(labels(call.model.classes, call.box.lower.shape[0]), call.model.classes);
  try {
    return await use({ ...call, spec });
  } finally {
    spec.matrix.dispose();
  }
}

export type Check = (call: BoundCall, forward: Forward, where: string, rng: Rng) => Promise<void>;

export async function overBoxes(setting: Setting, check: Check): Promise<void> {
  for (const { name, box } of setting.boxes) {
    const [call, where] = [callOf(setting, box), `model "${setting.net.name}", ${name}`];
    await check(call, setting.forward, where, setting.rng);
    await withSpec(call, (c) => check(c, setting.forward, `${where}, margins`, setting.rng));
  }
}

import { sizeOf } from '@cert/core';
import { disposeTree, putBatch, putScalars } from '@cert/jit';
import { readMargins } from '../margins.js';
import type { Attack, Attacker, AttackSetting } from './attack.js';
import { hostReach } from './perturbed.js';
import { type AttackOptions, attackStepSize, createAttackStep, randomStart } from './step.js';

/** Returns projected gradient descent (Madry et al. 2018) from random points as an {@link Attack}; see {@link createAttackStep}. */
export const pgd = ({ steps = 40, restarts = 3, seed = 0 }: AttackOptions = {}): Attack => ({
  name: 'pgd',
  runs: () => restarts,
  // The start is a point too.
  points: steps + 1,
  on: (setting) => movingPoints(setting, attackStepSize(setting.perturbation.epsilon, steps), seed),
});

/** A batch of points on the device, of which single ones can be replaced between two steps. */
function movingPoints(setting: AttackSetting, stepSize: number, seed: number): Attacker {
  const { device, model, weights, perturbation, natural, places } = setting;
  const { epsilon } = perturbation;
  const step = device.jit(createAttackStep(model, perturbation, natural));
  const hyper = putScalars(device, { epsilon, stepSize });
  const size = sizeOf(model.inputShape);
  const reach = hostReach(perturbation, model.inputShape);
  const shape = [places, ...model.inputShape];
  const host = { images: new Float32Array(places * size), labels: new Int32Array(places) };
  const starts = new Map<number, Float32Array>();
  let batch = putBatch(device, model, host);
  let point = device.put(host.images, shape);
  let visited = device.put(host.images, shape);

  async function replace(): Promise<void> {
    const values = Float32Array.from(await point.data());
    for (const [place, start] of starts) values.set(start, place * size);
    starts.clear();
    disposeTree([batch, point]);
    batch = putBatch(device, model, host);
    point = device.put(values, shape);
  }

  return {
    begin(place, { pixels, label, index }, restart) {
      host.images.set(pixels, place * size);
      host.labels[place] = label;
      starts.set(place, randomStart(pixels, { epsilon, size, reach, first: index, seed, restart }));
    },
    async step() {
      if (starts.size > 0) await replace();
      const next = await step(weights, batch, point, hyper);
      const logits = await next.logits.data();
      disposeTree([visited, next.logits]);
      visited = point;
      point = next.point;
      return readMargins(logits, host.labels, model.classes).map(({ margin }) => margin);
    },
    visited: () => visited,
    async dispose() {
      disposeTree([batch, point, visited, hyper]);
      await step.dispose();
    },
  };
}

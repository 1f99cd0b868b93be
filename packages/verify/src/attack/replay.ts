import { naturalPass, runningNorm } from '@cert/bounds';
import { type Hyper, projection, type Tensor } from '@cert/core';
import { type DeviceArray, disposeTree, putScalars } from '@cert/jit';
import { readMargins } from '../margins.js';
import type { Weights } from '../verifier.js';
import type { AttackImage, AttackSetting } from './attack.js';

/** Runs the natural pass on points that an attack claims. */
export interface Replay {
  /** @returns the margin at the point of each image, clipped into its set; -infinity where a logit is not finite */
  margins(images: readonly (AttackImage | undefined)[], points: DeviceArray): Promise<readonly number[]>;
  dispose(): Promise<void>;
}

/** The judge of all attacks: nothing of what an attack computed takes part, apart from the point. */
export function createReplay({ device, model, weights, perturbation, natural, places }: AttackSetting): Replay {
  const pass = device.jit(({ params, stats }: Weights, images: Tensor, points: Tensor, hyper: Hyper) => {
    const point = projection(perturbation, images, hyper.epsilon!)(points);
    return { logits: naturalPass({ model, params, norm: runningNorm(stats) }, point, natural).output };
  });
  const hyper = putScalars(device, { epsilon: perturbation.epsilon });
  const shape = [places, ...model.inputShape];
  return {
    async margins(images, points) {
      const pixels = new Float32Array(shape.reduce((a, b) => a * b, 1));
      images.forEach((image, place) => {
        if (image !== undefined) pixels.set(image.pixels, place * image.pixels.length);
      });
      const centers = device.put(pixels, shape);
      const out = await pass(weights, centers, points, hyper);
      const labels = images.map((image) => image?.label ?? 0);
      const margins = readMargins(await out.logits.data(), labels, model.classes).map(({ margin }) => margin);
      disposeTree([centers, out]);
      return margins;
    },
    async dispose() {
      disposeTree(hyper);
      await pass.dispose();
    },
  };
}

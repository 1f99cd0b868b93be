import { crownIbp, ibp, runningNorm } from '@cert/bounds';
import { type BoundMethod, linfBall, tf, toTensors } from '@cert/core';
import type { BoundFunction } from '../sampler/check-contains.js';

/** Bounds of the logits by a method of `@cert/bounds`, eagerly on TensorFlow.js: float32, rounded to nearest. The level makes no difference. */
const nearest =
  (method: BoundMethod): BoundFunction =>
  ({ model, params, stats }, { image, epsilon, range }) =>
    tf.tidy(() => {
      const network = { model, params: toTensors(params), norm: runningNorm(toTensors(stats)) };
      const box = linfBall(tf.tensor(image.slice(), [1, ...model.inputShape]), epsilon, range);
      const { output } = method.bound({ network, box });
      return { lower: output.lower.dataSync(), upper: output.upper.dataSync() };
    });

export const nearestIbp = nearest(ibp);
export const nearestCrownIbp = nearest(crownIbp);

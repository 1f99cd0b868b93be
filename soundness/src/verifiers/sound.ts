import { runningNorm, soundBall, soundIbp } from '@cert/bounds';
import { tf, toTensors } from '@cert/core';
import type { BoundFunction } from '../sampler/check-contains.js';

/** Bounds of the logits by interval bounds that account for rounding, eagerly on TensorFlow.js: float32. */
export const soundBounds: BoundFunction = ({ model, params, stats }, { image, epsilon, range }, level) =>
  tf.tidy(() => {
    const network = { model, params: toTensors(params), norm: runningNorm(toTensors(stats)) };
    const box = soundBall(tf.tensor(image.slice(), [1, ...model.inputShape]), epsilon, range);
    const { output } = soundIbp({ level }).bound({ network, box });
    return { lower: output.lower.dataSync(), upper: output.upper.dataSync() };
  });

import { avgPool, dense, flatten, type Model, normalize, sequential } from '@cert/core';
import type { ModelContext, ModelSize } from '@cert/trainer/pipeline';
import { elbow } from './elbow.js';

/**
 * Images averaged down to at most 8 pixels a side, then three dense layers with the op of this package: small enough at its beginning for every
 * pixel to have a generator.
 *
 * @param size `width` and `dense` are the two hidden layers; default 100 each
 */
export function pooledMlp({
  inputShape,
  classes,
  width,
  dense: units,
  normalize: by,
}: ModelContext & Pick<ModelSize, 'width' | 'dense'>): Model {
  const pool = Math.max(1, Math.ceil(Math.max(...inputShape.slice(0, -1)) / 8));
  return sequential(inputShape, [
    ...(by ? [normalize(by.mean, by.std)] : []),
    ...(pool > 1 ? [avgPool(pool)] : []),
    flatten(),
    ...[width ?? 100, units ?? 100].flatMap((n) => [dense(n), elbow()]),
    dense(classes),
  ]);
}

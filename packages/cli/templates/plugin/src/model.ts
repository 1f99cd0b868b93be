import { dense, flatten, type Model, normalize, sequential } from '@cert/core';
import type { ModelSize } from '@cert/trainer/pipeline';
import { absolute } from './absolute.js';

/** An MLP with |x| in place of ReLU. `--width` and `--dense` are its two hidden layers. */
export const model = ({ inputShape, classes, width, dense: units, normalize: by }: ModelSize): Model =>
  sequential(inputShape, [
    ...(by ? [normalize(by.mean, by.std)] : []),
    flatten(),
    dense(width ?? 50),
    absolute(),
    dense(units ?? 50),
    absolute(),
    dense(classes),
  ]);

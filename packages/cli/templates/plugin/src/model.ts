import { dense, flatten, type Model, normalize, sequential } from '@cert/core';
import { type ModelContext, modelOptions, withOptions } from '@cert/trainer/pipeline';
import { absolute } from './absolute.js';

/** The options of the model: those of the built-in models that it has, and one of its own, `--absolute-layers`. */
const options = {
  width: modelOptions.width,
  absoluteLayers: { kind: 'integer', min: 1, default: 2, help: 'hidden layers' },
} as const;

/** An MLP with |x| in place of ReLU. */
export const model = withOptions(
  options,
  ({ width, absoluteLayers }, { inputShape, classes, normalize: by }: ModelContext): Model =>
    sequential(inputShape, [
      ...(by ? [normalize(by.mean, by.std)] : []),
      flatten(),
      ...Array.from({ length: absoluteLayers }, () => [dense(width ?? 50), absolute()]).flat(),
      dense(classes),
    ]),
);

import {
  avgPool,
  type Extent,
  flatten,
  globalAvgPool,
  type Layer,
  maxPool,
  type PoolOptions,
  reshape,
} from '@cert/core';
import { compact } from '../../graph/windows.js';
import { asImage, imageAt, solid, valueAt } from '../layout.js';
import { onlyInput, readsChannelsFirst, type Step } from '../step.js';
import type { Value } from '../value.js';
import { paddingOf } from './linear.js';
import type { Rules } from './rule.js';

function pooled<K extends 'maxPool' | 'avgPool'>(
  step: Step,
  pool: (size: Extent, options: PoolOptions) => Layer<K>,
): Value {
  const channelsFirst = readsChannelsFirst(step);
  const { node } = solid(step, asImage(step, onlyInput(step), channelsFirst));
  const size = step.config.pair('pool_size', [2, 2]);
  const stride = step.config.pair('strides', size);
  const [height, width] = step.shapeOf(node) as [number, number];
  const padding = paddingOf(step, [height, width], { size, stride });
  const layer = pool(compact(size), {
    stride: compact(stride),
    ...(padding.some((n) => n > 0) && { padding: compact(padding) }),
  });
  return imageAt(step, step.place(layer, [node], ''), channelsFirst);
}

/** One number for each channel. */
function pooledGlobally(step: Step, pool: (step: Step, node: string, suffix: string) => string): Value {
  const channelsFirst = readsChannelsFirst(step);
  const { node } = solid(step, asImage(step, onlyInput(step), channelsFirst));
  const keep = step.config.flag('keepdims', false);
  const vector = pool(step, node, keep ? '_pooled' : '');
  if (!keep) return valueAt(step, vector);
  return imageAt(step, step.place(reshape([1, 1, ...step.shapeOf(vector)]), [vector], ''), channelsFirst);
}

/** Windows over images, and whole images. */
export const pooling: Rules = {
  MaxPooling2D: (step) => pooled(step, maxPool),
  // Padding is no part of a mean there, as here.
  AveragePooling2D: (step) => pooled(step, avgPool),
  GlobalAveragePooling2D: (step) =>
    pooledGlobally(step, (_, node, suffix) => step.place(globalAvgPool(), [node], suffix)),
  GlobalMaxPooling2D: (step) =>
    pooledGlobally(step, (_, node, suffix) => {
      const [height, width] = step.shapeOf(node) as [number, number];
      return step.place(flatten(), [step.place(maxPool([height, width]), [node], '_max')], suffix);
    }),
};

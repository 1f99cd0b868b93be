import { createRng, type Model, sizeOf } from '@cert/core';

/** Uniform random images of ten classes, the same in each call. */
export function randomBatch({ inputShape }: Model, batch: number): { images: Float32Array; labels: Int32Array } {
  const rng = createRng(0, 'bench');
  const images = Float32Array.from({ length: batch * sizeOf(inputShape) }, rng.uniform);
  return { images, labels: Int32Array.from({ length: batch }, () => rng.int(10)) };
}

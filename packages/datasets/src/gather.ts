import { sizeOf } from '@cert/core';
import type { Split } from './split.js';

// Worker threads run this file: it must import nothing but types.

/**
 * Pixel values of the images at some indices of a split, in one pass: float32(stored value * scale), moved and mirrored as the
 * transforms say.
 *
 * @param transforms for each index [mirrored, down, right] (see `drawTransforms`); none: images as they are
 * @returns row-major [indices, ...shape]
 */
export function gatherImages(
  { images, scale, shape }: Pick<Split, 'images' | 'scale' | 'shape'>,
  indices: Uint32Array,
  transforms?: Int16Array,
): Float32Array<ArrayBuffer> {
  const size = sizeOf(shape);
  const out = new Float32Array(indices.length * size);
  if (transforms === undefined) {
    for (let i = 0; i < indices.length; i++) {
      const from = indices[i]! * size;
      for (let k = 0; k < size; k++) out[i * size + k] = images[from + k]! * scale;
    }
    return out;
  }
  const [height = 1, width = 1, channels = 1] = shape;
  const columns = new Int32Array(width);
  for (let i = 0; i < indices.length; i++) {
    const [mirrored, down, right] = [transforms[3 * i]!, transforms[3 * i + 1]!, transforms[3 * i + 2]!];
    for (let x = 0; x < width; x++) columns[x] = channels * clamp((mirrored === 1 ? width - 1 - x : x) + right, width);
    let to = i * size;
    for (let y = 0; y < height; y++) {
      const row = indices[i]! * size + clamp(y + down, height) * width * channels;
      for (let x = 0; x < width; x++) {
        const from = row + columns[x]!;
        for (let c = 0; c < channels; c++) out[to++] = images[from + c]! * scale;
      }
    }
  }
  return out;
}

/** The pixel that stands in the padding: the nearest one of the edge. */
const clamp = (at: number, size: number) => Math.max(0, Math.min(size - 1, at));

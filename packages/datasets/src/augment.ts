import { CertError, type Rng, type Shape } from '@cert/core';
import type { Augmentation } from './split.js';

/**
 * Draws what an augmentation does to each image of a split in one epoch: three numbers an image, [mirrored (0 or 1), down, right].
 * The image is first moved: pixel (y, x) is the old pixel (y + down, x + right), or the nearest one of the edge where that is
 * outside; down and right are uniform in -crop .. crop. This is cropping at random from the image with its edges repeated. Then
 * it is mirrored.
 */
export function drawTransforms(count: number, { flip, crop }: Augmentation, rng: Rng): Int16Array {
  const drawn = new Int16Array(3 * count);
  for (let i = 0; i < drawn.length; i += 3) {
    if (flip) drawn[i] = rng.int(2);
    if (crop === 0) continue;
    drawn[i + 1] = rng.int(2 * crop + 1) - crop;
    drawn[i + 2] = rng.int(2 * crop + 1) - crop;
  }
  return drawn;
}

/** The transforms of the images at some indices. */
export function transformsOf(drawn: Int16Array, indices: Uint32Array): Int16Array {
  const out = new Int16Array(3 * indices.length);
  indices.forEach((index, i) => {
    out.set(drawn.subarray(3 * index, 3 * index + 3), 3 * i);
  });
  return out;
}

/** @throws CertError `bad-argument` for a crop that is no number of pixels, and for images without rows and columns */
export function checkAugmentation({ crop }: Augmentation, shape: Shape): void {
  if (!Number.isInteger(crop) || crop < 0 || crop > 0x7fff) {
    throw new CertError(
      'bad-argument',
      `The crop is ${crop}.`,
      'Give the padding on each side as a whole number of pixels.',
    );
  }
  if (shape.length === 3) return;
  const what = shape.length === 1 ? `Rows of ${shape[0]} features` : `Images of shape [${shape}]`;
  throw new CertError(
    'bad-argument',
    `${what} cannot be augmented, because they have no rows and columns of pixels.`,
    'Give images of shape [height, width, channels], or no augmentation.',
  );
}

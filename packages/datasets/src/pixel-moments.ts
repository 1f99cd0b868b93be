import { CertError, type Normalization } from '@cert/core';
import type { Split } from './split.js';

/**
 * Returns mean and standard deviation of the pixels of each channel over all images of a split, in the units of the model input, for input
 * normalization.
 *
 * @throws CertError `bad-data` naming a constant channel, whose standard deviation is 0
 */
export function pixelMoments({ shape, images, scale }: Split): Normalization {
  const channels = shape.at(-1)!;
  const [sums, squares] = [new Float64Array(channels), new Float64Array(channels)];
  for (let i = 0; i < images.length; i += channels) {
    for (let c = 0; c < channels; c++) {
      const value = images[i + c]!;
      sums[c]! += value;
      squares[c]! += value * value;
    }
  }
  const count = images.length / channels;
  const mean = Array.from(sums, (sum) => (scale * sum) / count);
  const std = Array.from(
    squares,
    (square, c) => scale * Math.sqrt(Math.max(0, square / count - (sums[c]! / count) ** 2)),
  );
  // Not by its standard deviation: that of a constant of many digits is rounding, above 0.
  const flat = std.findIndex((_, c) => images.every((value, i) => i % channels !== c || value === images[c]));
  if (flat < 0) return { mean, std };
  throw new CertError(
    'bad-data',
    `Channel ${flat} has the value ${mean[flat]} in every pixel.`,
    'Leave the channel out, or do not normalize with the data moments.',
  );
}

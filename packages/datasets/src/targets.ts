import { CertError, sizeOf } from '@cert/core';
import type { Split, Target } from './split.js';

/**
 * Returns the moments of targets, for a last layer in their units.
 *
 * @throws CertError `bad-data` for targets that are all the same
 */
export function targetMoments(targets: ArrayLike<number>, name: string): Target {
  const values = Array.from(targets);
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const std = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  if (std > 0 && Number.isFinite(std)) return { name, mean, std };
  throw new CertError(
    'bad-data',
    `The numbers to predict, "${name}", have the standard deviation ${std} in the training examples.`,
    'Name a column of different finite numbers.',
  );
}

/**
 * Returns the rows of a regression, each followed by its target, as a split of the class 0 "within the tolerance": the inputs of a network
 * `withTolerance` of `@cert/core`.
 *
 * @param split of rows, [features], with targets
 * @throws CertError `bad-argument` for a split without targets
 */
export function rowsWithTargets({ targets, ...split }: Split): Split {
  if (targets === undefined) {
    throw new CertError('bad-argument', 'The split has no targets.', 'Give the split of a regression.');
  }
  const { count, images, scale, labels } = split;
  const size = sizeOf(split.shape);
  const rows = new Float32Array(count * (size + 1));
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < size; i++) rows[row * (size + 1) + i] = images[row * size + i]! * scale;
    rows[row * (size + 1) + size] = targets[row]!;
  }
  return { shape: [size + 1], classes: 3, count, images: rows, scale: 1, labels };
}

/** Names of the classes of {@link rowsWithTargets}, in label order. */
export const TOLERANCE_CLASSES: readonly string[] = ['within the tolerance', 'too high', 'too low'];

/** Logits and lower margins of images on the host, read so that nothing that is not finite ever counts as right. */
import { CertError } from '@cert/core';

/** What the logits of one image say. */
export interface ClassMargin {
  /** Logit of the label minus the largest other one; -infinity where a logit is not finite or the label is not a class. */
  readonly margin: number;
  /** The class of the largest logit, the first of equals; null where there is no margin. */
  readonly prediction: number | null;
  /** The size of the largest logit; 0 where there is no margin. */
  readonly size: number;
}

/**
 * The margin of every image.
 *
 * @param logits [images, classes], row-major
 */
export function readMargins(logits: ArrayLike<number>, labels: ArrayLike<number>, classes: number): ClassMargin[] {
  const none = { margin: Number.NEGATIVE_INFINITY, prediction: null, size: 0 };
  return Array.from({ length: labels.length }, (_, i) => {
    const label = labels[i]!;
    if (!(Number.isInteger(label) && label >= 0 && label < classes)) return none;
    let [best, other, size] = [0, Number.NEGATIVE_INFINITY, 0];
    for (let j = 0; j < classes; j++) {
      const logit = logits[i * classes + j]!;
      if (!Number.isFinite(logit)) return none;
      size = Math.max(size, Math.abs(logit));
      if (logit > logits[i * classes + best]!) best = j;
      if (j !== label) other = Math.max(other, logit);
    }
    return { margin: logits[i * classes + label]! - other, prediction: best, size };
  });
}

/** The smallest of an image's `rows` lower margins; -infinity where one is not finite. */
export function smallestBound(lower: ArrayLike<number>, image: number, rows: number): number {
  let smallest = Number.POSITIVE_INFINITY;
  for (let row = 0; row < rows; row++) {
    const value = lower[image * rows + row]!;
    if (!Number.isFinite(value)) return Number.NEGATIVE_INFINITY;
    smallest = Math.min(smallest, value);
  }
  return smallest;
}

/** A violation of the bounds up to this, relative to the size of the logits, is rounding. */
const ROUNDING = 1e-3;

/** What is known of one image, for {@link checkSound}. */
export interface SoundnessCheck {
  readonly method: string;
  /** Where the image stands in the split. */
  readonly image: number;
  /** The smallest lower margin that the method gave. */
  readonly bound: number;
  /** The smallest margin that was found at any point of the ball. */
  readonly found: number;
  /** The size of the largest logit at the clean image. */
  readonly size: number;
}

/** @throws CertError `unsound` when a point of the ball has a margin below the lower bound, by more than rounding */
export function checkSound({ method, image, bound, found, size }: SoundnessCheck): void {
  if (!((bound >= 0 || Number.isFinite(found)) && bound - found > ROUNDING * (1 + size))) return;
  throw new CertError(
    'unsound',
    `${method}: input ${image} has a lower margin of ${bound}, but a point of its ball has the margin ${found}.`,
    `The bounds are unsound: run the conformance suite on ${method} and on every rule added to it.`,
  );
}

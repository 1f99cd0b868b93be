import type { Evaluation } from '@cert/verify';

/**
 * The best epoch so far among those at the full radius: the lowest verified error on the validation images, or else on the test images, then
 * the lowest standard error.
 */
export interface Best {
  /** From 1. */
  readonly epoch: number;
  /** A fraction of these images. */
  readonly verifiedError: number;
  /** A fraction of these images. Missing in checkpoints of older versions. */
  readonly standardError?: number;
}

/**
 * Whether an epoch at the full radius is better than the best so far: fewer images are not verified, or as many and fewer are
 * misclassified. The latter decides for methods whose networks verify no image.
 */
export function isBetter(
  { verifiedError, standardError }: Pick<Evaluation, 'verifiedError' | 'standardError'>,
  best: Best | null,
): boolean {
  if (best === null || verifiedError < best.verifiedError) return true;
  return verifiedError === best.verifiedError && standardError < (best.standardError ?? 0);
}

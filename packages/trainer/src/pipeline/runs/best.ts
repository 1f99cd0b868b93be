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
  /** For a regression: the mean of the largest absolute errors that the bounds allow, in the units of the label. */
  readonly verifiedAbsoluteError?: number;
}

/**
 * Whether an epoch at the full radius is better than the best so far: fewer images are not verified, or as many and fewer are
 * misclassified. The latter decides for methods whose networks verify no image. For a regression the verified absolute error decides.
 */
export function isBetter(
  {
    verifiedError,
    standardError,
    verifiedAbsoluteError,
  }: Pick<Evaluation, 'verifiedError' | 'standardError' | 'verifiedAbsoluteError'>,
  best: Best | null,
): boolean {
  if (best !== null && verifiedAbsoluteError != null && best.verifiedAbsoluteError !== undefined) {
    return verifiedAbsoluteError < best.verifiedAbsoluteError;
  }
  if (best === null || verifiedError < best.verifiedError) return true;
  return verifiedError === best.verifiedError && standardError < (best.standardError ?? 0);
}

/**
 * Whether training stops early after an epoch: no epoch has been better for `patience` epochs. From the first best epoch on, all epochs are at the
 * full radius, so that the number of epochs since then is the number of epochs that were not better.
 *
 * @param patience null: never
 */
export const isExhausted = (epoch: number, best: Best | null, patience: number | null): boolean =>
  patience !== null && best !== null && epoch - best.epoch >= patience;

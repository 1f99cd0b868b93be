import type { Evaluation } from './evaluate.js';

/** The best epoch so far among those at the full radius. */
export interface Best {
  readonly epoch: number;
  readonly verifiedError: number;
  /** Checkpoints from before it was kept lack it. */
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

/** What is known about the margin of an image over its ball. */
export interface MarginEvidence {
  /** A lower bound of it; null or undefined where none is known that is finite. */
  readonly lower: number | null | undefined;
  /** The smallest margin that was found at any point of the ball; null where a logit was not finite. */
  readonly found: number | null;
}

/** Whether a margin says that the label wins: finite and > 0. A tie is an error. */
export const isPositive = (margin: number | null | undefined): boolean =>
  typeof margin === 'number' && margin > 0 && margin < Number.POSITIVE_INFINITY;

/**
 * Defines "verified": the lower bound is finite and > 0, and no point with a margin <= 0 was found. NaN, infinite or missing bounds never
 * verify.
 */
export const isVerified = ({ lower, found }: MarginEvidence): boolean => isPositive(lower) && isPositive(found);

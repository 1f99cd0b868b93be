import { CertError } from '@cert/core';

/** Options of the regularizers of the paper. */
export interface ToleranceOptions {
  /** Ratio below which the penalty starts: relu(tolerance - ratio) / tolerance. Default 0.5. */
  readonly tolerance?: number;
}

/** @throws CertError `bad-argument` when the tolerance is not a finite positive number: it is divided by */
export function checkTolerance(tolerance: number, where: string): number {
  if (tolerance > 0 && tolerance < Number.POSITIVE_INFINITY) return tolerance;
  throw new CertError(
    'bad-argument',
    `${where}: the tolerance is ${tolerance}.`,
    'Give a finite number above 0; the paper uses 0.5.',
  );
}

/** What a run has measured of itself in this process. */
export interface Pace {
  /** Training steps so far, and the seconds that they took. */
  readonly steps: number;
  readonly stepSeconds: number;
  /** Epochs that have ended, and the seconds that their tests and files took. */
  readonly tests: number;
  readonly testSeconds: number;
}

/** What a run has still to do. */
export interface Remaining {
  readonly steps: number;
  /** Epochs whose test is still to come. */
  readonly tests: number;
  /** Images in a training step. */
  readonly batchSize: number;
  /** Images of a test. */
  readonly testImages: number;
  /** Gradient steps of the final attack on an image, over all restarts; 0 for no attack. */
  readonly attackSteps: number;
}

/** No pass yet. */
export const NO_PACE: Pace = { steps: 0, stepSeconds: 0, tests: 0, testSeconds: 0 };

/**
 * The share of an image's seconds in a training step that one pass of the evaluation takes. A training step goes forward and backward through
 * the natural pass and through bounds, which cost two of those: 9 forward passes. A test (3) has no backward passes; an attack step (2 to 3) has no bounds.
 */
const PASS = 1 / 3;

/** Estimated seconds to the end of a run: its steps, the tests behind its epochs, and the final evaluation. NaN before the first step. */
export function secondsLeft(
  { steps, stepSeconds, tests, testSeconds }: Pace,
  { batchSize, testImages, attackSteps, ...left }: Remaining,
): number {
  const step = stepSeconds / steps;
  const pass = (testImages * PASS * step) / batchSize;
  const test = tests === 0 ? pass : testSeconds / tests;
  return left.steps * step + (left.tests + 1) * test + attackSteps * pass;
}

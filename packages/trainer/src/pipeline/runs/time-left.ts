/** What a run has measured of itself in this process. */
export interface Pace {
  /** Training steps so far, and the seconds that they took. */
  readonly steps: number;
  readonly stepSeconds: number;
  /** Epochs that have ended after the first one, whose test compiles, and the seconds that their tests and files took. */
  readonly tests: number;
  readonly testSeconds: number;
}

/**
 * The pace after the test of an epoch. The first test of a process compiles: it does not count, as the final attack, estimated from tests, would seem to
 * take its time again with every step.
 *
 * @param first whether this is the first test of the process
 */
export const afterTest = (pace: Pace, seconds: number, first: boolean): Pace =>
  first ? pace : { ...pace, tests: pace.tests + 1, testSeconds: pace.testSeconds + seconds };

/** What a run has still to do. */
export interface Remaining {
  readonly steps: number;
  /** Epochs whose test is still to come. */
  readonly tests: number;
  /** Images in a training step. */
  readonly batchSize: number;
  /** Images of a test after an epoch. */
  readonly testImages: number;
  /** Images of the final evaluation. */
  readonly finalImages: number;
  /** Gradient steps of the final attack on an image, over all restarts; 0 for no attack. */
  readonly attackSteps: number;
}

/** No pass yet. */
export const NO_PACE: Pace = { steps: 0, stepSeconds: 0, tests: 0, testSeconds: 0 };

/**
 * The share of an image's seconds in a training step that a test of the image takes: a step goes forward and backward through the natural pass and
 * through bounds, a test only forward.
 */
const TEST = 1 / 3;

/** The share of the seconds of a test that a step of the attack takes, which goes forward and backward through the natural pass. Measured: 0.5 to 1. */
const ATTACK_STEP = 3 / 4;

/** Estimated seconds to the end of a run: its steps, the tests behind its epochs, and the final evaluation. NaN before the first step. */
export function secondsLeft(
  { steps, stepSeconds, tests, testSeconds }: Pace,
  { batchSize, testImages, finalImages, attackSteps, ...left }: Remaining,
): number {
  const step = stepSeconds / steps;
  const test = tests === 0 ? (TEST * testImages * step) / batchSize : testSeconds / tests;
  const final = (test * finalImages) / testImages;
  return left.steps * step + left.tests * test + (1 + attackSteps * ATTACK_STEP) * final;
}

import type { MarginProblem, SoundSteps } from '@cert/verify';
import type { Ball } from '../box.js';
import type { BoundFunction } from '../sampler/check-contains.js';

/** The ball with its ends rounded outwards to float64. */
function boxOf({ image, epsilon, range }: Ball): MarginProblem['box'] {
  const { min, max } = range ?? { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };
  const slack = (x: number) => (Math.abs(x) + epsilon) * 2 ** -50;
  return {
    lower: Float64Array.from(image, (x) => Math.max(x - epsilon - slack(x), min)),
    upper: Float64Array.from(image, (x) => Math.min(x + epsilon + slack(x), max)),
  };
}

/** Lower margins in float64 on the host, as verifiers take them for images that float32 leaves open. */
export const float64Margins =
  ({ margins }: SoundSteps): BoundFunction =>
  (network, ball, level) => ({ lower: margins({ network, box: boxOf(ball), label: ball.label, level }) });

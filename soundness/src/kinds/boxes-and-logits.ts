/** Boxes that are rounded inwards, ties, and margins that are wider than the difference of the computed logits. */
import { dense, type Rng, relu } from '@cert/core';
import { type Ball, contains } from '../box.js';
import { nextUp, sumUp } from '../execute/float32.js';
import type { AdversarialNetwork } from './adversarial-network.js';
import {
  chain,
  largestScore,
  manyExecutions,
  misclassifiedExactly,
  mustFool,
  search,
  thresholdBias,
  thresholdKernel,
} from './build.js';
import { nearestLowerMargin } from './nearest-ibp.js';

const UNIT = { min: 0, max: 1 };

/** Radii of two or three digits that float32 rounds down. */
const ROUNDED_DOWN = [0.7, 0.9, 0.13, 0.033, 0.52, 0.0082].filter((epsilon) => Math.fround(epsilon) < epsilon);

/**
 * An epsilon that is rounded down to float32, by more than the threshold leaves. With the next float32 number, interval arithmetic that rounds
 * to nearest does not prove it.
 */
export function roundedEpsilon(rng: Rng): AdversarialNetwork {
  const executions = manyExecutions(rng, 20);
  return search('rounded-epsilon', 200_000, () => {
    const epsilon = ROUNDED_DOWN[rng.int(ROUNDED_DOWN.length)]!;
    const inputs = 1 + rng.int(4);
    // The point is given, and the image as far below it as the ball allows.
    const point = Float32Array.from({ length: inputs }, () => epsilon * (1 + 0.1 * rng.uniform()));
    const image = point.map((x) => sumUp(x, -epsilon));
    const ball: Ball = { image, epsilon, range: { min: -2, max: 2 } };
    if (!contains(ball, point)) return undefined;
    const kernel = Array.from({ length: inputs }, () => Math.fround(0.5 + rng.uniform()));
    const build = (threshold: number) =>
      chain([inputs], [dense(1), dense(2)], {
        dense1: { kernel },
        dense2: { kernel: thresholdKernel, bias: thresholdBias(threshold) },
      });
    const network = build(largestScore(build(0), [point], executions));
    const proved = nearestLowerMargin(network, ball) > 0;
    if (!proved || nearestLowerMargin(network, ball, (e) => nextUp(Math.fround(e))) > 0) return undefined;
    if (!misclassifiedExactly(network, point, 0)) return undefined;
    return mustFool({ ...network, ...ball, name: 'rounded-epsilon', label: 0, points: [point], executions });
  });
}

/** An image at the end of the range: the center of [1 - epsilon, 1] is rounded down, and center + radius is less than 1. */
export function endOfRange(rng: Rng): AdversarialNetwork {
  const f = Math.fround;
  const epsilon = search('end-of-range', 1000, () => {
    const candidate = Number((0.01 + 0.3 * rng.uniform()).toFixed(3));
    const radius = f(candidate) / 2;
    return f(1 - radius) + radius < 1 ? candidate : undefined;
  });
  const weight = 2 ** rng.int(24);
  const image = Float32Array.of(1);
  return mustFool({
    ...chain([1], [dense(2)], { dense1: { kernel: [0, weight], bias: [weight, 0] } }),
    ...{ name: 'end-of-range', image, label: 0, epsilon, range: UNIT },
    ...{ points: [image], executions: manyExecutions(rng, 0) },
  });
}

/** A margin of exactly 0 at a corner: a tie, which no strict verifier accepts. */
export function tie(rng: Rng): AdversarialNetwork {
  const weight = 2 ** rng.int(24);
  return mustFool({
    ...chain([1], [dense(2)], { dense1: { kernel: [0, weight], bias: [weight / 2, 0] } }),
    ...{ name: 'tie', image: Float32Array.of(0.25), label: 0, epsilon: 0.25, range: UNIT },
    ...{ points: [Float32Array.of(0.5)], executions: manyExecutions(rng, 0) },
  });
}

/**
 * A last layer in which both logits hold the same large number. The row of the margin cancels it exactly; the computed logits lose what they
 * differ by and tie.
 */
export function fusedMargin(rng: Rng): AdversarialNetwork {
  const exponent = 30 + rng.int(20);
  const large = 2 ** exponent;
  const step = 2 ** (exponent - 23);
  const image = Float32Array.of(0.5);
  return mustFool({
    ...chain([1], [dense(2), relu(), dense(2)], {
      // The constant 1, and x.
      dense1: { kernel: [0, 1], bias: [1, 0] },
      dense2: { kernel: [large, large, 0.4 * step, 0.1 * step] },
    }),
    ...{ name: 'fused-margin', image, label: 0, epsilon: 0.25, range: UNIT },
    ...{ points: [image], executions: manyExecutions(rng) },
  });
}

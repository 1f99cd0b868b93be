/** Slopes of leaky ReLU that an execution rounds, or reads as 0. */
import { dense, leakyRelu, type Rng } from '@cert/core';
import type { AdversarialNetwork } from './adversarial-network.js';
import { chain, manyExecutions, mustFool, thresholdBias, thresholdKernel } from './build.js';

const SIGNED = { min: -1, max: 1 };
const UNIT = { min: 0, max: 1 };
/** So small a radius that the ball has one float32 point. */
const POINT = 1e-10;

/** Leaky ReLUs one behind the other, with a slope that float32 rounds down by nearly half a unit: an execution makes a larger score of it. */
export function leakySlope(rng: Rng): AdversarialNetwork {
  const count = 12 + rng.int(8);
  // Just below the middle between 1/2 and the next float32 number.
  const slope = 0.5 * (1 + 0.999 * 2 ** -24);
  const image = Float32Array.of(-(1.25 + 0.5 * rng.uniform()) / 2);
  const layers = Array.from({ length: count }, () => leakyRelu(slope));
  const threshold = image[0]! * 2 ** -count;
  return mustFool({
    ...chain([1], [...layers, dense(2)], {
      dense1: { kernel: thresholdKernel, bias: thresholdBias(threshold) },
    }),
    ...{ name: 'leaky-slope', image, label: 0, epsilon: POINT, range: SIGNED },
    ...{ points: [image], executions: manyExecutions(rng, 10) },
  });
}

/** A denormal slope times a large number: the result is normal, but hardware that reads denormal operands as 0 loses it. */
export function denormalSlope(rng: Rng): AdversarialNetwork {
  const tiny = -130 - rng.int(10);
  return mustFool({
    ...chain([1], [dense(1), dense(1), leakyRelu(2 ** tiny), dense(2)], {
      dense1: { kernel: [-(2 ** 40)] },
      dense2: { kernel: [2 ** 40] },
      dense3: { kernel: [-1, 0], bias: [0, 2 ** (tiny + 78)] },
    }),
    ...{ name: 'denormal-slope', image: Float32Array.of(0.75), label: 0, epsilon: 0.125, range: UNIT },
    ...{ points: [Float32Array.of(0.75)], executions: manyExecutions(rng, 50, { underflow: ['flush-inputs'] }) },
  });
}

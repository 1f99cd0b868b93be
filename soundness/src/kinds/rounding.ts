/** Single roundings that an execution does and a bound on real numbers does not see: normalizations, large weights, underflow. */
import { affine, batchNorm, dense, type Layer, type Rng, relu } from '@cert/core';
import { type Ball, float32Ends } from '../box.js';
import type { Execution } from '../execute/execution.js';
import type { HostNetwork } from '../network.js';
import type { AdversarialNetwork } from './adversarial-network.js';
import {
  chain,
  largestScore,
  manyExecutions,
  mustFool,
  type Numbers,
  search,
  thresholdBias,
  thresholdKernel,
} from './build.js';
import { nearestLowerMargin } from './nearest-ibp.js';

const numbers = (rng: Rng, count: number, scale = 1): number[] =>
  Array.from({ length: count }, () => Math.fround(scale * rng.normal()));

/** So small a radius that the ball has one float32 point. */
const POINT = 1e-10;
const UNIT = { min: 0, max: 1 };

/** What {@link aboveBounds} searches among. */
interface Family {
  readonly name: string;
  readonly inputs: number;
  readonly layers: readonly Layer[];
  /** Fresh numbers for the layers. */
  readonly draw: () => Numbers;
  readonly epsilon?: number;
  readonly executions: readonly Execution[];
  /** What else must hold of the network with its threshold. */
  readonly accepts?: (network: HostNetwork, ball: Ball) => boolean;
}

/**
 * A network whose score is larger under one execution than bounds in float32 allow: the threshold is that very score, so that the execution
 * ends in a tie, which is an error. Layers end in one number.
 */
function aboveBounds(rng: Rng, { name, inputs, layers, draw, epsilon = POINT, executions, accepts }: Family) {
  return search(name, 20_000, (): AdversarialNetwork | undefined => {
    const last = `dense${1 + layers.filter(({ op }) => op === 'dense').length}`;
    const own = draw();
    const image = Float32Array.from({ length: inputs }, () => 0.25 + 0.5 * rng.uniform());
    const ball: Ball = { image, epsilon, range: UNIT };
    const { lower, upper } = float32Ends(ball);
    const points = epsilon === POINT ? [image] : [image, lower, upper];
    const build = (threshold: number) =>
      chain([inputs], [...layers, dense(2)], {
        ...own,
        [last]: { kernel: thresholdKernel, bias: thresholdBias(threshold) },
      });
    const threshold = largestScore(build(0), points, executions);
    const network = build(threshold);
    if (!(nearestLowerMargin(network, ball) > 0) || accepts?.(network, ball) === false) return undefined;
    return mustFool({ ...network, ...ball, name, label: 0, points, executions });
  });
}

/** Variance 0 and a tiny epsilon: x * scale + shift cancels two large numbers, (x - mean) * scale does not. */
export const varianceNearZero = (rng: Rng): AdversarialNetwork =>
  aboveBounds(rng, {
    ...{ name: 'variance-near-zero', inputs: 4, layers: [dense(2), batchNorm({ epsilon: 1e-12 }), relu(), dense(1)] },
    executions: manyExecutions(rng, 100),
    draw: () => ({
      dense1: { kernel: numbers(rng, 8), bias: numbers(rng, 2) },
      batchNorm1: { gamma: [1, 1], beta: [1, 1], mean: numbers(rng, 2), variance: [0, 0] },
      dense2: { kernel: numbers(rng, 2) },
    }),
  });

/** A gamma of 1e7: the roundings of the layer before are multiplied by it. */
export const hugeGamma = (rng: Rng): AdversarialNetwork =>
  aboveBounds(rng, {
    ...{ name: 'huge-gamma', inputs: 8, layers: [dense(3), batchNorm(), relu(), dense(1)] },
    executions: manyExecutions(rng, 100),
    draw: () => ({
      dense1: { kernel: numbers(rng, 24), bias: numbers(rng, 3) },
      batchNorm1: { gamma: numbers(rng, 3, 1e7), beta: numbers(rng, 3), mean: numbers(rng, 3), variance: [1, 2, 3] },
      dense2: { kernel: numbers(rng, 3) },
    }),
  });

/** A batch normalization folded into the layer before: the weights are rounded again, and what cancels is larger. */
export const foldedBatchNorm = (rng: Rng): AdversarialNetwork =>
  aboveBounds(rng, {
    ...{ name: 'folded-batch-norm', inputs: 8, layers: [dense(1), batchNorm()] },
    executions: manyExecutions(rng, 200).filter(({ batchNorm }) => batchNorm.startsWith('folded')),
    draw: () => {
      // The mean is near the value, as a running mean is.
      const kernel = numbers(rng, 8, 100);
      const mean = kernel.reduce((sum, w) => sum + w / 2, 0);
      return {
        dense1: { kernel },
        batchNorm1: { gamma: numbers(rng, 1, 1e4), beta: [1], mean: [mean], variance: [1] },
      };
    },
  });

/** Weights of 1e5 to 1e7 and the random errors that they leave. */
export const largeWeights = (rng: Rng): AdversarialNetwork =>
  aboveBounds(rng, {
    ...{ name: 'large-weights', inputs: 6, layers: [dense(8), relu(), dense(8), relu(), dense(1)] },
    executions: manyExecutions(rng, 300),
    draw: () => {
      const size = 10 ** (5 + 2 * rng.uniform());
      return {
        dense1: { kernel: numbers(rng, 48, size), bias: numbers(rng, 8, size) },
        dense2: { kernel: numbers(rng, 64, size), bias: numbers(rng, 8, size) },
        dense3: { kernel: numbers(rng, 8, size), bias: numbers(rng, 1, size) },
      };
    },
  });

/** (x - mean) / std as x * scale + shift, with constants that are no float32 numbers. */
export const normalizationConstants = (rng: Rng): AdversarialNetwork => {
  const mean = [0.4914, 0.4822, 0.4465];
  const std = [0.2023, 0.1994, 0.201].map((s) => s / 100);
  const layer = affine(
    std.map((s) => 1 / s),
    mean.map((m, c) => -m / std[c]!),
  );
  return aboveBounds(rng, {
    ...{ name: 'normalization-constants', inputs: 3, layers: [layer, dense(1)] },
    executions: manyExecutions(rng, 100),
    draw: () => ({ dense1: { kernel: numbers(rng, 3), bias: numbers(rng, 1) } }),
  });
};

/** Logits that differ by a rounding, depending on whether multiplication and addition are fused. */
export const oneUlp = (rng: Rng): AdversarialNetwork =>
  aboveBounds(rng, {
    ...{ name: 'one-ulp', inputs: 2, layers: [dense(1)] },
    executions: manyExecutions(rng, 0).filter(({ sum }) => sum.kind === 'sequential'),
    draw: () => ({ dense1: { kernel: numbers(rng, 2), bias: numbers(rng, 1) } }),
  });

/** x * 2^-130 * 2^130: the numbers in between are denormal, and 0 where underflow is flushed. */
export function flushedDenormals(rng: Rng): AdversarialNetwork {
  const tiny = -130 - rng.int(10);
  return mustFool({
    ...chain([1], [dense(1), dense(1), dense(1), dense(2)], {
      dense1: { kernel: [2 ** tiny] },
      dense2: { kernel: [2 ** 100] },
      dense3: { kernel: [2 ** (-100 - tiny)] },
      dense4: { kernel: [1, 0], bias: [0, 0.25] },
    }),
    ...{ name: 'flushed-denormals', image: Float32Array.of(0.75), label: 0, epsilon: 0.125, range: UNIT },
    ...{ points: [Float32Array.of(0.75)], executions: manyExecutions(rng, 50, { underflow: ['gradual', 'flush'] }) },
  });
}

/** A denormal weight times a large number: every result is normal, but hardware that reads denormal operands as 0 loses it. */
export function denormalWeights(rng: Rng): AdversarialNetwork {
  const tiny = -130 - rng.int(10);
  return mustFool({
    ...chain([1], [dense(1), dense(1), dense(1), dense(2)], {
      dense1: { kernel: [2 ** 110] },
      dense2: { kernel: [2 ** tiny] },
      dense3: { kernel: [2 ** (-110 - tiny)] },
      dense4: { kernel: [1, 0], bias: [0, 0.25] },
    }),
    ...{ name: 'denormal-weights', image: Float32Array.of(0.75), label: 0, epsilon: 0.125, range: UNIT },
    ...{ points: [Float32Array.of(0.75)], executions: manyExecutions(rng, 50, { underflow: ['flush-inputs'] }) },
  });
}

import { createRng, type Rng } from '@cert/core';
import type { AdversarialNetwork } from './adversarial-network.js';
import { endOfRange, fusedMargin, roundedEpsilon, tie } from './boxes-and-logits.js';
import {
  denormalWeights,
  flushedDenormals,
  foldedBatchNorm,
  hugeGamma,
  largeWeights,
  normalizationConstants,
  oneUlp,
  varianceNearZero,
} from './rounding.js';
import { denormalSlope, leakySlope } from './slopes.js';
import {
  absorbedRadius,
  averagePooling,
  behindRelu,
  convolution,
  lostCenter,
  lostThreshold,
  orderOfSums,
  residualAdd,
  residualFused,
  twoToThe24,
} from './sums.js';

/** The kinds, by name: each makes a network of random numbers. */
const KINDS: { readonly [name: string]: (rng: Rng) => AdversarialNetwork } = {
  'lost-center': lostCenter,
  'absorbed-radius': absorbedRadius,
  'lost-threshold': lostThreshold,
  'two-to-the-24': twoToThe24,
  'order-of-sums': orderOfSums,
  'behind-relu': behindRelu,
  convolution,
  'average-pooling': averagePooling,
  'residual-add': residualAdd,
  'residual-fused': residualFused,
  'variance-near-zero': varianceNearZero,
  'huge-gamma': hugeGamma,
  'folded-batch-norm': foldedBatchNorm,
  'large-weights': largeWeights,
  'normalization-constants': normalizationConstants,
  'one-ulp': oneUlp,
  'flushed-denormals': flushedDenormals,
  'denormal-weights': denormalWeights,
  'leaky-slope': leakySlope,
  'denormal-slope': denormalSlope,
  'rounded-epsilon': roundedEpsilon,
  'end-of-range': endOfRange,
  tie,
  'fused-margin': fusedMargin,
};

/**
 * Networks built to fool verifiers that compute in floating point, one of each kind. For each there is a point of the ball that one float32
 * execution misclassifies, so that no verifier may call it verified at level `deployed`; nor at level `real` where `refutesReal` says so.
 *
 * @param options.seed of the random numbers; default 0
 */
export const adversarialNetworks = ({ seed = 0 }: { readonly seed?: number } = {}): AdversarialNetwork[] =>
  Object.entries(KINDS).map(([name, make]) => make(createRng(seed, 'adversarial', name)));

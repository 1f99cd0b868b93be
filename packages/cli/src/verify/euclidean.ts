import type { L2Perturbation } from '@cert/core';
import { type Device, disposeTree, putParams } from '@cert/jit';
import { VERIFIERS } from '@cert/trainer/pipeline';
import { createPointCertifier, type Decision, type HostNetwork, type ProofResult } from '@cert/verify';
import type { BallOfImage } from './image.js';

/** Methods that bound margins over a Euclidean ball itself instead of the box around it. */
const ON_BALLS = ['crown-ibp', 'crown'] as const;

/** Options of {@link decideBall}. */
export interface BallOptions {
  readonly device: Device;
  readonly network: HostNetwork;
  readonly ball: BallOfImage;
  readonly perturbation: L2Perturbation;
  readonly signal: AbortSignal;
  /** Decides the property over the box around the ball. */
  readonly overBox: () => Promise<ProofResult>;
}

/**
 * Decides whether the label is kept in a Euclidean ball. A proof over the box around the ball is a proof for the ball; a violation counts only
 * if its input lies in the ball. What the box leaves open, CROWN bounds over the ball itself, up to the rounding of float32.
 */
export async function decideBall(options: BallOptions): Promise<ProofResult> {
  const { device, network, ball, perturbation, signal, overBox } = options;
  const result = await overBox();
  const { decision } = result;
  if (decision.verdict === 'verified') return result;
  if (decision.verdict === 'falsified' && isInside(decision.witness.input, ball, perturbation)) return result;
  const { seconds, visited } = decision;
  const open: Decision =
    decision.verdict === 'unknown'
      ? decision
      : { verdict: 'unknown', reason: 'incomplete relaxation', lower: Number.NaN, seconds, visited };
  // A regression has no margins of a label.
  if (ball.tolerance !== undefined) return { ...result, decision: open };
  const began = performance.now();
  const weights = { params: putParams(device, network.params), stats: putParams(device, network.stats) };
  const certifier = createPointCertifier({
    ...{ device, model: network.model, weights, perturbation, signal },
    verifiers: ON_BALLS.map((name) => VERIFIERS[name]!),
  });
  try {
    const { lower, verifiedBy } = await certifier.bound(ball, perturbation.epsilon);
    const spent = seconds + (performance.now() - began) / 1000;
    if (verifiedBy === null || lower === null) return { ...result, decision: { ...open, seconds: spent } };
    return {
      ...{ lower: {}, evidence: {} },
      decision: { verdict: 'verified', arithmetic: 'nearest', lower, seconds: spent, visited },
    };
  } finally {
    await certifier.dispose();
    disposeTree(weights);
  }
}

/** Whether an input lies in the ball, without tolerance. */
function isInside(input: ArrayLike<number>, { pixels }: BallOfImage, { epsilon }: L2Perturbation): boolean {
  const squares = pixels.reduce((sum, pixel, i) => sum + (input[i]! - pixel) ** 2, 0);
  return squares <= epsilon ** 2;
}

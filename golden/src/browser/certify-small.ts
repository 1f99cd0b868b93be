/** Certification of a small network at the arithmetic `deployed`, on any device. */
import { ibp } from '@cert/bounds';
import {
  batchNorm,
  conv2d,
  createRng,
  dense,
  flatten,
  type HostParams,
  initialStats,
  linf,
  relu,
  sequential,
} from '@cert/core';
import { ibpInit } from '@cert/init';
import { type Device, disposeTree, putParams } from '@cert/jit';
import { boundVerifier, certify, type ImageResult, soundIbpSteps, soundVerifier } from '@cert/verify';

const [COUNT, CLASSES, SIZE] = [12, 3, 16];

/**
 * Certifies images, each with every label, of which one is right.
 *
 * @param spoil a parameter of the node `dense1` that becomes NaN in one place
 */
export async function certifySmall(device: Device, spoil?: 'kernel' | 'bias'): Promise<ImageResult[]> {
  const model = sequential([4, 4, 1], [conv2d(2), batchNorm(), relu(), flatten(), dense(3), relu(), dense(CLASSES)]);
  const params = ibpInit(model, 0);
  if (spoil !== undefined) params.dense1![spoil]!.data[0] = Number.NaN;
  const rng = createRng(5, 'certify-small');
  const pixels = Array.from({ length: COUNT }, () => Float32Array.from({ length: SIZE }, rng.uniform));
  const weights = { params: putParams(device, params), stats: putParams(device, initialStats(model) as HostParams) };
  const results: ImageResult[] = [];
  const images = pixels.flatMap((image, i) =>
    Array.from({ length: CLASSES }, (_, label) => ({ index: CLASSES * i + label, pixels: image, label })),
  );
  const options = { device, model, weights, images, batchSize: 8, attack: null };
  const perturbation = linf({ epsilon: 0.01 });
  for await (const result of certify({
    ...{ ...options, perturbation },
    verifiers: [soundVerifier(boundVerifier(ibp), soundIbpSteps)],
    arithmetic: 'deployed',
  })) {
    results.push(result);
  }
  disposeTree(weights);
  return results;
}

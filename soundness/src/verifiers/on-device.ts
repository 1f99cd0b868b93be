/** The verifiers of `@cert/verify` and the natural pass, for networks on the host. */
import { naturalPass, runningNorm } from '@cert/bounds';
import { type Batch, linf, sizeOf } from '@cert/core';
import { type Device, disposeTree, putBatch, putParams, putScalars } from '@cert/jit';
import { isVerified, type Verifier, type Weights } from '@cert/verify';
import type { Ball } from '../box.js';
import type { HostNetwork } from '../network.js';

/** Lower margins [classes - 1] of one image as a verifier computes them on a device; NaN where it claims nothing. */
async function lowerMargins(
  device: Device,
  verifier: Verifier,
  { model, params, stats }: HostNetwork,
  { image, epsilon, range }: Ball,
  label: number,
): Promise<readonly number[]> {
  const weights = { params: putParams(device, params), stats: putParams(device, stats) };
  const batch = putBatch(device, model, { images: image, labels: Int32Array.of(label) });
  const hyper = putScalars(device, { epsilon });
  const prover = verifier.on({ device, model, perturbation: linf({ epsilon, range }) });
  try {
    return Array.from(await prover.lowerMargins(weights, batch, hyper));
  } finally {
    await prover.dispose();
    disposeTree([weights, batch, hyper]);
  }
}

/** Whether a verifier calls an image verified; no attack takes part. */
export async function accepts(
  device: Device,
  verifier: Verifier,
  network: HostNetwork,
  ball: Ball,
  label: number,
): Promise<boolean> {
  const margins = await lowerMargins(device, verifier, network, ball, label);
  return margins.every((lower) => isVerified({ lower, found: 1 }));
}

/** The logits that a device computes for images, one after the other: [images * classes]. */
export async function logitsOn(device: Device, network: HostNetwork, images: Float32Array): Promise<readonly number[]> {
  const { model, params, stats } = network;
  const weights = { params: putParams(device, params), stats: putParams(device, stats) };
  const labels = new Int32Array(images.length / sizeOf(model.inputShape));
  const batch = putBatch(device, model, { images, labels });
  const pass = device.jit((w: Weights, { images }: Batch) => ({
    logits: naturalPass({ model, params: w.params, norm: runningNorm(w.stats) }, images).output,
  }));
  try {
    const out = await pass(weights, batch);
    const logits = Array.from(await out.logits.data());
    disposeTree(out);
    return logits;
  } finally {
    await pass.dispose();
    disposeTree([weights, batch]);
  }
}

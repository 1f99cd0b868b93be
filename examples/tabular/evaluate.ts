import { ibp } from '@cert/bounds';
import { checkCertificate } from '@cert/check';
import type { Perturbation } from '@cert/core';
import { batches, imagesOf, type Split } from '@cert/datasets';
import { type Device, disposeTree, putParams } from '@cert/jit';
import type { Checkpoint } from '@cert/models';
import {
  boundVerifier,
  certificateText,
  certifiedNetwork,
  certify,
  createCertificate,
  createEvaluator,
  soundIbpSteps,
  soundVerifier,
} from '@cert/verify';

/** Errors at one radius, as fractions of the rows. */
export interface ErrorsAt {
  readonly epsilon: number;
  readonly standard: number;
  readonly attacked: number;
  readonly unverified: number;
}

/** Standard, attack and verified error over a range of radii. */
export async function errorsOver(
  { model, params, stats }: Checkpoint,
  split: Split,
  setOf: (epsilon: number) => Perturbation,
  device: Device,
): Promise<readonly ErrorsAt[]> {
  const weights = { params: putParams(device, params), stats: putParams(device, stats) };
  const errors: ErrorsAt[] = [];
  for (const epsilon of [0.01, 0.05, 0.1, 0.2, 0.4]) {
    const evaluator = createEvaluator({ device, model, perturbation: setOf(epsilon) });
    const { standardError, pgdError, verifiedError } = await evaluator.evaluate(weights, {
      batches: batches(split, { batchSize: split.count, shuffle: false }),
      epsilon,
      attack: { steps: 40, restarts: 2 },
    });
    errors.push({ epsilon, standard: standardError, attacked: pgdError ?? 1, unverified: verifiedError });
    await evaluator.dispose();
  }
  disposeTree(weights);
  return errors;
}

/** Certificates of all rows that interval bounds verify in every float32 execution, each with the checker's verdict. */
export async function certifiedRows({
  network,
  bytes,
  path,
  split,
  set,
  device,
}: {
  readonly network: Checkpoint;
  readonly bytes: Uint8Array;
  readonly path: string;
  readonly split: Split;
  readonly set: Perturbation;
  readonly device: Device;
}): Promise<readonly { readonly row: number; readonly text: string; readonly holds: boolean }[]> {
  const { model, params, stats } = network;
  const weights = { params: putParams(device, params), stats: putParams(device, stats) };
  const rowAt = (index: number) => {
    const { images, labels } = imagesOf(split, [index]);
    return { index, pixels: images, label: labels[0]! };
  };
  const certificates: { row: number; text: string; holds: boolean }[] = [];
  for await (const { index, label, verifiedBy, lower } of certify({
    ...{ device, model, weights, perturbation: set, batchSize: 64, attack: null, arithmetic: 'deployed' },
    images: Array.from({ length: split.count }, (_, index) => rowAt(index)),
    verifiers: [soundVerifier(boundVerifier(ibp), soundIbpSteps)],
  })) {
    if (verifiedBy === null) continue;
    const certificate = createCertificate({
      ...{ network: certifiedNetwork(bytes, path), level: 'deployed', method: verifiedBy, evidence: { kind: 'ibp' } },
      ...{ margin: lower.ibp!, pixels: rowAt(index).pixels, shape: model.inputShape, label, classes: model.classes },
      perturbation: set,
    });
    const text = certificateText(certificate);
    const { holds } = await checkCertificate(text, async () => bytes);
    certificates.push({ row: index, text, holds });
  }
  disposeTree(weights);
  return certificates.sort((a, b) => a.row - b.row);
}

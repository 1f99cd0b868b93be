import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CertError, type Model } from '@cert/core';
import { imagesOf, type Split } from '@cert/datasets';
import { makeFolder, writeFileAtomic } from '@cert/models/node';
import { certificateText, certifiedNetwork, createCertificate } from '../certificate.js';
import type { ImageResult } from '../images/result.js';
import type { Verifier } from '../verifier.js';
import type { EvaluationSettings } from './file.js';

/** What {@link certificateWriter} takes. */
export interface CertificateWriterOptions {
  /** The folder of the certificates; it gets a copy of the network too. */
  readonly folder: string;
  /** The bytes of the checkpoint file. */
  readonly checkpoint: Uint8Array;
  /** The graph in it. */
  readonly model: Model;
  /** The images. */
  readonly split: Split;
  /** What balls are clipped to; null for no clipping. */
  readonly range: { readonly min: number; readonly max: number } | null;
  /** How the images are evaluated. */
  readonly settings: EvaluationSettings;
  /** The verifiers that the settings name. */
  readonly verifiers: readonly Verifier[];
}

/** The copy of the network in a folder of certificates. */
const NETWORK = 'network.safetensors';

/** The file of an image's certificate: `00017.cert.json`. */
const nameOf = (index: number) => `${String(index).padStart(5, '0')}.cert.json`;

/**
 * Writes a certificate for every result that it is given and that is verified: one file an image, beside a copy of the network.
 *
 * @returns writes the certificate of a result, and says whether there is one
 * @throws CertError `bad-argument` for the arithmetic `nearest`, which proves nothing that a certificate could claim; `run-exists` when the
 * folder has certificates of another network
 */
export async function certificateWriter(
  options: CertificateWriterOptions,
): Promise<(result: ImageResult) => Promise<boolean>> {
  const { folder, checkpoint, model, split, range, settings, verifiers } = options;
  const { arithmetic: level = 'nearest' } = settings;
  if (level === 'nearest') {
    throw new CertError(
      'bad-argument',
      'Certificates were asked for with the arithmetic nearest, which claims nothing about rounding.',
      'Use --arithmetic deployed (the default) or real.',
    );
  }
  const network = certifiedNetwork(checkpoint, NETWORK);
  await makeFolder(folder);
  await putNetwork(join(folder, NETWORK), checkpoint);
  return async (result) => {
    const { index, label, verifiedBy } = result;
    const verifier = verifiers.find(({ name }) => name === verifiedBy);
    if (verifier?.evidence === undefined) return false;
    const certificate = createCertificate({
      ...{ network, level, label, range, method: verifier.name, evidence: verifier.evidence(model) },
      margin: result.lower[verifier.name] ?? Number.NaN,
      ...{ pixels: imagesOf(split, [index]).images, shape: model.inputShape, classes: model.classes },
      ...{ epsilon: settings.epsilon, source: { index, dataset: settings.dataset } },
    });
    await writeFileAtomic(join(folder, nameOf(index)), certificateText(certificate));
    return true;
  };
}

/** @throws CertError `run-exists` when the file holds another network */
async function putNetwork(path: string, bytes: Uint8Array): Promise<void> {
  const there = await readFile(path).catch(() => undefined);
  if (there === undefined) return writeFileAtomic(path, bytes);
  if (there.equals(bytes)) return;
  throw new CertError(
    'run-exists',
    `${path} holds another network: the certificates in that folder are of it.`,
    'Choose another folder with --certificates.',
  );
}

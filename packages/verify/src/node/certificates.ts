import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { CertError, type Model, type Perturbation, withoutLabel } from '@cert/core';
import { imagesOf, type Split } from '@cert/datasets';
import { makeFolder, writeFileAtomic } from '@cert/models/node';
import type { BoxEvidence, Certificate, CertificateEvidence, TreeEvidence } from '../certificate.js';
import { hasOneRange } from '../claim.js';
import { certificateText, certifiedNetwork, createCertificate } from '../create-certificate.js';
import type { ImageResult } from '../images/result.js';
import { hasCategories } from '../images/variants.js';
import type { Verifier } from '../verifier.js';
import type { EvaluationSettings } from './settings.js';

/** Options of {@link certificateWriter}. */
export interface CertificateWriterOptions {
  /** Folder for certificates and a copy of the network. */
  readonly folder: string;
  /** The bytes of the checkpoint file. */
  readonly checkpoint: Uint8Array;
  /** The graph in it. */
  readonly model: Model;
  /** The images. */
  readonly split: Split;
  /** The set around each image. */
  readonly perturbation: Perturbation;
  /** How the images are evaluated. */
  readonly settings: EvaluationSettings;
  /** The verifiers that the settings name. */
  readonly verifiers: readonly Verifier[];
}

/** The copy of the network in a folder of certificates. */
const NETWORK = 'network.safetensors';

/** The file of an image's certificate: `00017.cert.json.gz`. */
const nameOf = (index: number) => `${String(index).padStart(5, '0')}.cert.json.gz`;

/** Writes certificates of the results of an evaluation into a folder, beside a copy of the network. */
export interface CertificateWriter {
  /**
   * Writes the certificate of a result that is verified. For another one it removes the certificate of its image: one of another evaluation, of
   * a smaller radius for example, which would count as one of this.
   *
   * @param found what a search has found for it
   * @returns whether there is one
   */
  write(result: ImageResult, found?: CertificateEvidence): Promise<boolean>;
  /**
   * The same for a result that an evaluation already had. What a search has found does not stand in it, only in its certificate.
   *
   * @returns whether there is one, or the verifier that must search again since its certificate is not in the folder
   */
  resume(result: ImageResult): Promise<boolean | Verifier>;
}

/**
 * Prepares a folder for certificates of verified images, a file compressed by gzip for each.
 *
 * @throws CertError `bad-argument` for the arithmetic `nearest`, which proves nothing that a certificate could claim; `run-exists` when the
 * folder has certificates of another network
 */
export async function certificateWriter(options: CertificateWriterOptions): Promise<CertificateWriter> {
  const { folder, checkpoint, model, split, perturbation, settings, verifiers } = options;
  const { arithmetic: level = 'nearest' } = settings;
  if (level === 'nearest') {
    throw new CertError(
      'bad-argument',
      'Certificates were requested with the arithmetic nearest, which makes no claim about rounding.',
      'Use --arithmetic deployed (the default) or real.',
    );
  }
  if (perturbation.kind === 'l2' && !hasOneRange(perturbation)) {
    throw new CertError(
      'bad-argument',
      'Certificates were requested for a Euclidean ball whose range differs between features.',
      'A certificate of a ball names one range: give one, or null for none.',
    );
  }
  const network = certifiedNetwork(checkpoint, NETWORK);
  await makeFolder(folder);
  await putNetwork(join(folder, NETWORK), checkpoint);
  const verifierOf = ({ verifiedBy }: ImageResult) => verifiers.find(({ name }) => name === verifiedBy);
  const fileOf = ({ index }: ImageResult) => join(folder, nameOf(index));
  const claimOf = claimsOf(options);
  const certificateOf = ({ index, label, lower }: ImageResult, method: string, evidence: CertificateEvidence) =>
    createCertificate({
      ...{ network, level, label, method, margin: lower[method] ?? Number.NaN },
      ...claimOf(imagesOf(split, [index]).images, evidence),
      ...{ source: { index, dataset: settings.dataset } },
    });
  async function write(result: ImageResult, found?: CertificateEvidence): Promise<boolean> {
    const verifier = verifierOf(result);
    const evidence = found ?? (hasCategories(perturbation) ? undefined : verifier?.evidence?.(model));
    if (verifier === undefined || evidence === undefined) {
      await rm(fileOf(result), { force: true });
      return false;
    }
    const text = certificateText(certificateOf(result, verifier.name, evidence));
    await writeFileAtomic(fileOf(result), gzipSync(text, { level: 9 }));
    return true;
  }
  return {
    write,
    async resume(result) {
      const verifier = verifierOf(result);
      if (verifier === undefined || (verifier.searchOn === undefined && !hasCategories(perturbation))) {
        return write(result);
      }
      const text = await textIn(fileOf(result));
      const evidence = evidenceIn(text);
      const claim = certificateOf(result, verifier.name, { kind: 'tree', intermediate: 'ibp', neurons: [], cases: [] });
      if (evidence !== undefined && text === certificateText({ ...claim, evidence })) return true;
      // The search may find none this time.
      await rm(fileOf(result), { force: true });
      return verifier;
    },
  };
}

/**
 * What a certificate claims of an example. A regression was evaluated as a classifier of predictions that are within the tolerance, too high and
 * too low, with the label behind the features (`withTolerance` of `@cert/core`); its certificate is about the network itself.
 */
function claimsOf({ model, perturbation, settings: { delta } }: CertificateWriterOptions) {
  const { inputShape, classes } = model;
  if (delta === undefined || perturbation.kind === 'l2') {
    return (pixels: Float32Array, evidence: CertificateEvidence) => ({
      ...{ pixels, evidence, perturbation, classes },
      shape: inputShape,
    });
  }
  const size = inputShape[0]! - 1;
  const set = withoutLabel(perturbation, size);
  // The classifier has the class "too high" first, and its margins are those of the prediction divided by the tolerance.
  const ofTree = (evidence: BoxEvidence): BoxEvidence =>
    evidence.kind === 'tree' ? { ...evidence, cases: evidence.cases.toReversed().map(scaledBy(delta)) } : evidence;
  return (pixels: Float32Array, evidence: CertificateEvidence) => ({
    evidence: evidence.kind === 'boxes' ? { ...evidence, boxes: evidence.boxes.map(ofTree) } : ofTree(evidence),
    ...{ pixels: pixels.subarray(0, size), perturbation: set, classes: 1, shape: [size] },
    tolerance: { target: pixels[size]!, delta },
  });
}

/** Entries of a tree for margins that are larger by a factor. */
const scaledBy =
  (factor: number) =>
  (entries: TreeEvidence['cases'][number]): TreeEvidence['cases'][number] =>
    entries.map((entry) =>
      'multipliers' in entry ? { ...entry, multipliers: entry.multipliers.map((each) => each * factor) } : entry,
    );

/** The text of a certificate's file; empty where there is no whole file. */
async function textIn(path: string): Promise<string> {
  try {
    return gunzipSync(await readFile(path)).toString('utf8');
  } catch {
    return '';
  }
}

/** The evidence of a certificate's text; undefined where there is none. */
function evidenceIn(text: string): Certificate['evidence'] | undefined {
  try {
    const { evidence }: { evidence?: Certificate['evidence'] } = JSON.parse(text);
    return evidence;
  } catch {
    return undefined;
  }
}

/** @throws CertError `run-exists` when the file holds another network */
async function putNetwork(path: string, bytes: Uint8Array): Promise<void> {
  const there = await readFile(path).catch(() => undefined);
  if (there === undefined) return writeFileAtomic(path, bytes);
  if (there.equals(bytes)) return;
  throw new CertError(
    'run-exists',
    `${path} contains a different network, to which the certificates in that folder belong.`,
    'Choose another folder with --certificates.',
  );
}

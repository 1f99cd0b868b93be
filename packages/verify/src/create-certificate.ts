import { CertError, checkInRange, describeValue, type Property, sizeOf } from '@cert/core';
import { decodeCheckpoint, decodeSafetensors, sha256 } from '@cert/models';
import type { Certificate, CertificateLevel, CertificateOptions, CertifiedNetwork } from './certificate.js';
import { evidenceInFile } from './certified-evidence.js';
import { checkCount, checkLabel } from './checked-images.js';
import { claimedLabel, claimedSet, claimedTolerance, decimal } from './claim.js';
import { byBox, checkCases, sayTheSame } from './complete/region.js';

/** What a certificate at each level assumes of the arithmetic. */
const ASSUMPTIONS: { readonly [L in CertificateLevel]: readonly string[] } = {
  real: [],
  deployed: ['round-to-nearest', 'one-rounding-per-operation', 'no-overflow', 'convolution-as-sums'],
};

/**
 * Returns the hashes of a checkpoint file, for certificates of its network.
 *
 * @param bytes the file
 * @param path path of the file, relative to the certificates
 * @throws CertError `bad-file` for bytes that are not a checkpoint
 */
export function certifiedNetwork(bytes: Uint8Array, path: string): CertifiedNetwork {
  decodeCheckpoint(bytes, path);
  const used = Object.entries(decodeSafetensors(bytes, path).tensors).filter(([name]) =>
    /^(params|stats)\./.test(name),
  );
  const hash = ({ buffer, byteOffset, byteLength }: Float32Array | Int32Array) =>
    sha256(new Uint8Array(buffer, byteOffset, byteLength));
  return {
    ...{ path, format: 'cert-safetensors', sha256: sha256(bytes) },
    tensors: Object.fromEntries(used.map(([name, { data }]) => [name, hash(data)])),
  };
}

/**
 * Returns a certificate of an input: its label has the largest logit, or its prediction is within a tolerance. Numbers become their shortest
 * decimals: 0.1 means exactly one tenth. A set with categories becomes a union of boxes, and needs evidence of each in the order of
 * `categoryVariants`.
 *
 * @throws CertError `bad-argument` for a margin that is 0, negative, NaN or infinite; `shape-mismatch` for an input with another number of
 * values; `bad-data` for an input outside the range and a label that is not one of the classes
 */
export function createCertificate(options: CertificateOptions): Certificate {
  const { network, level, method, evidence, margin, label, classes, tolerance, source } = options;
  checkMargin(margin);
  const { pixels, shape, perturbation } = options;
  checkCount(pixels, 1, shape);
  checkInRange(pixels, perturbation.range, shape);
  if (tolerance === undefined) checkLabel(label, classes);
  return {
    format: 'cert-certificate-3',
    network,
    ...claimedSet(options),
    property: tolerance === undefined ? claimedLabel(label, classes) : claimedTolerance(tolerance),
    ...{ level, assumptions: ASSUMPTIONS[level], evidence: evidenceInFile(evidence), about: { method, ...source } },
  };
}

/** Options of {@link createPropertyCertificate}. */
export interface PropertyCertificateOptions
  extends Pick<CertificateOptions, 'network' | 'level' | 'method' | 'evidence' | 'margin' | 'shape'> {
  /** What is claimed, with inputs in the order of the network's file: the same cases over one or several boxes. */
  readonly property: Property;
}

/**
 * Returns a certificate of a property of linear inequalities. Numbers become their shortest decimals.
 *
 * @throws CertError `bad-argument` for a margin that is 0, negative, NaN or infinite, a property that does not require the same of the
 * outputs for all its boxes of inputs, and boxes that are empty, infinite or NaN; `shape-mismatch` for other numbers of inputs or coefficients
 */
export function createPropertyCertificate(options: PropertyCertificateOptions): Certificate {
  const { network, level, method, evidence, margin, shape, property } = options;
  checkMargin(margin);
  if (property.inputs !== sizeOf(shape)) {
    throw new CertError(
      'shape-mismatch',
      `The property has ${property.inputs} inputs, but inputs have the shape [${shape}].`,
      'Give a property of this network.',
    );
  }
  checkCases(property);
  const parts = byBox(property);
  const [first] = parts;
  if (first === undefined || !sayTheSame(parts)) {
    throw new CertError(
      'bad-argument',
      `The property has ${parts.length} boxes of inputs and does not require the same of the outputs for each.`,
      'Certify one property for each box.',
    );
  }
  const boxes = parts.map((part) => {
    const { lower, upper } = part.cases[0]!;
    return { lower: Array.from(lower, decimal), upper: Array.from(upper, decimal) };
  });
  const cases = first.cases.map(({ outputs }) =>
    outputs.map(({ coefficients, bound }) => ({ coefficients: Array.from(coefficients), bound: decimal(bound) })),
  );
  return {
    ...{ format: 'cert-certificate-3', network, input: { shape } },
    perturbation: { kind: 'boxes', boxes },
    property: { kind: 'linear', classes: property.outputs, cases },
    ...{ level, assumptions: ASSUMPTIONS[level], evidence: evidenceInFile(evidence), about: { method } },
  };
}

function checkMargin(margin: number): void {
  if (margin > 0 && Number.isFinite(margin)) return;
  throw new CertError(
    'bad-argument',
    `A certificate needs a positive lower margin; the lower margin is ${describeValue(margin)}.`,
    'Certify only images whose lower margins are finite and > 0.',
  );
}

/** Returns the text of a certificate file, with the SHA-256 of the text without this field as the last one: it reveals any change. */
export function certificateText(certificate: Certificate): string {
  const text = new TextEncoder().encode(JSON.stringify(certificate));
  return JSON.stringify({ ...certificate, sha256: sha256(text) });
}

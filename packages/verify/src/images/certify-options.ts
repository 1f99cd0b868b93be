import type { Arithmetic, RuleTable } from '@cert/bounds';
import type { Model, Perturbation, Tensor } from '@cert/core';
import type { Device, OnDevice } from '@cert/jit';
import type { Attack } from '../attack/attack.js';
import type { AttackOptions } from '../attack/step.js';
import type { CertificateEvidence } from '../certificate.js';
import type { Verifier, Weights } from '../verifier.js';

/** An image with its index. */
export interface IndexedImage {
  /** Index in the test set, from 0. */
  readonly index: number;
  /** Row-major [...inputShape], in the data range. */
  readonly pixels: Float32Array;
  /** Label, from 0. */
  readonly label: number;
}

/** Options of `certify`. */
export interface CertifyOptions {
  /** The compute device. */
  readonly device: Device;
  /** The graph. */
  readonly model: Model;
  /** Parameters and running statistics on the device; the caller keeps ownership. */
  readonly weights: OnDevice<Weights>;
  /** The set of perturbed images around each image, such as `linf({ epsilon: 0.1 })`. */
  readonly perturbation: Perturbation;
  /** The plain forward pass; default: the rules of the built-in ops. */
  readonly natural?: RuleTable<Tensor> | undefined;
  /** The images, read lazily. */
  readonly images: Iterable<IndexedImage>;
  /** Verifiers, in the order in which they are tried: fast ones first. */
  readonly verifiers: readonly Verifier[];
  /**
   * What the lower margins claim; default nearest. With `real` and `deployed`, an image is not verified if bounds that account for rounding
   * cannot be computed.
   */
  readonly arithmetic?: Arithmetic | undefined;
  /** Options of the PGD attack on undecided images; null for no attack. */
  readonly attack: AttackOptions | null;
  /** More attacks, such as `autoAttack()`, run after PGD in this order on images that are still unbroken. Default: none. */
  readonly attacks?: readonly Attack[] | undefined;
  /** Images per batch of the natural pass and the attack; verifiers may use smaller batches. */
  readonly batchSize: number;
  /** Run every method on every image, and attacks on every correctly classified image until one breaks it; default false. */
  readonly complete?: boolean;
  /**
   * Called with the evidence for the certificate of an image, before its result, if a search method proved the image at the arithmetic, or
   * several boxes were proved.
   */
  readonly onEvidence?: ((index: number, method: string, evidence: CertificateEvidence) => void) | undefined;
  /** Called with additional seconds of a stage: `natural`, or the name of a verifier or attack. */
  readonly onTime?: ((stage: string, seconds: number) => void) | undefined;
  /** If aborted, the current computation is finished and the iteration rejects with the reason of the signal. */
  readonly signal?: AbortSignal | undefined;
}

import type { SoundLevel } from '@cert/bounds';
import type { CertificateEvidence, TreeEvidence } from '../../certificate.js';
import type { DecideOptions, Decision } from '../decide.js';

/** Options of `ProofSearch.prove`. */
export interface ProofOptions extends Pick<DecideOptions, 'timeout' | 'onProgress' | 'signal'> {
  /** What a proof must claim. */
  readonly level: SoundLevel;
}

/** A decision, with evidence that accounts for rounding. */
export interface ProofResult {
  /** What the search in float32 has decided; its arithmetic is the strongest level with evidence. */
  readonly decision: Decision;
  /** The smallest lower bound at each level at which one was computed, relative to what has to be exceeded; null where there is none. */
  readonly lower: { readonly [level in SoundLevel]?: number | null };
  /** What a certificate holds, by the levels at which it proves the property. */
  readonly evidence: { readonly [level in SoundLevel]?: CertificateEvidence };
  /** Reason why a verified property has no evidence. */
  readonly missing?: MissingEvidence;
}

/**
 * Why there is no evidence: an `op` that cannot be split on or has no bounds with rounding, several `boxes` of inputs for which the property does not
 * ask the same of the outputs, no time for `bounds` of hidden neurons, too many `parts`, or a proof that `rounding` is more than, or that time was not left for.
 */
export type MissingEvidence = 'op' | 'boxes' | 'bounds' | 'parts' | 'rounding';

/** The proof of a property of one box. */
export interface OneProof extends ProofResult {
  readonly evidence: { readonly [level in SoundLevel]?: TreeEvidence };
}

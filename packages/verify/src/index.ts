export { type ApgdOptions, apgdCe, apgdT, type TargetedApgdOptions } from './attack/apgd.js';
export type { Attack, Attacker, AttackImage, AttackSetting } from './attack/attack.js';
export { type AutoAttackOptions, autoAttack } from './attack/auto-attack.js';
export { type FabOptions, fabT } from './attack/fab.js';
export { pgd } from './attack/pgd.js';
export { type SquareOptions, square } from './attack/square.js';
export { type AttackOptions, type AttackStep, attackStepSize, createAttackStep, randomStart } from './attack/step.js';
export type {
  BoxEvidence,
  Certificate,
  CertificateEvidence,
  CertificateInputSplit,
  CertificateLeaf,
  CertificateLevel,
  CertificateOptions,
  CertificateSplit,
  CertifiedBox,
  CertifiedEvidence,
  CertifiedInput,
  CertifiedNetwork,
  CertifiedSides,
  CertifiedTree,
  CertifiedTrees,
  TreeEvidence,
} from './certificate.js';
export {
  createDecider,
  type DecideOptions,
  type DecideProgress,
  type Decider,
  type DeciderOptions,
  type Decision,
  type Witness,
} from './complete/decide.js';
export type { HostNetwork } from './complete/host-network.js';
export { decideMonotone, type MonotonicityDecision, type MonotonicityOptions } from './complete/monotone.js';
export type { MissingEvidence, ProofOptions, ProofResult } from './complete/proofs/proof.js';
export { createProofSearch, type ProofSearch, type ProofSearchOptions } from './complete/proofs/proof-search.js';
export type { PropertyAttackOptions } from './complete/property-attack.js';
export type { ReluSplitOptions } from './complete/relus/domain-search.js';
export type { BoxTree, ProvedPart, SearchProgress, UnknownReason } from './complete/search.js';
export {
  certificateText,
  certifiedNetwork,
  createCertificate,
  createPropertyCertificate,
  type PropertyCertificateOptions,
} from './create-certificate.js';
export {
  createEvaluator,
  type EvaluateOptions,
  type Evaluation,
  type Evaluator,
  type EvaluatorOptions,
} from './evaluate.js';
export type { Ball64, Box64 } from './float64/enclosure.js';
export type { MarginProblem } from './float64/margins.js';
export type { Network64 } from './float64/network.js';
export { certify } from './images/certify.js';
export type { CertifyOptions, IndexedImage } from './images/certify-options.js';
export { clopperPearson } from './images/clopper-pearson.js';
export {
  type ArithmeticCounts,
  type ArithmeticSummary,
  countResults,
  type EvaluationCounts,
  type MethodSummary,
  type Proportion,
} from './images/count.js';
export {
  type CertifiedRadius,
  createPointCertifier,
  type LabelledPoint,
  type PointBound,
  type PointCertifier,
  type PointCertifierOptions,
  type RadiusOptions,
} from './images/point.js';
export type { AttackResult, ImageResult } from './images/result.js';
export { type CrownVerifierOptions, crownVerifier } from './methods/crown.js';
export { alphaCrownVerifier, babVerifier, type SearchVerifierOptions } from './methods/search.js';
export { createReluCounter, type ReluCounter, type ReluShares, type ReluStates } from './relu-states.js';
export {
  type SoundSteps,
  soundCrownIbpSteps,
  soundCrownSteps,
  soundIbpSteps,
  soundVerifier,
} from './sound-verifier.js';
export { isVerified, type MarginEvidence } from './verdict.js';
export {
  boundVerifier,
  type ImageSearch,
  type LevelMargins,
  type Prover,
  type SearchedImage,
  type SoundProver,
  type SoundSetting,
  type Verifier,
  type VerifierCost,
  type VerifierSetting,
  type Weights,
} from './verifier.js';

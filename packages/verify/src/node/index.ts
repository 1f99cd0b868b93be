export {
  type EvaluateImagesOptions,
  type EvaluationProgress,
  type EvaluationSummary,
  evaluateImages,
  summaryFileOf,
} from './evaluate-file.js';
export { createEvaluator, type Evaluator, type EvaluatorOptions, evaluationSettings } from './evaluator.js';
export {
  type AttackSequence,
  differingSetting,
  type EvaluationLines,
  type EvaluationSettings,
  isResultOf,
  type PgdSettings,
  perturbationSetting,
  readEvaluationFile,
  type StoredResult,
  writeEvaluation,
} from './file.js';
export { inputHash, splitHash } from './input-hash.js';
export { mergeEvaluations } from './merge.js';
export { type ReadEvaluation, readEvaluation } from './read-evaluation.js';
export { hashOrder, parseShard, type Shard, shardMembers, shardText } from './shard.js';
export { type EvaluationTimes, writeWholeEvaluation } from './whole.js';

export {
  type EvaluateImagesOptions,
  type EvaluationProgress,
  type EvaluationSummary,
  evaluateImages,
  summaryFileOf,
} from './evaluate-file.js';
export {
  type AttackSequence,
  type EvaluationSettings,
  type PgdSettings,
  perturbationSetting,
  type StoredResult,
} from './file.js';
export { inputHash } from './input-hash.js';
export { mergeEvaluations } from './merge.js';
export { type ReadEvaluation, readEvaluation } from './read-evaluation.js';
export { parseShard, type Shard, shardMembers, shardText } from './shard.js';

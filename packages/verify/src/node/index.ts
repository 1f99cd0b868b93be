export {
  type EvaluateImagesOptions,
  type EvaluationProgress,
  type EvaluationSummary,
  evaluateImages,
  summaryFileOf,
} from './evaluate-file.js';
export { createEvaluator, type Evaluator, type EvaluatorOptions, evaluationSettings } from './evaluator.js';
export { type EvaluationLines, readEvaluationFile, writeEvaluation } from './file.js';
export { inputHash, resultsHash, splitHash } from './input-hash.js';
export { mergeEvaluations, moreDecided } from './merge.js';
export { type ReadEvaluation, readEvaluation } from './read-evaluation.js';
export {
  type AttackSequence,
  differingSetting,
  type EvaluationSettings,
  isResultOf,
  type PgdSettings,
  perturbationSetting,
  type StoredResult,
  versionText,
} from './settings.js';
export { hashOrder, parseShard, type Shard, shardMembers, shardText } from './shard.js';
export { VERSION } from './version.js';
export { type EvaluationTimes, writeWholeEvaluation } from './whole.js';

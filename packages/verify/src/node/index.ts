export {
  type EvaluateImagesOptions,
  type EvaluationProgress,
  type EvaluationSummary,
  evaluateImages,
  summaryFileOf,
} from './evaluate-file.js';
export { type AttackSequence, type EvaluationSettings, type PgdSettings, perturbationSetting } from './file.js';
export { type ReadEvaluation, readEvaluation } from './read-evaluation.js';

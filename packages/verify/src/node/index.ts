export {
  type EvaluateImagesOptions,
  type EvaluationProgress,
  type EvaluationSummary,
  evaluateImages,
  summaryFileOf,
} from './evaluate-file.js';
export type { AttackSequence, EvaluationSettings, PgdSettings } from './file.js';
export { type ReadEvaluation, readEvaluation } from './read-evaluation.js';

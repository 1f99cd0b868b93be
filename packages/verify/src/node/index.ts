export { type EvaluateImagesOptions, type EvaluationSummary, evaluateImages, summaryFileOf } from './evaluate-file.js';
export type { EvaluationSettings } from './file.js';

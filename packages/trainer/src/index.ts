export type { TrainBatch } from './accumulate.js';
export { type AttackOptions, type AttackStep, attackStepSize, createAttackStep, randomStart } from './attack.js';
export type { Best } from './best.js';
export { clopperPearson } from './binomial.js';
export {
  type Catalog,
  type Certifier,
  type DatasetOptions,
  type ModelSize,
  type ObjectiveOptions,
  standardCatalog,
  type Table,
} from './catalog.js';
export { type CertifyMethod, type CertifyOptions, certify, type IndexedImage } from './certify.js';
export { type ChosenDevice, chooseDevice } from './choose-device.js';
export { checkConfig, type PluginRecord, type RunConfig } from './config.js';
export { type CrownIbpOptions, crownIbpObjective } from './crown-ibp.js';
export { describeEvent } from './describe.js';
export {
  createEvaluator,
  type EvaluateOptions,
  type Evaluation,
  type Evaluator,
  type EvaluatorOptions,
  type Network,
} from './evaluate.js';
export { type EvaluateImagesOptions, type EvaluationSummary, evaluateImages } from './evaluation.js';
export type { EvaluationSettings } from './evaluation-file.js';
export { countResults, type EvaluationCounts, type MethodSummary, type Proportion } from './evaluation-summary.js';
export type { RunEvent, RunNumbers, Summary } from './event.js';
export { type FitEvent, type FitOptions, fit, type Position } from './fit.js';
export { type ValueAndGrad, valueAndGrad } from './gradient.js';
export { type HostBatch, type HostState, putBatch, putParams, putScalars, putState } from './host.js';
export { hostCrown } from './host-crown.js';
export type { AttackResult, ImageResult } from './image-result.js';
export { loadPlugin } from './load-plugin.js';
export { countErrors, countUnverified, crossEntropy, logSumExp, robustLoss } from './loss.js';
export { type MarginBounder, type MarginBounderOptions, type MarginMethod, marginMethod } from './margin-bounder.js';
export { METHODS } from './methods.js';
export type { MetricSums, Metrics } from './metrics.js';
export { freeRunFolder } from './new-folder.js';
export {
  type BoundedContext,
  type BoundedObjective,
  type CertifiedOptions,
  type NaturalContext,
  naturalObjective,
  type Objective,
  type PerturbContext,
  robustObjective,
  type UnboundedObjective,
  withNaturalLoss,
} from './objective.js';
export { always, crownIbpSchedule, naturalThen, type ObjectiveSchedule } from './objective-schedule.js';
export {
  type AdamOptions,
  adam,
  type Clipped,
  clipByGlobalNorm,
  globalNorm,
  type Hyper,
  type Optimizer,
  type OptimizerState,
  sgd,
  type Updated,
} from './optimizer.js';
export { type PgdOptions, pgdObjective } from './pgd.js';
export { fallingWeight, type Plan, type PlannedStep, planStep, type Ramp, regularizedEpochs } from './plan.js';
export type { Plugin } from './plugin.js';
export { type Choices, PRESETS, type Preset, resolveConfig } from './preset.js';
export { progressReporter } from './progress.js';
export { type RunOptions, resumeRun, startRun } from './run.js';
export {
  constantSchedule,
  linearSchedule,
  type PiecewiseOptions,
  piecewiseSchedule,
  type RampOptions,
  type Schedule,
  type SmoothedRampOptions,
  smoothedSchedule,
} from './schedule.js';
export {
  createTrainStep,
  initialState,
  type Step,
  type StepMetrics,
  type TrainState,
  type TrainStepOptions,
} from './step.js';
export { evaluationTable, resultTable } from './table.js';
export { processTerminal, type Terminal } from './terminal.js';
export { type LoadedPlugin, withPlugins } from './with-plugins.js';

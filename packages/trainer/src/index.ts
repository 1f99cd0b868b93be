export { balancedWeights, type ClassWeights, weightByClass } from './class-weights.js';
export { type FitEvent, type FitOptions, fit, type Position } from './fit.js';
export {
  countErrors,
  countUnverified,
  crossEntropies,
  crossEntropy,
  robustLoss,
  weightedMean,
} from './loss.js';
export type { MetricSums, Metrics } from './metrics.js';
export { type AttackOptions, attack, attackNoise } from './objectives/attack.js';
export { ccIbpObjective } from './objectives/cc-ibp.js';
export { type CrownIbpOptions, crownIbpObjective } from './objectives/crown-ibp.js';
export { expIbpObjective } from './objectives/exp-ibp.js';
export { type ExpressiveOptions, expressiveStepSize } from './objectives/expressive.js';
export { mtlIbpObjective } from './objectives/mtl-ibp.js';
export { naturalObjective } from './objectives/natural.js';
export type {
  BoundedContext,
  BoundedObjective,
  Choice,
  ChoiceContext,
  NaturalContext,
  Objective,
  UnboundedObjective,
} from './objectives/objective.js';
export { type PgdOptions, pgdObjective } from './objectives/pgd.js';
export {
  intervalObjective,
  intervalSchedule,
  type SquaredOptions,
  squaredObjective,
} from './objectives/regression.js';
export { type CertifiedOptions, robustObjective, withNaturalLoss } from './objectives/robust.js';
export { type IntervalMethod, type SabrOptions, sabrObjective, smallBox } from './objectives/sabr.js';
export {
  always,
  crownIbpSchedule,
  naturalThen,
  type ObjectiveSchedule,
  stapsSchedule,
  tapsSchedule,
} from './objectives/schedule.js';
export { type StapsOptions, stapsObjective, type TapsOptions, tapsObjective } from './objectives/taps.js';
export { type AdamOptions, adam } from './optimizers/adam.js';
export { type AdamwOptions, adamw } from './optimizers/adamw.js';
export { type Clipped, clipByGlobalNorm, globalNorm } from './optimizers/clip.js';
export type { MomentOptions } from './optimizers/moments.js';
export type { Optimizer, OptimizerState, Updated } from './optimizers/optimizer.js';
export { type RadamOptions, radam } from './optimizers/radam.js';
export { type SgdOptions, sgd } from './optimizers/sgd.js';
export { fallingWeight, type Plan, type PlannedStep, planStep, type Ramp, regularizedEpochs } from './plan.js';
export {
  createPopulationStats,
  type PopulationStats,
  type PopulationStatsOptions,
} from './population-stats.js';
export { absoluteErrors, type Regression, worstErrors } from './regression.js';
export { type AveragingOptions, emaSchedule, swaSchedule } from './schedules/averaging.js';
export { type CosineOptions, cosineSchedule } from './schedules/cosine.js';
export { linearSchedule } from './schedules/linear.js';
export { type OneCycleOptions, oneCycleSchedule } from './schedules/one-cycle.js';
export { type PiecewiseOptions, piecewiseSchedule } from './schedules/piecewise.js';
export { constantSchedule, type RampOptions, type Schedule } from './schedules/schedule.js';
export { type SmoothedRampOptions, smoothedSchedule } from './schedules/smoothed.js';
export { type HostState, initialState, putState } from './state.js';
export {
  createTrainStep,
  type Step,
  type StepMetrics,
  type TrainState,
  type TrainStepOptions,
} from './step.js';

export { balancedWeights, type ClassWeights, weightByClass } from './class-weights.js';
export { type FitEvent, type FitOptions, fit, type Position } from './fit.js';
export { countErrors, countUnverified, crossEntropy, robustLoss, weightedMean } from './loss.js';
export type { MetricSums, Metrics } from './metrics.js';
export { type CrownIbpOptions, crownIbpObjective } from './objectives/crown-ibp.js';
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
export { always, crownIbpSchedule, naturalThen, type ObjectiveSchedule } from './objectives/schedule.js';
export { type AdamOptions, adam } from './optimizers/adam.js';
export { type Clipped, clipByGlobalNorm, globalNorm } from './optimizers/clip.js';
export type { Optimizer, OptimizerState, Updated } from './optimizers/optimizer.js';
export { sgd } from './optimizers/sgd.js';
export { fallingWeight, type Plan, type PlannedStep, planStep, type Ramp, regularizedEpochs } from './plan.js';
export { absoluteErrors, type Regression, worstErrors } from './regression.js';
export { linearSchedule } from './schedules/linear.js';
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

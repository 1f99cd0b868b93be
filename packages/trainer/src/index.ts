export { type FitEvent, type FitOptions, fit, type Position } from './fit.js';
export { countErrors, countUnverified, crossEntropy, robustLoss } from './loss.js';
export type { MetricSums, Metrics } from './metrics.js';
export { type CrownIbpOptions, crownIbpObjective } from './objectives/crown-ibp.js';
export {
  type BoundedContext,
  type BoundedObjective,
  type CertifiedOptions,
  type Choice,
  type ChoiceContext,
  type NaturalContext,
  naturalObjective,
  type Objective,
  robustObjective,
  type UnboundedObjective,
  withNaturalLoss,
} from './objectives/objective.js';
export { type PgdOptions, pgdObjective } from './objectives/pgd.js';
export { always, crownIbpSchedule, naturalThen, type ObjectiveSchedule } from './objectives/schedule.js';
export {
  type AdamOptions,
  adam,
  type Clipped,
  clipByGlobalNorm,
  globalNorm,
  type Optimizer,
  type OptimizerState,
  sgd,
  type Updated,
} from './optimizers/optimizer.js';
export { fallingWeight, type Plan, type PlannedStep, planStep, type Ramp, regularizedEpochs } from './plan.js';
export {
  constantSchedule,
  linearSchedule,
  type PiecewiseOptions,
  piecewiseSchedule,
  type RampOptions,
  type Schedule,
  type SmoothedRampOptions,
  smoothedSchedule,
} from './schedules/schedule.js';
export { type HostState, initialState, putState } from './state.js';
export {
  createTrainStep,
  type Step,
  type StepMetrics,
  type TrainState,
  type TrainStepOptions,
} from './step.js';

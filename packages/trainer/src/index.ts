export { type ValueAndGrad, valueAndGrad } from './gradient.js';
export { advantages, countErrors, countUnverified, crossEntropy, logSumExp, robustLoss } from './loss.js';
export { naturalObjective, type Objective, type ObjectiveContext, robustObjective } from './objective.js';
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
export { type Plan, type PlannedStep, planStep } from './plan.js';
export {
  constant,
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

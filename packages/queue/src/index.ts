export { type CollectOptions, collectResults } from './collect.js';
export type { JobResult, QueuedEvaluation } from './evaluation.js';
export { removeEvaluation } from './remove.js';
export { type EvaluationStatus, type FailedJob, type QueueStatus, queueStatus, type WorkerStatus } from './status.js';
export { fetchCheckpoint, storeCheckpoint } from './store.js';
export { type SubmitOptions, type Submitted, submitEvaluation } from './submit.js';
export {
  openTrials,
  type QueuedTrial,
  type TrialData,
  type TrialHooks,
  type TrialQueue,
  type TrialWorkerOptions,
  workOnTrials,
} from './trials.js';
export {
  createWorker,
  type Disconnected,
  type JobDone,
  type JobEvaluator,
  type JobFailed,
  type JobOfEvent,
  type JobStarted,
  type QueueWorker,
  type WorkerEvent,
  type WorkerOptions,
} from './worker.js';

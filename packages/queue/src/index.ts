export { type CollectOptions, collectResults } from './collect.js';
export { type CollectedInstances, collectInstances } from './collect-instances.js';
export type { QueuedEvaluation } from './evaluation.js';
export {
  type InstanceResult,
  instanceAt,
  type QueuedFiles,
  type QueuedInstance,
  type QueuedInstances,
} from './instances.js';
export type { KindName, Works } from './kinds.js';
export type { Fetch, JobEvaluator, Openers } from './openers.js';
export { removeSubmission } from './remove.js';
export {
  type DamagedSubmission,
  type FailedJob,
  type QueueStatus,
  queueStatus,
  type SubmissionStatus,
  type WorkerStatus,
} from './status.js';
export { openStore, type Store } from './store.js';
export {
  type SubmitEvaluationOptions,
  type SubmitOptions,
  type Submitted,
  submitEvaluation,
  submitWork,
} from './submit.js';
export {
  openTrials,
  type QueuedTrial,
  type TrialData,
  type TrialHooks,
  type TrialQueue,
  type TrialWorkerOptions,
  workOnTrials,
} from './trials.js';
export type { JobResult } from './work.js';
export { createWorker, type QueueWorker, type WorkerOptions } from './worker.js';
export type {
  Disconnected,
  JobDone,
  JobFailed,
  JobLost,
  JobOfEvent,
  JobStarted,
  WorkerEvent,
} from './worker-events.js';

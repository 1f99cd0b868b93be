/** What a worker tells. */
export type WorkerEvent = JobStarted | JobDone | JobFailed | JobLost | Disconnected;

/** The job of an event. */
export interface JobOfEvent {
  /** ID of the submission. */
  readonly id: string;
  /** Number of the job in the submission, from 0. */
  readonly job: number;
}

/** A job begins. */
export interface JobStarted extends JobOfEvent {
  /** Kind of the event. */
  readonly type: 'started';
  /** Number of items. */
  readonly items: number;
}

/** The result of a job is in the queue. */
export interface JobDone extends JobOfEvent {
  /** Kind of the event. */
  readonly type: 'done';
  /** Seconds that it took. */
  readonly seconds: number;
}

/** An attempt failed. */
export interface JobFailed extends JobOfEvent {
  /** Kind of the event. */
  readonly type: 'failed';
  /** The message of the error. */
  readonly reason: string;
}

/** The worker was silent for too long, and its job was given to another one: its result does not count. */
export interface JobLost extends JobOfEvent {
  /** Kind of the event. */
  readonly type: 'lost';
}

/** Redis does not answer; the worker waits for it. */
export interface Disconnected {
  /** Kind of the event. */
  readonly type: 'disconnected';
  /** The message of the error. */
  readonly reason: string;
}

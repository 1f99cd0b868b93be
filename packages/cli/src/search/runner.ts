import type { Outcome, TrialJob } from './run-trial.js';

/** What trains trials: processes of this machine, or workers of a queue. */
export interface Runner {
  /**
   * Trains a trial up to an epoch.
   *
   * @param onEpoch called after each epoch, where it is known
   * @throws CertError of the machine, which ends the search
   */
  run(job: TrialJob, onEpoch: (epoch: number) => void): Promise<Outcome>;
  /** Stops what is running; jobs end as stopped. */
  stop(): void;
  /** Ends it when no job is running. */
  close(): Promise<void>;
}

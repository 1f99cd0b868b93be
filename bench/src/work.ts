/** What is timed: the steps of a workload on a device. */
export interface Work {
  /** Waits for the data of the next step, and returns the step; a call is one finished step. */
  ready(): Promise<() => Promise<void>>;
  /** Frees what the work holds. */
  dispose(): Promise<void>;
}

import type { Values } from '../commands/config-file.js';
import type { Errors } from './front.js';

/** What a trial has come to. Plain data. */
export interface Trial {
  /** Its number, from 0. */
  readonly trial: number;
  /** The values of the searched fields. */
  readonly values: Values;
  /** The epoch that the last job of it goes to. */
  readonly started: number;
  /** Errors on the validation images by the epoch after which they were taken, in their order. */
  readonly results: readonly Result[];
  /** Why it failed; missing otherwise. */
  readonly failed?: string;
}

/** Errors of a trial after a job. */
export interface Result extends Errors {
  /** The epoch that the job went to. */
  readonly epochs: number;
  /** Seconds in training steps since the trial began. */
  readonly trainSeconds: number;
}

/** What is to be trained next: a trial up to an epoch. */
export interface Job {
  readonly trial: number;
  readonly values: Values;
  readonly epochs: number;
}

/** The errors of a trial after an epoch; undefined where it has none. */
export const resultAt = ({ results }: Trial, epochs: number): Result | undefined =>
  results.find((result) => result.epochs === epochs);

/** Whether a job of a trial has no outcome yet. */
export const isRunning = ({ started, results, failed }: Trial): boolean =>
  failed === undefined && !results.some(({ epochs }) => epochs === started);

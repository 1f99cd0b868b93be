import { type ComparedRun, type Comparison, compareRuns } from '../runs/compare-runs.js';
import { ownVersion } from '../version.js';
import type { ReportRun } from './report-run.js';

/** All that a report says. Plain data. */
export interface ReportData {
  readonly version: string;
  /** When the report was written, as an ISO date. */
  readonly written: string;
  readonly runs: readonly ReportRun[];
  /** Settings that differ between the runs; empty for one run. */
  readonly settings: Comparison['settings'];
}

/** Puts the report of one or several runs together. */
export const reportData = (compared: readonly ComparedRun[], runs: readonly ReportRun[]): ReportData => ({
  version: ownVersion(),
  written: new Date().toISOString(),
  runs,
  settings: compared.length > 1 ? compareRuns(compared).settings : {},
});

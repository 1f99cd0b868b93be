import { CertError } from '@cert/core';
import { decodeCheckpoint } from '@cert/models';
import { runFiles } from '@cert/trainer/pipeline';
import type { ComparedRun } from '../runs/compare-runs.js';
import { readBytes } from '../verify/network.js';

/**
 * Checks that runs can stand in one report: all are classifiers, or all are regressions.
 *
 * @throws CertError `bad-argument` naming two runs that differ; `bad-file` when a checkpoint is missing or damaged
 */
export async function checkSameTask(runs: readonly ComparedRun[], which: 'last' | 'best'): Promise<void> {
  let first: { readonly run: ComparedRun; readonly regression: boolean } | undefined;
  for (const run of runs.length > 1 ? runs : []) {
    const file = runFiles(run.folder)[which];
    const regression = decodeCheckpoint(await readBytes(file), file).model.classes === 1;
    first ??= { run, regression };
    if (first.regression === regression) continue;
    const [number, classes] = regression ? [run, first.run] : [first.run, run];
    throw new CertError(
      'bad-argument',
      `${number.folder} is a regression and ${classes.folder} a classifier: their errors, radii and losses cannot be compared.`,
      'Write a report for the regressions and another one for the classifiers.',
    );
  }
}

import { freePath } from '@cert/trainer/pipeline';
import type { Command } from 'commander';
import { trainingCurvesFigure } from '../plots/training-curves.js';
import { chosenRuns, compareRuns, curveOf } from '../runs/compare-runs.js';
import { comparisonTable } from '../show/comparison-table.js';
import { stateOf } from '../show/runs-table.js';
import type { Terminal } from '../terminal.js';
import { GROUPS } from './groups.js';
import { addOutputOptions, noting, type OutputOptions } from './output-options.js';
import { saveDiagnosis } from './save.js';

/** Makes `cert compare`. */
export function addCompare(command: Command, terminal: Terminal): void {
  command
    .argument('<run...>', 'folders of runs, or folders that contain runs')
    .optionsGroup(GROUPS.output)
    .option('--out <folder>', 'folder for compare.json and compare.svg (default: compare, numbered)');
  addOutputOptions(command, 'the comparison').action(
    async (paths: readonly string[], raw: OutputOptions & { readonly out?: string }) => {
      const note = noting(terminal, raw);
      const runs = await chosenRuns(paths, note);
      const comparison = compareRuns(runs);
      const curves = [];
      for (const run of runs) {
        const { curve, damaged } = await curveOf(run);
        if (damaged > 0) note(`${damaged} damaged lines of ${run.folder} were skipped.`);
        if (curve.epochs.length === 0) note(`${run.folder} has no finished epoch, so it has no curve.`);
        if (run.state !== 'finished') {
          note(`${run.folder} is not finished (${stateOf(run)}); the table shows the errors of the last epoch.`);
        }
        curves.push(curve);
      }
      const folder = raw.out ?? freePath('.', 'compare');
      const heading = { title: 'Training curves', subtitle: ['verified error at the radius of each epoch'] };
      await saveDiagnosis(folder, 'compare', { ...comparison, curves }, trainingCurvesFigure(curves, heading));
      if (raw.json) return terminal.out(JSON.stringify({ ...comparison, folder }));
      terminal.out(`${comparisonTable(runs, comparison, terminal)}\n\ncompare.json and compare.svg are in ${folder}`);
    },
  );
}

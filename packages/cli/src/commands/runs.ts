import type { Command } from 'commander';
import { calledAs } from '../called-as.js';
import { findRuns } from '../runs/read-run.js';
import { runsTable } from '../show/runs-table.js';
import type { Terminal } from '../terminal.js';
import { addOutputOptions, type OutputOptions } from './output-options.js';

/** Makes `cert runs`. */
export function addRuns(command: Command, terminal: Terminal): void {
  command.argument('[folder]', 'folder that contains runs', 'runs');
  addOutputOptions(command, 'the runs').action(async (folder: string, { json = false }: OutputOptions) => {
    const runs = await findRuns(folder);
    if (json) return terminal.out(JSON.stringify(runs));
    if (runs.length === 0) return terminal.out(`${folder} contains no runs. Create one with: ${calledAs()} train`);
    terminal.out(runsTable(runs, terminal));
    for (const { folder, problem } of runs) {
      if (problem !== undefined) terminal.err(`warning: ${folder} is damaged: ${problem}`);
    }
  });
}

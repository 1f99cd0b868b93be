import { CertError } from '@cert/core';
import { exampleWords } from '@cert/trainer/pipeline';
import { mergeEvaluations, summaryFileOf } from '@cert/verify/node';
import type { Command } from 'commander';
import { evaluationTable } from '../show/table.js';
import type { Terminal } from '../terminal.js';
import { summaryOf, tableFileOf } from '../verify/instances.js';
import { mergeInstances } from '../verify/merge-instances.js';
import { GROUPS } from './groups.js';
import type { RawOptions } from './options.js';
import { addOutputOptions, type OutputOptions } from './output-options.js';

/** What a file of a shard is called when `--out` is not given. */
const SHARD = /\.shard-\d+-of-\d+(?=\.jsonl$)/;

/** Makes `cert merge`. */
export function addMerge(command: Command, terminal: Terminal): void {
  command
    .argument('<files...>', 'files that cert eval --shard or cert verify --instances --shard wrote')
    .optionsGroup('Many properties:')
    .option('--instances <file>', 'list that the results belong to, for files of cert verify')
    .optionsGroup(GROUPS.output)
    .option(
      '--out <file>',
      '.jsonl file for the merged results (default: the name of the first file without the shard)',
    );
  addOutputOptions(command, 'the summary').action(
    async (files: readonly string[], { json = false, instances, ...raw }: RawOptions & OutputOptions) => {
      const out = raw.out ?? outOf(files[0]!);
      const clash = files.find((file) => file === out);
      if (clash !== undefined) {
        throw new CertError(
          'bad-argument',
          `--out ${out} is one of the files to merge.`,
          'Give another file with --out.',
        );
      }
      const table = tableFileOf(out);
      if (instances !== undefined) {
        const merged = await mergeInstances({ files, list: instances, out });
        if (json) return terminal.out(JSON.stringify(merged.lines));
        terminal.out(
          `${summaryOf(merged.instances, merged.lines, terminal)}\n\nResults per instance: ${out}\nTable: ${table}`,
        );
        return;
      }
      const summary = await mergeEvaluations(files, out);
      if (json) return terminal.out(JSON.stringify(summary));
      terminal.out(
        `${evaluationTable(summary, exampleWords(summary.settings.dataset), terminal)}\n\nResults: ${out}\nSummary: ${summaryFileOf(out)}`,
      );
    },
  );
}

/** @throws CertError `bad-argument` for a name without a shard */
function outOf(file: string): string {
  if (SHARD.test(file)) return file.replace(SHARD, '');
  throw new CertError(
    'bad-argument',
    `The name of ${file} has no shard, so there is no name for the merged file.`,
    'Give one with --out FILE.jsonl.',
  );
}

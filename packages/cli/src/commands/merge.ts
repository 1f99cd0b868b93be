import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { CertError } from '@cert/core';
import { exampleWords } from '@cert/trainer/pipeline';
import { mergeEvaluations, summaryFileOf } from '@cert/verify/node';
import type { Command } from 'commander';
import { evaluationTable } from '../show/table.js';
import type { Terminal } from '../terminal.js';
import { mergeInstances } from '../verify/merge-instances.js';
import { summaryOf, tableFileOf } from '../verify/result-lines.js';
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
    .option('--overwrite', 'replace the files of an earlier merge (default: refuse)')
    .option(
      '--out <file>',
      '.jsonl file for the merged results (default: the name of the first file without the shard)',
    );
  addOutputOptions(command, 'the summary').action(
    async (
      files: readonly string[],
      {
        json = false,
        overwrite = false,
        instances,
        ...raw
      }: RawOptions & OutputOptions & { readonly overwrite?: boolean },
    ) => {
      const out = raw.out ?? outOf(files[0]!);
      const table = tableFileOf(out);
      refuseOverwriting([out, instances === undefined ? summaryFileOf(out) : table], [...files, instances], overwrite);
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

/** @throws CertError `bad-argument` if a file to write is one that is read, or exists */
function refuseOverwriting(
  written: readonly string[],
  read: readonly (string | undefined)[],
  overwrite: boolean,
): void {
  const sources = read.flatMap((file) => (file === undefined ? [] : [resolve(file)]));
  for (const file of written) {
    if (sources.includes(resolve(file))) {
      throw new CertError(
        'bad-argument',
        `The merge would overwrite ${file}, which it reads.`,
        'Give another file with --out.',
      );
    }
    if (overwrite || !existsSync(file)) continue;
    throw new CertError(
      'bad-argument',
      `${file} exists.`,
      'Replace it with --overwrite, or give another file with --out.',
    );
  }
}

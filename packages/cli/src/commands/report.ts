import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CertError } from '@cert/core';
import { makeFolder, writeFileAtomic } from '@cert/models/node';
import { type Catalog, loadTestData, type RunConfig, readRunPlugins, searchVerifiers } from '@cert/trainer/pipeline';
import type { Command } from 'commander';
import { computeParts } from '../report/compute.js';
import { metricsCsv } from '../report/metrics-csv.js';
import { reportPage } from '../report/page.js';
import { reportData } from '../report/report-data.js';
import { type ReportRun, reportRun } from '../report/report-run.js';
import { checkSameTask } from '../report/same-task.js';
import { noVerdict } from '../report/verdict.js';
import { type ComparedRun, runsAt } from '../runs/compare-runs.js';
import { type ProgressReporter, progressReporter } from '../show/progress.js';
import { radiiProgress } from '../show/radii-progress.js';
import { widthOf, wrapText } from '../show/width.js';
import type { Terminal } from '../terminal.js';
import { readNumber } from '../verify/read-number.js';
import { readMethods, readTolerance, TIMEOUT, TOLERANCE } from './certifier-options.js';
import { CHECKPOINTS } from './eval-options.js';
import { openDeviceFor } from './open-device.js';
import { type RawOptions, readWord } from './options.js';
import { addOutputOptions, type OutputOptions, progressTerminal } from './output-options.js';
import { addRunPluginOptions, catalogIn, catalogOf, type PluginOption } from './plugin-option.js';
import { readArithmetic } from './read-arithmetic.js';

/** Test inputs whose radius is computed. */
const LIMIT = 200;

/** Makes `cert report`. */
export async function addReport(
  command: Command,
  terminal: Terminal,
  signal: AbortSignal,
  _done: (status: number) => void,
  args: readonly string[],
): Promise<void> {
  const known = await catalogIn(args);
  const searches = Object.keys(searchVerifiers({})).join(' and ');
  command
    .argument('<run...>', 'folders of runs, or folders that contain runs')
    .option(
      '--out <file>',
      'HTML file to write (default: report.html in the run; for several runs report.html, numbered)',
    )
    .option('--limit <n>', `compute the certified radius of the first N test inputs; 0: none (default: ${LIMIT})`)
    .option(
      '--methods <names>',
      `comma-separated bound methods for radii: ${Object.keys(known.verifiers).join(', ')} (default: ibp)`,
    )
    .option('--arithmetic <level>', 'what radii claim: nearest, real, deployed, as in cert eval (default: deployed)')
    .option('--tolerance <fraction>', `relative precision of radii (default: ${TOLERANCE})`)
    .option('--timeout <seconds>', `time limit per radius for ${searches}, in seconds (default: ${TIMEOUT})`)
    .option(
      '--delta <tolerance>',
      'regression: a prediction is wrong from this distance to its label on, in the units of the label (default: as in the run)',
    )
    .option('--checkpoint <name>', 'checkpoint of the run: last, best (default: last)')
    .option('--device <name>', 'compute device (default: device of the run)')
    .option('--csv <file>', 'write all lines of metrics.jsonl as CSV to this file instead of a page');
  addOutputOptions(addRunPluginOptions(command), 'the data of the page').action(
    async (paths: readonly string[], { json = false, quiet = false, plugin, trust, ...raw }: RawOptions & Switches) => {
      const runs = await chosenRuns(paths, terminal);
      if (raw.csv !== undefined) return writeCsv(runs, raw.csv, terminal, json);
      const read = {
        which: readWord('--checkpoint', raw.checkpoint ?? 'last', CHECKPOINTS),
        limit: readCount('--limit', raw.limit ?? String(LIMIT)),
        arithmetic: readArithmetic(raw.arithmetic),
        tolerance: readTolerance(raw.tolerance),
        delta: raw.delta === undefined ? null : readDelta(raw.delta),
        timeout: raw.timeout === undefined ? TIMEOUT : readNumber('--timeout', raw.timeout),
      };
      await checkSameTask(runs, read.which);
      const beside = progressTerminal(terminal, { json, quiet });
      const progress = progressReporter(beside);
      const reports: ReportRun[] = [];
      for (const run of runs) {
        const { folder } = run;
        const catalog = await catalogOf({ plugin, trust }, { folder, plugins: await readRunPlugins(folder) });
        const methods = readMethods(raw.methods ?? 'ibp', catalog);
        const radii = radiiProgress(beside);
        const one = reportRun(run, {
          ...{ which: read.which, delta: read.delta, catalog },
          load: (config) => loadOrProblem(config, catalog, progress, signal),
          compute: (input) =>
            computeParts(input, {
              ...{ ...read, catalog, methods, signal },
              openDevice: ({ device }) => openDeviceFor(terminal, raw.device ?? device),
              onProgress: radii.update,
            }),
        });
        reports.push(
          await one
            .finally(() => {
              progress.close();
              radii.close();
            })
            .catch((error: unknown) => {
              if (signal.aborted && error === signal.reason && !json) {
                terminal.out('Stopped. Radii so far are kept: run the same command again to continue.');
              }
              throw error;
            }),
        );
      }
      const data = reportData(runs, reports);
      const file = raw.out ?? (runs.length === 1 ? join(runs[0]!.folder, 'report.html') : freeFile());
      await makeFolder(dirname(file));
      await writeFileAtomic(file, await reportPage(data));
      if (json) return terminal.out(JSON.stringify({ ...data, file }));
      for (const one of reports) {
        const text = one.verdict === null ? noVerdict(one) : one.verdict.sentences[0]!;
        const line = runs.length === 1 ? text : `${one.name}: ${text}`;
        terminal.out(wrapText(line, widthOf(terminal)).join('\n'));
      }
      terminal.out(`${quiet ? '' : '\n'}The report is in ${file}`);
    },
  );
}

type Switches = PluginOption & OutputOptions;

/** The runs, those of a damaged folder left out with a note. */
async function chosenRuns(paths: readonly string[], { err }: Terminal): Promise<readonly ComparedRun[]> {
  const runs = await runsAt(paths, (text) => err(`note: ${text}`));
  if (runs.length > 0) return runs;
  throw new CertError('bad-file', `${paths.join(', ')} contains no run that can be read.`, 'Give the folder of a run.');
}

/** A whole number of at least 0. */
function readCount(option: string, text: string): number {
  const value = readNumber(option, text);
  if (Number.isSafeInteger(value)) return value;
  throw new CertError('bad-argument', `${option} is ${text}.`, 'Give a whole number of at least 0.');
}

/** @throws CertError `bad-argument` for anything but a number above 0 */
function readDelta(text: string): number {
  const delta = readNumber('--delta', text);
  if (delta > 0) return delta;
  throw new CertError('bad-argument', `--delta is ${text}.`, 'Give a number > 0 in the units of the label.');
}

/** The test data of a run; where its files are not there, what is wrong: the rest of a report needs no data. */
async function loadOrProblem(config: RunConfig, catalog: Catalog, progress: ProgressReporter, signal: AbortSignal) {
  const decoding = (images: number, of: number) => {
    progress({ type: 'decoding', images, of });
    signal.throwIfAborted();
  };
  try {
    return { data: await loadTestData(config, decoding, catalog) };
  } catch (error) {
    if (!(error instanceof CertError)) throw error;
    return { problem: `${error.problem} ${error.cure}` };
  } finally {
    progress.close();
  }
}

/** `report.html` in this folder, numbered where there is one. */
function freeFile(): string {
  for (let i = 1; ; i++) {
    const name = i === 1 ? 'report.html' : `report-${i}.html`;
    if (!existsSync(name)) return name;
  }
}

async function writeCsv(runs: readonly ComparedRun[], file: string, { out, err }: Terminal, json: boolean) {
  const { text, rows, damaged } = await metricsCsv(runs);
  if (damaged > 0) err(`note: ${damaged} damaged lines were skipped.`);
  if (rows === 0) {
    throw new CertError(
      'bad-file',
      `${runs.map(({ folder }) => folder).join(', ')} has no metrics: metrics.jsonl has no line yet.`,
      'Train for at least 50 steps or one epoch.',
    );
  }
  await makeFolder(dirname(file));
  await writeFileAtomic(file, text);
  out(json ? JSON.stringify({ file, rows }) : `${rows} rows are in ${file}`);
}

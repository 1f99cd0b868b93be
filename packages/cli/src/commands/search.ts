import { existsSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { CertError } from '@cert/core';
import { type Catalog, loadData, percent, runFiles } from '@cert/trainer/pipeline';
import type { Command } from 'commander';
import { calledAs, quoted } from '../called-as.js';
import { readRun } from '../runs/read-run.js';
import { askTell } from '../search/ask-tell.js';
import { localRunner } from '../search/local-runner.js';
import { outcomeOf, type SearchOutcome, writeOutcome } from '../search/outcome.js';
import { queueRunner } from '../search/queue-runner.js';
import { runSearch, type Search } from '../search/run-search.js';
import type { Runner } from '../search/runner.js';
import {
  openSearchFolder,
  type SearchFolder,
  type SearchSettings,
  searchFiles,
  trialFolder,
} from '../search/search-folder.js';
import { type RawSettings, SAMPLERS, samplerOf, settingsOf, whole } from '../search/settings.js';
import { pluginsOf, readSpace, readSpaceFile, type Space } from '../search/space.js';
import { progressReporter } from '../show/progress.js';
import { searchProgress } from '../show/search-progress.js';
import { countsText, frontTable } from '../show/search-text.js';
import type { Terminal } from '../terminal.js';
import { GROUPS } from './groups.js';
import { NameOption } from './name-option.js';
import { conflict } from './options.js';
import { addOutputOptions, type OutputOptions, progressTerminal } from './output-options.js';
import { addRunPluginOptions, catalogOf, type PluginOption } from './plugin-option.js';
import { addRedisOption, type RedisOption, redisOf } from './redis-option.js';
import { STORE } from './store-option.js';

/** Makes `cert search`. */
export function addSearch(command: Command, terminal: Terminal, signal: AbortSignal): void {
  const samplers = Object.entries(SAMPLERS).map(([name, about]) => `${name} (${about})`);
  command
    .argument(
      '<space>',
      'JSON or YAML file with "base" (settings as in --config) and "search" (a distribution per field)',
    )
    .optionsGroup(GROUPS.search)
    .option('--trials <n>', 'number of configurations to try')
    .addOption(
      new NameOption(
        '--sampler <name>',
        `what chooses configurations: ${samplers.join(', ')} (default: random)`,
        Object.keys(SAMPLERS),
      ),
    )
    .option('--seed <n>', 'seed of the sampler; that of training is in the base (default: 0)')
    .option(
      '--weight <fraction>',
      'weight of the standard error in the score, from 0 to 1; the verified error has the rest (default: 0.5)',
    )
    .option('--eta <n>', 'asha: promote one in N trials of a rung (default: 3)')
    .option('--rungs <epochs>', 'asha: epochs at which trials are compared (default: from the end of the ramp on)')
    .option('--population <n>', 'nsga2: trials in a generation (default: 10)')
    .option(
      '--workers <n>',
      'trials at the same time, each in a process; with --queue, trials in the queue (default: 1)',
    )
    .option(
      '--ask-tell',
      'train what another program asks for: lines of JSON on stdin, answers on stdout (default: --sampler decides)',
    );
  addRunPluginOptions(command);
  command
    .optionsGroup(GROUPS.queue)
    .option('--queue', 'train on the workers of a queue, cert worker --trials (default: on this machine)')
    .option('--store <folder>', `folder that all machines see, for checkpoints (default: ${STORE})`);
  addRedisOption(command);
  command
    .optionsGroup(GROUPS.output)
    .option(
      '--out <folder>',
      'folder of the search; one that was stopped continues (default: searches/<space>-<sampler>)',
    );
  addOutputOptions(command, 'the front and the choice').action((file: string, raw: RawOptions) =>
    search(file, raw, terminal, signal),
  );
}

interface RawOptions extends RawSettings, OutputOptions, PluginOption, RedisOption {
  readonly queue?: boolean;
  readonly store?: string;
  readonly askTell?: boolean;
  readonly workers?: string;
  readonly out?: string;
}

async function search(file: string, raw: RawOptions, real: Terminal, signal: AbortSignal): Promise<void> {
  const { plugin, trust, quiet = false, askTell: asks = false } = raw;
  // Answers are the only lines on stdout.
  const terminal = asks ? { ...real, out: real.err, screen: null } : real;
  const spaceFile = await readSpaceFile(file);
  const catalog = await catalogOf({ plugin, trust }, pluginsOf(spaceFile));
  const space = readSpace(spaceFile, catalog);
  const settings = settingsOf(raw, space, asks);
  const trials = asks ? undefined : trialsOf(raw);
  const workers = whole('--workers', raw.workers, 1, 1);
  const shown = progressTerminal(terminal, raw);
  const redis = queueOf(raw);
  if (redis === undefined) await checkData(space, catalog, shown, signal);
  const out = raw.out ?? join('searches', `${basename(file, extname(file))}-${settings.sampler}`);
  const folder = await openSearchFolder(out, settings);
  const progress = searchProgress(shown, trials);
  const warn = (text: string) => void (quiet || terminal.err(`warning: ${text}`));
  let runner: Runner | undefined;
  try {
    runner =
      redis === undefined
        ? localRunner({ plugin, trust }, workers)
        : await queueRunner({ redis, store: raw.store ?? STORE, search: folder.id }, warn);
    const running: Search = { folder, space, runner, onEvent: progress.see };
    const pace = { workers, signal };
    if (trials !== undefined) await runSearch(running, samplerOf(settings, space, trials), pace);
    else {
      const questions = createInterface({ input: process.stdin, signal });
      await askTell({ ...running, weight: settings.weight }, questions, pace, real.out);
    }
    progress.close();
    const outcome = outcomeOf(space, folder.trials(), settings.weight);
    await writeOutcome(out, space, outcome);
    const test = await testChosen(runner, space, out, outcome, signal);
    tell(terminal, { out, settings, space, outcome, test, raw });
  } catch (error) {
    progress.close();
    if (signal.aborted && error === signal.reason && raw.json !== true) terminal.out(stoppedText(folder, raw));
    throw error;
  } finally {
    await runner?.close();
    await folder.close();
  }
}

/** The address of the queue; undefined without one. @throws CertError `bad-argument` */
function queueOf({ queue = false, ...raw }: RawOptions): string | undefined {
  if (queue) return redisOf(raw);
  if (raw.redis === undefined && raw.store === undefined) return undefined;
  throw conflict(
    `--${raw.redis === undefined ? 'store' : 'redis'} is for --queue.`,
    'Add --queue to train on the workers of a queue, or leave it out.',
  );
}

/** What is said when a search was stopped. */
function stoppedText(folder: SearchFolder, { trials, queue = false, askTell: asks }: RawOptions): string {
  const done = folder.trials().filter(({ results }) => results.length > 0).length;
  const queued = queue ? ' Trials in the queue go on.' : '';
  return `Stopped: ${done}${asks ? '' : ` of ${trials}`} trials have results.${queued} Run the same command again to continue.`;
}

/** @throws CertError `bad-argument` */
function trialsOf({ trials }: RawSettings): number {
  if (trials !== undefined) return whole('--trials', trials, 1, 1);
  throw new CertError('bad-argument', 'The number of trials is missing.', 'Give --trials N, such as --trials 40.');
}

/** Reads the dataset once, so that what is wrong with it is said at once, and images that have to be decoded are decoded once. */
async function checkData({ base }: Space, catalog: Catalog, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const report = progressReporter(terminal);
  const decoding = (images: number, of: number) => {
    report({ type: 'decoding', images, of });
    signal.throwIfAborted();
  };
  await loadData(base, decoding, catalog).finally(report.close);
}

/** Errors on the test images. */
type TestErrors = Awaited<ReturnType<typeof readRun>>['errors'];

/** Evaluates the test images for the trial that was chosen: it is finished as an ordinary run. Null where that failed. */
async function testChosen(
  runner: Runner,
  space: Space,
  out: string,
  { chosen }: SearchOutcome,
  signal: AbortSignal,
): Promise<TestErrors> {
  const folder = trialFolder(out, chosen.trial);
  if (!existsSync(runFiles(folder).summary)) {
    const stop = () => runner.stop();
    signal.addEventListener('abort', stop);
    const job = { folder, config: space.configOf(chosen.values), epochs: null };
    const outcome = await runner.run(job, () => {}).finally(() => signal.removeEventListener('abort', stop));
    signal.throwIfAborted();
    if (outcome.type === 'failed') {
      throw new CertError(
        'bad-data',
        `The test of trial ${chosen.trial} failed: ${outcome.problem}`,
        `Look at ${folder}.`,
      );
    }
  }
  return (await readRun(folder)).errors;
}

interface Told {
  readonly out: string;
  readonly settings: SearchSettings;
  readonly space: Space;
  readonly outcome: SearchOutcome;
  readonly test: TestErrors;
  readonly raw: RawOptions;
}

function tell(terminal: Terminal, { out, settings, space, outcome, test, raw }: Told): void {
  const { trained: _, chosen, ...counts } = outcome;
  const { images, standardError, pgdError, verifiedError } = test;
  const files = searchFiles(out);
  if (raw.json) {
    const of = { images, standardError, pgdError, verifiedError };
    terminal.out(JSON.stringify({ folder: out, ...counts, chosen, config: files.best, test: of }));
    return;
  }
  const orNone = (value: number | null) => (value === null ? 'not run' : percent(value));
  const { validation, epsilon } = space.base;
  terminal.out(
    [
      ...(raw.quiet ? [] : ['']),
      `Pareto front on ${percent(validation)} of the training images, radius ${epsilon} (${countsText(outcome)}):`,
      '',
      frontTable(outcome, terminal),
      '',
      `* trial ${chosen.trial} has the lowest score, ${settings.weight} * standard + ${Number((1 - settings.weight).toPrecision(6))} * verified error.`,
      `Its errors on ${images} test images, which decided nothing: standard ${orNone(standardError)}, PGD ${orNone(pgdError)}, verified ${orNone(verifiedError)}.`,
      '',
      `Configuration: ${files.best}, for ${calledAs()} train --config ${quoted(files.best)}`,
      `Front: ${files.front} and ${files.figure}`,
      `Runs of the trials: ${files.trials}`,
    ].join('\n'),
  );
}

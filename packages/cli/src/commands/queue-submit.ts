import { setTimeout as wait } from 'node:timers/promises';
import { CertError } from '@cert/core';
import type { KindName, Submitted } from '@cert/queue';
import { type ExampleWords, exampleWords } from '@cert/trainer/pipeline';
import { evaluationSettings, splitHash } from '@cert/verify/node';
import type { Command } from 'commander';
import { calledAs } from '../called-as.js';
import { prepareEvaluation } from '../evaluate/evaluation-setup.js';
import { loadQueue } from '../evaluate/load-queue.js';
import { openNetwork, tellUnsound } from '../evaluate/open-network.js';
import { queuedSetup } from '../evaluate/queued-setup.js';
import { readEvaluation } from '../evaluate/read-evaluation.js';
import { QUEUED_KINDS } from '../queue/kinds.js';
import { readListFiles, uploadFiles } from '../queue/list-files.js';
import { recordedPlugins } from '../runs/locate-checkpoint.js';
import { type ProgressReporter, progressReporter } from '../show/progress.js';
import type { Terminal } from '../terminal.js';
import { readNumber } from '../verify/read-number.js';
import { ownVersion } from '../version.js';
import { checkOut, resultFile } from './eval.js';
import { addEvaluationOptions } from './eval-options.js';
import { GROUPS } from './groups.js';
import { NameOption } from './name-option.js';
import { conflict, type RawOptions, readWord } from './options.js';
import { addOutputOptions, type OutputOptions, progressTerminal } from './output-options.js';
import { catalogIn, catalogOf, type PluginOption } from './plugin-option.js';
import { readArithmetic } from './read-arithmetic.js';
import { addRedisOption, type RedisOption, redisOf } from './redis-option.js';
import { STORE } from './store-option.js';
import { SPLITS } from './verify-options.js';

/** Milliseconds between two questions how far a submission is. */
const LOOK = 1000;

/** Makes `cert queue submit`. */
export async function addSubmit(
  command: Command,
  terminal: Terminal,
  signal: AbortSignal,
  args: readonly string[],
): Promise<void> {
  command.description('put an evaluation, or a list of properties, into the queue; workers compute it (cert worker)');
  addEvaluationOptions(command, await catalogIn(args), '[path]')
    .optionsGroup('Many properties instead of a run:')
    .option(
      '--instances <file>',
      'verify every "onnx,vnnlib,timeout" line of a CSV file, as cert verify --instances does; takes --timeout, --arithmetic, --device, --split',
    )
    .addOption(
      new NameOption('--split <what>', 'split on inputs or on relus (default: inputs for up to 12 inputs)', SPLITS),
    );
  addRedisOption(command.optionsGroup(GROUPS.queue))
    .option(
      '--store <place>',
      `where networks and properties travel: folder that all machines see, s3://BUCKET/PREFIX, or https://HOST/PATH where they already are (default: ${STORE})`,
    )
    .option(
      '--jobs-of <n>',
      'images or instances in a job (default: images: the evaluation batch size; 1 with a method that searches, and of instances)',
    )
    .option('--wait', 'wait for the workers and write the results to --out (default: print the ID and end)')
    .optionsGroup(GROUPS.output)
    .option(
      '--out <file>',
      '.jsonl file for --wait (default: eval/<checkpoint>-<epsilon>.jsonl in the run; results.jsonl of instances)',
    );
  addOutputOptions(command, 'the ID and the number of jobs, with --wait the summary').action(
    async (path: string | undefined, raw: Raw) => {
      const redis = redisOf(raw);
      if (raw.out !== undefined) checkOut(raw.out);
      const context = { terminal, signal, redis, store: raw.store ?? STORE, raw };
      if (raw.instances !== undefined) {
        checkInstances(command, path);
        return submitInstances(context, raw.instances);
      }
      if (raw.split !== undefined) throw conflict('--split requires --instances.', 'Leave it out.');
      if (path === undefined) throw conflict('No run was given.', 'Give the folder of a run, or --instances FILE.csv.');
      return submitRun(context, path);
    },
  );
}

type Raw = RawOptions &
  OutputOptions &
  RedisOption &
  PluginOption & {
    readonly wait?: boolean;
  };

interface Context {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  readonly redis: string;
  readonly store: string;
  readonly raw: Raw;
}

/** The options that a list of instances takes, by the names that commander gives them. */
const OF_INSTANCES: readonly string[] = [
  ...['instances', 'split', 'timeout', 'arithmetic', 'device'],
  ...['redis', 'store', 'jobsOf', 'wait', 'out', 'json', 'quiet'],
];

/** @throws CertError `bad-argument` for a run and for options of an evaluation */
function checkInstances(command: Command, path: string | undefined): void {
  const given = command.options.find(
    (option) =>
      command.getOptionValueSource(option.attributeName()) === 'cli' && !OF_INSTANCES.includes(option.attributeName()),
  );
  const other = path === undefined ? given?.long : 'a run';
  if (other !== undefined) throw conflict(`--instances and ${other} were both given.`, 'Give one of them.');
}

/** Submits the evaluation of a run. */
async function submitRun(context: Context, path: string): Promise<void> {
  const { terminal, signal, redis, store, raw } = context;
  const { json = false, quiet = false, plugin, trust } = raw;
  const { submitEvaluation } = await loadQueue();
  const catalog = await catalogOf({ plugin, trust }, await recordedPlugins(path));
  const asked = await readEvaluation(path, raw, catalog);
  const jobsOf = jobsOfIn(raw, asked.timeout === undefined ? asked.config.evalBatchSize : 1);
  const network = await openNetwork(asked, terminal, catalog);
  const words = exampleWords(asked.config.dataset, network.decoded.model.inputShape);
  const report = progressReporter(progressTerminal(terminal, { json, quiet }), words);
  const decoding = (images: number, of: number) => {
    report({ type: 'decoding', images, of });
    signal.throwIfAborted();
  };
  const prepared = await prepareEvaluation(asked, network, catalog, decoding).finally(report.close);
  tellUnsound(terminal, prepared.model, asked, catalog, words);
  const { split } = prepared;
  const submitted = await submitEvaluation({
    ...{ redis, store, jobsOf, checkpoint: network.bytes },
    evaluation: {
      settings: evaluationSettings(prepared),
      ...{ images: split.count, data: splitHash(split) },
      setup: { ...queuedSetup(asked, catalog) },
    },
  });
  await follow(context, {
    ...{ kind: 'evaluation', submitted, count: split.count, words: exampleWords(asked.config.dataset) },
    out: raw.out ?? resultFile(asked, prepared.settings.delta),
  });
}

const INSTANCES: ExampleWords = { one: 'instance', many: 'instances', value: 'input' };

/** Submits a list of instances. */
async function submitInstances(context: Context, list: string): Promise<void> {
  const { terminal, signal, redis, store, raw } = context;
  const { json = false, quiet = false } = raw;
  const split = raw.split === undefined ? undefined : readWord('--split', raw.split, SPLITS);
  const arithmetic = readArithmetic(raw.arithmetic);
  const timeout = raw.timeout === undefined ? undefined : readNumber('--timeout', raw.timeout);
  const { openStore, submitWork } = await loadQueue();
  const report = progressReporter(progressTerminal(terminal, { json, quiet }), INSTANCES);
  const look = (images: number, of: number) => {
    report({ type: 'decoding', images, of });
    signal.throwIfAborted();
  };
  const { folder, instances, files } = await readListFiles(list, timeout, look).finally(report.close);
  const unread = instances.filter(({ network, property }) => (network.problem ?? property.problem) !== undefined);
  const [first] = unread;
  if (first !== undefined) {
    terminal.err(
      `warning: ${unread.length} of ${instances.length} instances name a file that cannot be read; their results are errors. The first: ${first.network.problem ?? first.property.problem}`,
    );
  }
  const upload = async () => {
    const opened = await openStore(store);
    await uploadFiles(files, opened, (images, of) => {
      report({ type: 'decoding', images, of });
      signal.throwIfAborted();
    }).finally(report.close);
  };
  const submitted = await submitWork({
    ...{ redis, kind: 'instances', jobsOf: jobsOfIn(raw, 1), upload },
    work: {
      settings: { arithmetic, ...(split !== undefined && { split }), device: raw.device ?? 'auto' },
      ...{ version: ownVersion(), folder, instances },
    },
  });
  await follow(context, {
    ...{ kind: 'instances', submitted, count: instances.length, words: INSTANCES },
    out: raw.out ?? 'results.jsonl',
  });
}

const jobsOfIn = ({ jobsOf }: RawOptions, usual: number): number =>
  jobsOf === undefined ? usual : readNumber('--jobs-of', jobsOf);

/** What was submitted. */
interface Followed {
  readonly kind: KindName;
  readonly submitted: Submitted;
  readonly count: number;
  readonly words: ExampleWords;
  /** For the results. */
  readonly out: string;
}

/** Says what was submitted, or waits and writes the results. */
async function follow(context: Context, { kind, submitted, count, words, out }: Followed): Promise<void> {
  const { terminal, redis, raw } = context;
  const { json = false, quiet = false } = raw;
  const { id, jobs, before, retried, warnings } = submitted;
  if (!quiet) for (const warning of warnings) terminal.err(`warning: ${warning}`);
  if (raw.wait !== true) {
    if (json) return terminal.out(JSON.stringify({ id, jobs, before, retried }));
    const again =
      before === 0 ? '' : ` ${before} were already in the queue, ${retried} that had failed are tried again.`;
    terminal.out(`${id}: ${count} ${words.many} in ${jobs} jobs.${again}`);
    if (quiet) return;
    terminal.out(
      `Status: ${calledAs()} queue status ${id}\nResults: ${calledAs()} queue collect ${id} --out FILE.jsonl`,
    );
    return;
  }
  const report = progressReporter(progressTerminal(terminal, { json, quiet }), words);
  await waitFor(context, id, report).finally(report.close);
  await QUEUED_KINDS[kind].collect(terminal, { redis, id, out, json });
}

/** Waits until no job of a submission can change any more, and shows how far it is. While Redis is gone it waits for it, as workers do. */
async function waitFor({ terminal, redis, signal }: Context, id: string, report: ProgressReporter): Promise<void> {
  const { queueStatus } = await loadQueue();
  let before: number | undefined;
  let gone = false;
  try {
    for (;;) {
      const status = await queueStatus(redis, id).catch((error: unknown) => {
        if (!(error instanceof CertError && error.code === 'no-network')) throw error;
        if (!gone) terminal.err(`warning: ${error.problem} Waiting for it.`);
        return undefined;
      });
      gone = status === undefined;
      for (const { jobs, done, items, failed, missing } of status?.submissions ?? []) {
        // Jobs are of the same size but the last one.
        const evaluated = Math.floor((items * done) / jobs);
        before ??= evaluated;
        report({ type: 'evaluating', images: evaluated, of: items, before });
        if (done + failed.length + missing === jobs) return;
      }
      await wait(LOOK, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  } catch (error) {
    if (signal.aborted) {
      terminal.err(`Stopped waiting. The workers go on. Results: ${calledAs()} queue collect ${id} --out FILE.jsonl`);
    }
    throw error;
  }
}

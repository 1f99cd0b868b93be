import { setTimeout as wait } from 'node:timers/promises';
import type { QueueStatus, SubmissionStatus } from '@cert/queue';
import { duration, exampleWords } from '@cert/trainer/pipeline';
import { evaluationSettings } from '@cert/verify/node';
import type { Command } from 'commander';
import { calledAs } from '../called-as.js';
import { prepareEvaluation } from '../evaluate/evaluation-setup.js';
import { loadQueue } from '../evaluate/load-queue.js';
import { openNetwork, tellUnsound } from '../evaluate/open-network.js';
import { queuedSetup } from '../evaluate/queued-setup.js';
import { readEvaluation } from '../evaluate/read-evaluation.js';
import { QUEUED_KINDS } from '../queue/kinds.js';
import { recordedPlugins } from '../runs/locate-checkpoint.js';
import { formatTable } from '../show/format-table.js';
import { type ProgressReporter, progressReporter } from '../show/progress.js';
import { tableFormat } from '../show/table.js';
import type { Terminal } from '../terminal.js';
import { readNumber } from '../verify/read-number.js';
import { checkOut, resultFile } from './eval.js';
import { addEvaluationOptions } from './eval-options.js';
import { GROUPS } from './groups.js';
import type { RawOptions } from './options.js';
import { addOutputOptions, type OutputOptions, progressTerminal } from './output-options.js';
import { catalogIn, catalogOf, type PluginOption } from './plugin-option.js';
import { addRedisOption, type RedisOption, redisOf } from './redis-option.js';

/** The store of checkpoints where none is given. */
export const STORE = 'cert-store';

/** Milliseconds between two questions how far a submission is. */
const LOOK = 1000;

/** Makes `cert queue`. */
export async function addQueue(
  queue: Command,
  terminal: Terminal,
  signal: AbortSignal,
  _done: (status: number) => void,
  args: readonly string[],
): Promise<void> {
  await addSubmit(queue.command('submit'), terminal, signal, args);
  addStatus(queue.command('status'), terminal);
  addCollect(queue.command('collect'), terminal);
  addRemove(queue.command('remove'), terminal);
}

async function addSubmit(command: Command, terminal: Terminal, signal: AbortSignal, args: readonly string[]) {
  command.description('put an evaluation into the queue; workers evaluate it (cert worker)');
  addEvaluationOptions(command, await catalogIn(args));
  addRedisOption(command.optionsGroup(GROUPS.queue))
    .option(
      '--store <folder>',
      `folder that all machines see, or URL; the checkpoint is copied to the folder (default: ${STORE})`,
    )
    .option('--jobs-of <n>', 'images in a job (default: the evaluation batch size; 1 with a method that searches)')
    .option('--wait', 'wait for the workers and write the results to --out (default: print the ID and end)')
    .optionsGroup(GROUPS.output)
    .option('--out <file>', '.jsonl file for --wait (default: eval/<checkpoint>-<epsilon>.jsonl in the run)');
  addOutputOptions(command, 'the ID and the number of jobs, with --wait the summary').action(
    async (
      path: string,
      { json = false, quiet = false, plugin, trust, wait: waits = false, ...raw }: RawOptions & Switches & PluginOption,
    ) => {
      const redis = redisOf(raw);
      if (raw.out !== undefined) checkOut(raw.out);
      const { submitEvaluation } = await loadQueue();
      const catalog = await catalogOf({ plugin, trust }, await recordedPlugins(path));
      const asked = await readEvaluation(path, raw, catalog);
      const jobsOf =
        raw.jobsOf === undefined
          ? asked.timeout === undefined
            ? asked.config.evalBatchSize
            : 1
          : readNumber('--jobs-of', raw.jobsOf);
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
        ...{ redis, store: raw.store ?? STORE, jobsOf, checkpoint: network.bytes },
        evaluation: {
          settings: evaluationSettings(prepared),
          images: split.count,
          setup: { ...queuedSetup(asked, split, catalog) },
        },
      });
      const { id, jobs, before, retried, warnings } = submitted;
      if (!quiet) for (const warning of warnings) terminal.err(`warning: ${warning}`);
      if (!waits) {
        if (json) return terminal.out(JSON.stringify({ id, jobs, before, retried }));
        const { many } = exampleWords(asked.config.dataset);
        const again =
          before === 0 ? '' : ` ${before} were already in the queue, ${retried} that had failed are tried again.`;
        terminal.out(`${id}: ${split.count} ${many} in ${jobs} jobs.${again}`);
        if (!quiet) {
          terminal.out(
            `Status: ${calledAs()} queue status ${id}\nResults: ${calledAs()} queue collect ${id} --out FILE.jsonl`,
          );
        }
        return;
      }
      await waitFor(redis, id, report, signal).finally(report.close);
      await QUEUED_KINDS.evaluation.collect(terminal, {
        redis,
        id,
        out: raw.out ?? resultFile(asked, prepared.settings.delta),
        json,
      });
    },
  );
}

interface Switches extends OutputOptions, RedisOption {
  readonly wait?: boolean;
}

/** Waits until no job of a submission can change any more, and shows how far it is. */
async function waitFor(redis: string, id: string, report: ProgressReporter, signal: AbortSignal): Promise<void> {
  const { queueStatus } = await loadQueue();
  let before: number | undefined;
  for (;;) {
    const { submissions } = await queueStatus(redis, id);
    const [{ jobs, done, items, failed, missing }] = submissions as [SubmissionStatus];
    // Jobs are of the same size but the last one.
    const evaluated = Math.floor((items * done) / jobs);
    before ??= evaluated;
    report({ type: 'evaluating', images: evaluated, of: items, before });
    if (done + failed.length + missing === jobs) return;
    await wait(LOOK, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function addStatus(command: Command, terminal: Terminal): void {
  command
    .description('show submissions in the queue: progress, failed jobs, workers, time left')
    .argument('[id]', 'ID of a submission (default: all)');
  addOutputOptions(addRedisOption(command), 'the status').action(
    async (id: string | undefined, { json = false, ...raw }: OutputOptions & RedisOption) => {
      const { queueStatus } = await loadQueue();
      const status = await queueStatus(redisOf(raw), id);
      terminal.out(json ? JSON.stringify(status) : statusText(status, terminal));
    },
  );
}

/** The status for people. */
function statusText({ submissions, workers, open, secondsLeft }: QueueStatus, terminal: Terminal): string {
  const rows = submissions.map(({ id, kind, settings, items, jobs, done, active, failed, missing, complete }) => [
    id,
    QUEUED_KINDS[kind].about(settings),
    `${items} ${QUEUED_KINDS[kind].items}`,
    `${done} of ${jobs}`,
    String(active),
    String(failed.length),
    stateOf({ jobs, done, failed, missing, complete }),
  ]);
  const heading = ['ID', 'submission', 'size', 'jobs done', 'active', 'failed', 'status'];
  const reasons = submissions.flatMap(({ id, kind, failed }) =>
    failed.map(
      ({ job, items, reason }) => `${id} job ${job} (${QUEUED_KINDS[kind].items} ${shortList(items)}): ${reason}`,
    ),
  );
  const left = open === 0 ? '' : ` Time left: ${secondsLeft === null ? 'unknown yet' : duration(secondsLeft)}.`;
  return [
    rows.length === 0 ? 'The queue is empty.' : formatTable([heading, ...rows], tableFormat(terminal)),
    ...(reasons.length === 0 ? [] : ['', 'Failed jobs, which count as not verified:', ...reasons]),
    '',
    `Workers: ${workers.length}${workers.length === 0 ? '' : ` (${workers.map(({ name }) => name).join(', ')})`}. Open jobs: ${open}.${left}`,
  ].join('\n');
}

/** What is to be done about a submission, in a word. */
function stateOf({
  jobs,
  done,
  failed,
  missing,
  complete,
}: Pick<SubmissionStatus, 'jobs' | 'done' | 'failed' | 'missing' | 'complete'>): string {
  if (complete) return 'complete';
  if (missing > 0) return `${missing} jobs are not in the queue: submit again`;
  return done + failed.length < jobs ? 'open' : 'incomplete: submit again';
}

/** Numbers of items that a line tells. */
const TOLD = 5;

const shortList = (items: readonly number[]) =>
  `${items.slice(0, TOLD).join(', ')}${items.length > TOLD ? ', ...' : ''}`;

function addCollect(command: Command, terminal: Terminal): void {
  command
    .description('write the results of a submission to the file that one process would have written, and its summary')
    .argument('<id>', 'ID of the submission')
    .requiredOption('--out <file>', '.jsonl file for the results');
  addOutputOptions(addRedisOption(command), 'the summary').action(
    async (id: string, { json = false, out, ...raw }: OutputOptions & RedisOption & { readonly out: string }) => {
      checkOut(out);
      const redis = redisOf(raw);
      const { queueStatus } = await loadQueue();
      const { submissions } = await queueStatus(redis, id);
      for (const { kind } of submissions) await QUEUED_KINDS[kind].collect(terminal, { redis, id, out, json });
    },
  );
}

function addRemove(command: Command, terminal: Terminal): void {
  command.description('remove an evaluation from the queue, with its results').argument('<id>', 'ID of the submission');
  addRedisOption(command).action(async (id: string, raw: RedisOption) => {
    const { removeSubmission } = await loadQueue();
    await removeSubmission(redisOf(raw), id);
    terminal.out(`Removed ${id}.`);
  });
}

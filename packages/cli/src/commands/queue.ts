import type { QueueStatus, SubmissionStatus } from '@cert/queue';
import { duration } from '@cert/trainer/pipeline';
import type { Command } from 'commander';
import { calledAs } from '../called-as.js';
import { loadQueue } from '../evaluate/load-queue.js';
import { QUEUED_KINDS } from '../queue/kinds.js';
import { formatTable } from '../show/format-table.js';
import { tableFormat } from '../show/table.js';
import type { Terminal } from '../terminal.js';
import { checkOut } from './eval.js';
import { addOutputOptions, type OutputOptions } from './output-options.js';
import { addSubmit } from './queue-submit.js';
import { addRedisOption, type RedisOption, redisOf } from './redis-option.js';

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
function statusText({ submissions, damaged, workers, open, secondsLeft }: QueueStatus, terminal: Terminal): string {
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
    ...damaged.map(({ id, problem }) => `${id}: ${problem} Remove it with: ${calledAs()} queue remove ${id}`),
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

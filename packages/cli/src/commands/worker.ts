import { CertError } from '@cert/core';
import type { WorkerEvent } from '@cert/queue';
import { type Command, Option } from 'commander';
import { loadQueue } from '../evaluate/load-queue.js';
import { openers } from '../queue/kinds.js';
import { trainTrials } from '../search/queue-worker.js';
import { shortTime } from '../show/quantities.js';
import type { Terminal } from '../terminal.js';
import { readNumber } from '../verify/read-number.js';
import type { RawOptions } from './options.js';
import { addPluginOption, catalogOf, type PluginOption } from './plugin-option.js';
import { addRedisOption, type RedisOption, redisOf } from './redis-option.js';
import { STORE } from './store-option.js';

/** Makes `cert worker`. */
export function addWorker(command: Command, terminal: Terminal, signal: AbortSignal): void {
  addRedisOption(command)
    .option('--store <place>', `folder, s3:// or https:// address of cert queue submit --store (default: ${STORE})`)
    .option('--trials', 'train trials of cert search instead of evaluating')
    .option('--concurrency <n>', 'jobs at the same time (default: 1)')
    .option(
      '--lock-seconds <n>',
      'seconds until the job of a worker that is silent goes to another one; raise it where one step of a large network takes longer (default: 60)',
    )
    .option('--device <name>', 'compute device (default: that of the submission)')
    .addOption(new Option('-q, --quiet', 'print errors only (default: a line per job)'));
  addPluginOption(command).action(
    async ({ quiet = false, trials = false, plugin, ...raw }: RawOptions & RedisOption & PluginOption & Switches) => {
      const redis = redisOf(raw);
      const concurrency = wholeNumber('--concurrency', raw.concurrency, 1);
      const lockSeconds = wholeNumber('--lock-seconds', raw.lockSeconds, 60);
      const catalog = await catalogOf({ plugin });
      const store = raw.store ?? STORE;
      if (trials) {
        if (raw.device !== undefined) throw noDevice();
        if (!quiet) terminal.out('Waiting for trials. Ctrl-C returns the current trial to the queue and ends.');
        return trainTrials({ redis, store, concurrency, lockSeconds, plugin, catalog }, terminal, quiet, signal);
      }
      const { createWorker } = await loadQueue();
      const { ended, stop } = await createWorker({
        ...{ redis, store, concurrency, lockSeconds },
        open: openers({ terminal, catalog, device: raw.device }),
        onEvent: (event) => tell(event, terminal, quiet),
      });
      if (!quiet) terminal.out('Waiting for jobs. Ctrl-C returns the current job to the queue and ends.');
      const onAbort = () => void stop();
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      await ended;
      signal.throwIfAborted();
    },
  );
}

interface Switches {
  readonly quiet?: boolean;
  readonly trials?: boolean;
}

const noDevice = () =>
  new CertError(
    'bad-argument',
    '--device and --trials were both given.',
    'Leave out --device: a trial trains on the device of its configuration.',
  );

/** @throws CertError `bad-argument` for anything but a whole number from 1 */
function wholeNumber(option: string, text: string | undefined, usual: number): number {
  if (text === undefined) return usual;
  const number = readNumber(option, text);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  throw new CertError('bad-argument', `${option} is ${text}.`, 'Give a whole number from 1.');
}

function tell(event: WorkerEvent, { out, err }: Terminal, quiet: boolean): void {
  if (event.type === 'disconnected') err(`warning: Redis does not answer: ${event.reason}. Waiting for it.`);
  if (event.type === 'lost') {
    err(
      `warning: ${event.id} job ${event.job} went to another worker, as this one was silent for too long: raise --lock-seconds.`,
    );
  }
  if (event.type === 'failed') err(`warning: ${event.id} job ${event.job} failed: ${event.reason}`);
  if (event.type === 'done' && !quiet) out(`${event.id} job ${event.job} done in ${shortTime(event.seconds)}`);
}

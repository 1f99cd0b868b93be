/** What a local worker runs: it trains the trials that the search sends, one at a time. */

import { dirname } from 'node:path';
import { CertError, tf } from '@cert/core';
import { catalogOf, type PluginOption } from '../commands/plugin-option.js';
import { type Outcome, runTrial, type TrialJob } from './run-trial.js';

/** What the search sends. */
export type ToProcess =
  | ({ readonly type: 'trial'; readonly plugins: PluginOption } & TrialJob)
  | { readonly type: 'stop' };

/** What a worker sends: an epoch is over, a job has ended, or the search must end with an error of the machine. */
export type FromProcess =
  | { readonly type: 'epoch'; readonly epoch: number }
  | { readonly type: 'outcome'; readonly outcome: Outcome }
  | { readonly type: 'error'; readonly code: CertError['code']; readonly problem: string; readonly cure: string };

const stop = new AbortController();
// Ctrl-C reaches all processes of a terminal. The search says when to stop; without it, this ends.
for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.on(signal, () => {});
process.on('disconnect', () => stop.abort());
process.on('message', (message: ToProcess) => {
  if (message.type === 'stop') stop.abort();
  else void work(message);
});
tf.enableProdMode();

const tell = (message: FromProcess) => void (process.connected && process.send?.(message));

async function work({ plugins, ...job }: Extract<ToProcess, { type: 'trial' }>): Promise<void> {
  try {
    const catalog = await catalogOf(plugins, { folder: dirname(job.folder), plugins: job.config.plugins });
    const outcome = await runTrial(job, {
      ...{ catalog, signal: stop.signal },
      onEvent: (event) => void (event.type === 'epoch' && tell({ type: 'epoch', epoch: event.epoch })),
    });
    tell({ type: 'outcome', outcome });
  } catch (error) {
    // A defect ends the process, with its stack.
    if (!(error instanceof CertError)) throw error;
    const { code, problem, cure } = error;
    tell({ type: 'error', code, problem, cure });
  }
  if (!process.connected) process.exit();
}

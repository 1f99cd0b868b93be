import { constants } from 'node:os';
import type { Terminal } from './terminal.js';

/** Ctrl-C, the end that a system or a scheduler asks for, and a terminal that is closed. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Exit status of a command that was stopped, as shells count: 128 + the number of SIGINT. */
export const STOPPED = 130;

/** Stops a command when this process gets a signal. */
export interface Stop {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** The exit status of a command that a signal stopped, as shells count: 128 + the number of the signal. */
  status(): number;
}

/** Milliseconds between looks at whether npm still runs. */
const LOOK = 1000;

/** The first signal aborts, so that a command can finish its step and write a checkpoint; a second one ends the process at once. */
export function stopOnSignals({ err }: Terminal, env = process.env): Stop {
  const controller = new AbortController();
  let first: (typeof SIGNALS)[number] | undefined;
  const onSignal = (signal: (typeof SIGNALS)[number]) => {
    if (first === undefined) {
      first = signal;
      const again = signal === 'SIGINT' ? 'Ctrl-C' : 'signal';
      err(`Stopping after this step (${signal}). A second ${again} ends the process at once.`);
      controller.abort();
      return;
    }
    // Without listeners the signal has its usual effect.
    for (const one of SIGNALS) process.off(one, onSignal);
    process.kill(process.pid, signal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  if (env.npm_command !== undefined) {
    // npx and npm run end at SIGTERM, and what they run does not get the signal: it would train on, unseen.
    const parent = process.ppid;
    const timer = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(timer);
      if (first === undefined) onSignal('SIGTERM');
    }, LOOK);
    timer.unref();
  }
  return { signal: controller.signal, status: () => 128 + constants.signals[first ?? 'SIGINT'] };
}

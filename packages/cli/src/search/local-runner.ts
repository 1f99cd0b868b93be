import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { CertError } from '@cert/core';
import type { PluginOption } from '../commands/plugin-option.js';
import type { Outcome } from './run-trial.js';
import type { Runner } from './runner.js';
import type { FromProcess, ToProcess } from './trial-process.js';

/** Characters of what a process wrote to its standard error that are told when it dies. */
const TOLD = 500;

/**
 * Trains trials in processes of this machine, one for each job that runs at the same time. A process that dies takes its trial along, and nothing else.
 *
 * @param plugins what the search loads
 * @param workers jobs at the same time, which share the cores
 */
export function localRunner(plugins: PluginOption, workers: number): Runner {
  const threads = Math.max(1, Math.floor(availableParallelism() / workers));
  const idle: ChildProcess[] = [];
  const all = new Set<ChildProcess>();
  let stopping = false;
  const start = () => {
    const child = forkProcess();
    all.add(child);
    child.once('exit', () => all.delete(child));
    return child;
  };
  const send = (child: ChildProcess, message: ToProcess) => void (child.connected && child.send(message));
  return {
    async run(job, onEpoch) {
      if (stopping) return { type: 'stopped' };
      const child = idle.pop() ?? start();
      const outcome = outcomeOf(child, onEpoch);
      send(child, { type: 'trial', plugins, threads, ...job });
      const settled = await outcome;
      if (child.connected && child.exitCode === null) idle.push(child);
      return settled;
    },
    stop() {
      stopping = true;
      for (const child of all) send(child, { type: 'stop' });
    },
    async close() {
      await Promise.all(
        [...all].map(async (child) => {
          const ended = child.exitCode === null && child.signalCode === null && once(child, 'exit');
          child.kill('SIGKILL');
          await ended;
        }),
      );
    },
  };
}

/** What comes of the job that a process gets next. @throws CertError that the process sends */
function outcomeOf(child: ChildProcess, onEpoch: (epoch: number) => void): Promise<Outcome> {
  let written = '';
  const hear = (text: Buffer) => {
    written = `${written}${text}`.slice(-TOLD);
  };
  return new Promise<Outcome>((resolve, reject) => {
    const onMessage = (message: FromProcess) => {
      if (message.type === 'epoch') return onEpoch(message.epoch);
      leave();
      if (message.type === 'outcome') resolve(message.outcome);
      else reject(new CertError(message.code, message.problem, message.cure));
    };
    const onExit = (code: number | null, signal: NodeJS.Signals | null) => {
      leave();
      const how =
        signal === null ? `code ${code}` : `signal ${signal}${signal === 'SIGKILL' ? ' (out of memory?)' : ''}`;
      const last = written.trim().split('\n').at(-1);
      resolve({ type: 'failed', problem: `The process of the trial ended with ${how}${last ? `: ${last}` : '.'}` });
    };
    const leave = () => {
      child.off('message', onMessage);
      child.off('exit', onExit);
      child.stderr?.off('data', hear);
    };
    child.on('message', onMessage);
    child.on('exit', onExit);
    child.stderr?.on('data', hear);
  });
}

/** A process of the built package; while the source is what runs, one that compiles it. */
function forkProcess(): ChildProcess {
  const stdio = ['ignore', 'ignore', 'pipe', 'ipc'] as const;
  if (!import.meta.url.endsWith('.ts')) {
    return fork(fileURLToPath(new URL('./trial-process.js', import.meta.url)), { stdio: [...stdio], execArgv: [] });
  }
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  return fork(fileURLToPath(new URL('./trial-process.ts', import.meta.url)), {
    stdio: [...stdio],
    execArgv: ['--import', tsx, '--conditions=@cert/source'],
  });
}

/** Runs a script where only JavaScript's own globals and those of a web worker are there: no `process`, `Buffer` or `require`. */
import { format } from 'node:util';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';

/** What a script did. */
export interface Run {
  /** The lines that it gave to `console.log`, and to the other functions of the console. */
  readonly printed: readonly string[];
  /** The stack of the error with which it ended; null when it ended well. */
  readonly error: string | null;
}

/** The globals that browsers have in a web worker, as far as Node.js has them too. */
const WEB = [
  ...['AbortController', 'AbortSignal', 'Blob', 'DOMException', 'Event', 'EventTarget', 'Headers', 'MessageChannel'],
  ...['Request', 'Response', 'TextDecoder', 'TextEncoder', 'URL', 'URLSearchParams', 'atob', 'btoa', 'clearInterval'],
  ...[
    'clearTimeout',
    'crypto',
    'fetch',
    'performance',
    'queueMicrotask',
    'setInterval',
    'setTimeout',
    'structuredClone',
  ],
];

/** Its messages: arguments of the console, then `{ error }`. */
const START = `
const { parentPort, workerData } = require('node:worker_threads');
const kept = new Set(workerData.globals);
// Node.js loads some of them when they are read for the first time, and needs its own globals for that.
for (const name of kept) void globalThis[name];
for (const name of Object.getOwnPropertyNames(globalThis)) {
  if (!kept.has(name) && !delete globalThis[name]) throw new Error('The global ' + name + ' cannot be removed.');
}
const print = (...values) => parentPort.postMessage({ values });
const stackOf = (error) => (error instanceof Error ? error.stack : String(error));
Object.assign(globalThis, {
  self: globalThis,
  WorkerGlobalScope: class WorkerGlobalScope {},
  console: { log: print, info: print, warn: print, error: print, debug: print },
});
(0, eval)('(async () => {"use strict";' + workerData.code + '\\n})')().then(
  () => parentPort.postMessage({ error: null }),
  (error) => parentPort.postMessage({ error: stackOf(error) }),
);`;

type Message = { readonly values: readonly unknown[] } | { readonly error: string | null };

/** @param code JavaScript that may await at its top level, and imports nothing */
export function runInWebWorker(code: string): Promise<Run> {
  const globals: readonly string[] = [...runInNewContext('Object.getOwnPropertyNames(globalThis)'), ...WEB];
  const worker = new Worker(START, { eval: true, workerData: { code, globals } });
  const printed: string[] = [];
  return new Promise((resolve, reject) => {
    worker.on('error', reject);
    worker.on('exit', () => reject(new Error(`The worker ended before the script did. It printed: ${printed}`)));
    worker.on('message', (message: Message) => {
      if ('values' in message) printed.push(format(...message.values));
      else {
        resolve({ printed, error: message.error });
        void worker.terminate();
      }
    });
  });
}

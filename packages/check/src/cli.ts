#!/usr/bin/env node
/** The command. It is its own worker. */
import { isMainThread } from 'node:worker_threads';
import { run } from './command.js';
import { checkInParallel, serve } from './files.js';

if (isMainThread) {
  // A reader such as `head` may have had enough.
  process.stdout.on('error', () => process.exit(1));
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  const terminal = process.stderr.isTTY ? (text: string) => void process.stderr.write(text) : undefined;
  const check = checkInParallel(new URL(import.meta.url));
  process.exitCode = await run(process.argv.slice(2), check, {
    print,
    complain: (line) => void process.stderr.write(`${line}\n`),
    terminal,
  });
} else {
  await serve();
}

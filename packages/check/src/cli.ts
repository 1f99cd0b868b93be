#!/usr/bin/env node
/** The command. It is its own worker. */
import { isMainThread } from 'node:worker_threads';
import { run } from './command.js';
import { checkInParallel, serve } from './files.js';

if (isMainThread) {
  // A reader such as `head` may have had enough.
  process.stdout.on('error', () => process.exit(1));
  const to = (stream: NodeJS.WriteStream) => (line: string) => void stream.write(`${line}\n`);
  const terminal = process.stderr.isTTY ? (text: string) => void process.stderr.write(text) : undefined;
  const { columns } = process.stdout;
  const streams = { print: to(process.stdout), complain: to(process.stderr), terminal, columns };
  process.exitCode = await run(process.argv.slice(2), checkInParallel(new URL(import.meta.url)), streams);
} else {
  await serve();
}

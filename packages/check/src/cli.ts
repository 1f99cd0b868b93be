#!/usr/bin/env node
/** The command. It is its own worker. */
import { isMainThread } from 'node:worker_threads';
import { run } from './command.js';
import { checkInParallel, serve } from './files.js';

if (isMainThread) {
  // A reader such as `head` may have had enough.
  process.stdout.on('error', () => process.exit(1));
  process.exitCode = await run(process.argv.slice(2), checkInParallel(new URL(import.meta.url)), process);
} else {
  await serve();
}

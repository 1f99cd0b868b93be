#!/usr/bin/env node
import { main } from './main.js';
import { processTerminal } from './terminal.js';

/** Keeps TensorFlow.js from advertising its native package. */
async function prepare(): Promise<void> {
  const { tf } = await import('@cert/core');
  tf.enableProdMode();
}

const controller = new AbortController();
// The first Ctrl-C, or the end that a system asks for, lets the step finish and a checkpoint be written; the second one kills.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => controller.abort());
const status = await main(process.argv.slice(2), processTerminal(), controller.signal, prepare);
// A failed write has set it already.
if (status !== 0) process.exitCode = status;

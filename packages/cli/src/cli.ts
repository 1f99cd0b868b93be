#!/usr/bin/env node
import { main } from './main.js';
import { STOPPED, stopOnSignals } from './signals.js';
import { processTerminal } from './terminal.js';

/** Keeps TensorFlow.js from advertising its native package. */
async function prepare(): Promise<void> {
  const { tf } = await import('@cert/core');
  tf.enableProdMode();
}

const terminal = processTerminal();
const stop = stopOnSignals(terminal);
const status = await main(process.argv.slice(2), terminal, stop.signal, prepare);
// A failed write has set it already.
if (status !== 0) process.exitCode = status === STOPPED ? stop.status() : status;
// Timers of a queue whose server is gone would keep a stopped command for a minute.
if (status === STOPPED) setTimeout(() => process.exit(), 1000).unref();

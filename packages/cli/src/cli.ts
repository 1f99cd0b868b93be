#!/usr/bin/env node
import { tf } from '@cert/core';
import { main } from './main.js';
import { processTerminal } from './terminal.js';

// Keeps TensorFlow.js from advertising its native package.
tf.enableProdMode();

const controller = new AbortController();
// The first Ctrl-C lets the step finish and a checkpoint be written; the second one kills.
process.once('SIGINT', () => controller.abort());
const status = await main(process.argv.slice(2), processTerminal(), controller.signal);
// A failed write has set it already.
if (status !== 0) process.exitCode = status;

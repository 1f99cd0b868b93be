/**
 * Trains the preset `digits/quick` as `cert train` does and prints what came out. `--compare` trains the deeper `digits/deep` with the full
 * method and with plain IBP.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { processTerminal, progressReporter, resultTable } from '@cert/cli';
import { CertError, tf } from '@cert/core';
import { freeRunFolder, resolveConfig, type Summary, startRun } from '@cert/trainer/pipeline';

tf.enableProdMode(); // Keeps TensorFlow.js from advertising its native package.
const terminal = processTerminal();
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

try {
  const { values } = parseArgs({
    options: {
      compare: { type: 'boolean', default: false },
      preset: { type: 'string' },
      seed: { type: 'string', default: '0' },
      epochs: { type: 'string' },
      limit: { type: 'string' },
      device: { type: 'string' },
    },
  });
  const { epochs, limit, device, seed } = values;
  // npm runs a workspace's script in its own folder; results belong where the user is.
  const runs = join(process.env.INIT_CWD ?? '.', 'runs');
  const summaries: Summary[] = [];
  for (const method of values.compare ? ['fast', 'vanilla'] : ['fast']) {
    const config = resolveConfig({
      preset: values.preset ?? (values.compare ? 'digits/deep' : 'digits/quick'),
      method,
      seed: Number(seed),
      epochs: epochs === undefined ? undefined : Number(epochs),
      limit: limit === undefined ? undefined : Number(limit),
      device,
    });
    const folder = freeRunFolder(runs, config);
    const summary = await startRun(config, { folder, onEvent: progressReporter(terminal), signal: stop.signal });
    if (summary === null) process.exit(130);
    summaries.push(summary);
    terminal.out(`Results and checkpoints are in ${folder}\n`);
  }
  terminal.out(resultTable(summaries));
} catch (error) {
  const usage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  if (!(error instanceof CertError) && !usage) throw error;
  terminal.err(`error: ${error.message}`);
  process.exitCode = 1;
}

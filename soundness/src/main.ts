/**
 * `npm run soundness`: samples until there are enough pairs, and exits with 1 when a sound method was contradicted. `npm run soundness -- kinds`
 * prints which verifiers accept which adversarial network.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CertError } from '@cert/core';
import { openDevice } from '@cert/jit/node';
import { adversarialNetworks } from './kinds/adversarial-networks.js';
import { type RunState, sampleMany } from './run/long-run.js';
import { progressLine, summary } from './run/report.js';
import { CHECKED } from './verifiers/checked.js';
import { type KindRow, kindsTable, measureKinds } from './verifiers/measure-kinds.js';

const USAGE = `Usage: npm run soundness -- [kinds] [options]

  --pairs N    pairs of a point and an execution (default 10000000)
  --seed N     seed of networks, points and executions (default 0)
  --state FILE count here and continue from it (default soundness/.reports/sampled-SEED.json)
  --restart    discard what the state file holds`;

/** Between two lines of progress, in milliseconds. */
const PROGRESS = 5000;

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      pairs: { type: 'string', default: '1e7' },
      seed: { type: 'string', default: '0' },
      state: { type: 'string' },
      restart: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const seed = readCount('--seed', values.seed);
  if (positionals[0] === 'kinds') return printKinds(seed);
  if (positionals.length > 0) throw new CertError('bad-argument', `Got "${positionals.join(' ')}".`, USAGE);
  const pairs = readCount('--pairs', values.pairs);
  const base = process.env.INIT_CWD ?? process.cwd();
  const file = values.state === undefined ? defaultFile(seed) : resolve(base, values.state);
  if (values.restart) rmSync(file, { force: true });

  const stop = new AbortController();
  process.on('SIGINT', () => stop.abort());
  let state: RunState | undefined = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
  if (state !== undefined) console.log(`Continuing from ${file}.`);
  let said = performance.now();
  for await (const next of sampleMany({ methods: CHECKED, seed, pairs, state, signal: stop.signal })) {
    state = next;
    // Lets an interruption be heard.
    await setImmediate();
    if (performance.now() - said < PROGRESS) continue;
    said = performance.now();
    save(file, state);
    console.log(progressLine(state, pairs));
  }
  if (state === undefined) return 0;
  save(file, state);
  console.log(summary(state));
  if (stop.signal.aborted) console.log('Run the same command again to continue.');
  const wrong = CHECKED.filter(({ sound }, m) => sound && state.counts[m]!.violations > 0);
  for (const { name, level } of wrong) console.log(`${name} (${level}) is unsound.`);
  return wrong.length === 0 ? 0 : 1;
}

const defaultFile = (seed: number): string =>
  fileURLToPath(new URL(`../.reports/sampled-${seed}.json`, import.meta.url));

/** As a whole or not at all. */
function save(file: string, state: RunState): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify(state));
  renameSync(`${file}.new`, file);
}

function readCount(option: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new CertError('bad-argument', `${option} is "${text}".`, 'Give a whole number that is at least 0.');
}

async function printKinds(seed: number): Promise<number> {
  const networks = adversarialNetworks({ seed });
  const rows: { [device: string]: readonly KindRow[] } = {};
  for (const name of ['tfjs', 'cpu']) {
    const device = await openDevice(name);
    rows[name] = await measureKinds(device, networks);
    await device.dispose();
  }
  console.log(kindsTable(rows));
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const parse = error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  if (!(error instanceof CertError) && !parse) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

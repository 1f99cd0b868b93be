/** `npm run bench`: milliseconds a step, peak memory and images/s of the compiled training step, in turns with a peer. */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { findTorch, type Timing, timePeer } from './peer.js';
import { workloads } from './workloads.js';

const positive = (text: string): number => {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1) throw new InvalidArgumentError('Give a whole number >= 1.');
  return n;
};

const program = new Command('bench')
  .description('Times the compiled training step of the full method on random images; the peer runs in turns with it.')
  .argument('[workloads...]', `which of ${Object.keys(workloads).join(', ')} (default: all but the large)`)
  .option('--json', 'print one JSON document instead of a table', false)
  .option('--steps <n>', 'timed steps in each run', positive, 8)
  .option('--warmup <n>', 'steps before them', positive, 2)
  .option('--rounds <n>', 'runs of each implementation, taken in turns', positive, 3)
  .option('--threads <n>', 'threads of both', positive, cpus().length)
  .option('--device <name>', 'where ours runs', 'cpu')
  .option('--peer <script>', 'a PyTorch script with the options of the workloads that prints one line of JSON')
  .option('--python <command>', 'the Python that runs the peer (default: the first that can import torch)')
  .parse();

interface Options {
  readonly json: boolean;
  readonly steps: number;
  readonly warmup: number;
  readonly rounds: number;
  readonly threads: number;
  readonly device: string;
  readonly peer?: string;
  readonly python?: string;
}

interface Run extends Timing {
  /** Of the time of steps and waiting together, the share that went into waiting for minibatches. */
  readonly waitShare: number;
  readonly compileMs: number;
  readonly traces: number;
  /** What the device says it runs on. */
  readonly device: string;
}

const options = program.opts<Options>();
const names = program.args.length > 0 ? program.args : Object.keys(workloads).filter((name) => !workloads[name]!.large);
for (const name of names) {
  if (!(name in workloads))
    program.error(`There is no workload "${name}". Workloads: ${Object.keys(workloads).join(', ')}.`);
}

/** One run in a process of its own, so that its peak memory is its own. */
function timeOurs(name: string): Run {
  const timeStep = fileURLToPath(new URL('time-step.ts', import.meta.url));
  const args = [
    ...process.execArgv,
    timeStep,
    name,
    options.steps,
    options.warmup,
    options.threads,
    options.device,
  ].map(String);
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${name} failed:\n${stderr}`);
  const out = JSON.parse(stdout.trim().split('\n').at(-1)!) as {
    times: number[];
    waits: number[];
    firstMs: number;
    peakMiB: number;
    traces: number;
    device: string;
  };
  const medianMs = median(out.times);
  const [stepped, waited] = [sum(out.times), sum(out.waits)];
  return {
    waitShare: waited / (stepped + waited),
    medianMs,
    minMs: Math.min(...out.times),
    peakMiB: out.peakMiB,
    compileMs: out.firstMs - medianMs,
    traces: out.traces,
    device: out.device,
  };
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

const overall = (runs: readonly Timing[], batch: number) => {
  const medianMs = median(runs.map((run) => run.medianMs));
  return {
    medianMs,
    minMs: Math.min(...runs.map((run) => run.minMs)),
    peakMiB: Math.max(...runs.map((run) => run.peakMiB)),
    imagesPerSecond: (batch * 1000) / medianMs,
  };
};

const python = options.peer === undefined ? undefined : findTorch(options.python);
if (options.peer !== undefined && python === undefined) {
  console.error('No Python that can import torch was found: the peer is left out (name one with --python).');
}

// npm runs scripts in the folder of the workspace; a path means the folder in which npm was called.
const script = resolve(process.env.INIT_CWD ?? '.', options.peer ?? '');

const results = names.map((name) => {
  const { batch, peer: peerArgs } = workloads[name]!;
  const [ours, peers]: [Run[], (Timing & { version: string })[]] = [[], []];
  for (let round = 0; round < options.rounds; round++) {
    console.error(`${name}: round ${round + 1} of ${options.rounds}`);
    ours.push(timeOurs(name));
    if (python === undefined || peerArgs === undefined) continue;
    const timing = ['--steps', options.steps, '--warmup', options.warmup, '--threads', options.threads].map(String);
    peers.push(timePeer(python, script, [...peerArgs, ...timing]));
  }
  const result = {
    name,
    batch,
    ...overall(ours, batch),
    waitShare: median(ours.map((run) => run.waitShare)),
    compileMs: median(ours.map((run) => run.compileMs)),
    traces: ours[0]!.traces,
    device: ours[0]!.device,
  };
  if (peers.length === 0) return result;
  const other = overall(peers, batch);
  const speed = { byMedian: other.medianMs / result.medianMs, byMinimum: other.minMs / result.minMs };
  return { ...result, peer: { ...other, version: peers[0]!.version }, speedOverPeer: speed };
});

if (options.json) {
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
  const { steps, warmup, rounds, threads } = options;
  console.log(JSON.stringify({ machine, steps, warmup, rounds, threads, results }, null, 2));
} else {
  console.table(
    results.map((r) => ({
      workload: r.name,
      'ms/step': r.medianMs.toFixed(1),
      'min ms': r.minMs.toFixed(1),
      'images/s': r.imagesPerSecond.toFixed(0),
      'waited %': (100 * r.waitShare).toFixed(2),
      'peak MiB': r.peakMiB.toFixed(0),
      'compile ms': r.compileMs.toFixed(0),
      ...('peer' in r && {
        'peer ms/step': r.peer.medianMs.toFixed(1),
        'peer min ms': r.peer.minMs.toFixed(1),
        'peer MiB': r.peer.peakMiB.toFixed(0),
        'speed over peer': `${r.speedOverPeer.byMedian.toFixed(2)} (min ${r.speedOverPeer.byMinimum.toFixed(2)})`,
      }),
    })),
  );
}

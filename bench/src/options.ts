import { cpus } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { workloads } from './workloads.js';

/** What the command was asked for. */
export interface Options {
  readonly json: boolean;
  readonly steps: number;
  readonly warmup: number;
  readonly rounds: number;
  readonly threads: number;
  readonly peer?: string;
  readonly python?: string;
  readonly profile: boolean;
  /** Nodes in the table of the profile. */
  readonly top: number;
}

const positive = (text: string): number => {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1) throw new InvalidArgumentError('Give a whole number >= 1.');
  return n;
};

/** Reads the command line; a mistake in it ends the process with a message. */
export function readOptions(): { readonly names: readonly string[]; readonly options: Options } {
  const program = new Command('bench')
    .description('Times the compiled training step on random images; the peer runs in turns with it.')
    .argument('[workloads...]', `which of ${Object.keys(workloads).join(', ')} (default: all)`)
    .option('--json', 'print one JSON document instead of a table', false)
    .option('--steps <n>', 'timed steps in each run', positive, 8)
    .option('--warmup <n>', 'steps before them', positive, 2)
    .option('--rounds <n>', 'runs of each implementation, taken in turns', positive, 3)
    .option('--threads <n>', 'threads of both', positive, cpus().length)
    .option('--peer <script>', 'a PyTorch script with the options of the workloads that prints one line of JSON')
    .option('--python <command>', 'the Python that runs the peer (default: the first that can import torch)')
    .option('--profile', "where the time of a step goes, by ONNX Runtime's own profiler", false)
    .option('--top <n>', 'nodes and call sites in the tables of the profile', positive, 30)
    .parse();
  const names = program.args.length > 0 ? program.args : Object.keys(workloads);
  for (const name of names) {
    if (!(name in workloads))
      program.error(`There is no workload "${name}". Workloads: ${Object.keys(workloads).join(', ')}.`);
  }
  return { names, options: program.opts<Options>() };
}

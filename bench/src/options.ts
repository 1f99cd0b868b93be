import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { findWorkload } from './find-workload.js';
import { points } from './scaling/points.js';
import { workloads } from './workloads.js';

/** What the command was asked for. */
export interface Options {
  readonly json: boolean;
  readonly steps: number;
  readonly warmup: number;
  readonly rounds: number;
  readonly threads: number;
  readonly device: string;
  /** Scripts with their arguments. */
  readonly peer: readonly string[];
  readonly python?: string;
  readonly profile: boolean;
  /** Nodes in the table of the profile. */
  readonly top: number;
  readonly scaling: boolean;
  readonly svg?: string;
}

/** npm runs scripts in the folder of the workspace; a path means the folder in which npm was called. */
export const fromCaller = (path: string): string => resolve(process.env.INIT_CWD ?? '.', path);

const positive = (text: string): number => {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1) throw new InvalidArgumentError('Give a whole number >= 1.');
  return n;
};

const WORKLOADS = Object.keys(workloads);
const POINTS = points.map(({ name }) => name);

/** Reads the command line; a mistake in it ends the process with a message. */
export function readOptions(): { readonly names: readonly string[]; readonly options: Options } {
  const program = new Command('bench')
    .description('Times compiled training steps and evaluations on random images, in turns with peers.')
    .argument(
      '[workloads...]',
      `which of ${WORKLOADS.join(', ')} (default: all but the large); or of the points of --scaling`,
    )
    .option('--json', 'print one JSON document instead of a table', false)
    .option('--steps <n>', 'timed steps in each run', positive, 8)
    .option('--warmup <n>', 'steps before them', positive, 2)
    .option('--rounds <n>', 'runs of each implementation, taken in turns', positive, 3)
    .option('--threads <n>', 'threads of each implementation', positive, cpus().length)
    .option('--device <name>', 'where ours runs', 'cpu')
    .option(
      '--peer <script>',
      'a Python script to compare with, and its arguments in the same word, such as "bench/peers/torch_ibp_step.py --compile"; repeatable',
      (text: string, before: readonly string[]) => [...before, text],
      [],
    )
    .option('--python <command>', 'the Python that runs the peers (default: the first that can import what they need)')
    .option('--profile', "where the time of a step goes, by ONNX Runtime's own profiler", false)
    .option('--top <n>', 'nodes and call sites in the tables of the profile', positive, 30)
    .addOption(
      new Option('--scaling', `time and memory against batch, width and depth: ${POINTS.join(', ')}`)
        .default(false)
        .conflicts('profile'),
    )
    .addOption(new Option('--svg <file>', 'draw the figure of --scaling').implies({ scaling: true }))
    .parse();
  const options = program.opts<Options>();
  const names =
    program.args.length > 0
      ? program.args
      : options.scaling
        ? POINTS
        : WORKLOADS.filter((name) => !workloads[name]!.large);
  for (const name of names) {
    if (options.scaling && !POINTS.includes(name))
      program.error(`There is no point "${name}" of --scaling. Points: ${POINTS.join(', ')}.`);
    if (findWorkload(name) === undefined)
      program.error(`There is no workload "${name}". Workloads: ${WORKLOADS.join(', ')}.`);
  }
  return { names, options };
}

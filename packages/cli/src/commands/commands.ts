import type { Command } from 'commander';
import type { Terminal } from '../terminal.js';

/**
 * Gives a command its arguments, options and action. `done` gets the exit status of one that ends neither well nor with an error; `args`
 * is the command line: plug-ins that it names bring options of their own.
 */
type Make = (
  command: Command,
  terminal: Terminal,
  signal: AbortSignal,
  done: (status: number) => void,
  args: readonly string[],
) => void | Promise<void>;

/** The commands. What a command needs is loaded when that command is called: TensorFlow.js alone takes longer than a help text may. */
export const COMMANDS: {
  readonly [name: string]: { readonly description: string; readonly load: () => Promise<Make> };
} = {
  train: {
    description: 'train a network for certified robustness and evaluate it',
    load: async () => (await import('./train.js')).addTrain,
  },
  search: {
    description: 'search settings of training: random, successive halving or evolution, chosen on validation images',
    load: async () => (await import('./search.js')).addSearch,
  },
  eval: {
    description: 'evaluate a trained network: standard, PGD and verified error',
    load: async () => (await import('./eval.js')).addEval,
  },
  verify: {
    description: 'verify a property of a network: proved, violated (with a counterexample) or undecided',
    load: async () => (await import('./verify.js')).addVerify,
  },
  merge: {
    description: 'merge the results of shards: cert eval --shard, cert verify --instances --shard',
    load: async () => (await import('./merge.js')).addMerge,
  },
  'shard-script': {
    description: 'print a script that evaluates shards with SLURM or Kubernetes',
    load: async () => (await import('./shard-script.js')).addShardScript,
  },
  queue: {
    description: 'evaluate and verify on many machines: submit to a queue in Redis, status, collect the results',
    load: async () => (await import('./queue.js')).addQueue,
  },
  worker: {
    description: 'compute jobs of the queue, or train trials of a search, until it is stopped',
    load: async () => (await import('./worker.js')).addWorker,
  },
  export: {
    description: 'write a network for other tools: ONNX or PyTorch weights, and properties of test images',
    load: async () => (await import('./export.js')).addExport,
  },
  runs: {
    description: 'list the runs in a folder with their errors and status',
    load: async () => (await import('./runs.js')).addRuns,
  },
  compare: {
    description: 'compare runs: settings that differ, errors with intervals, training curves',
    load: async () => (await import('./compare.js')).addCompare,
  },
  report: {
    description: 'write a report of runs as one HTML file: verdict, errors, curves, certified radii, examples',
    load: async () => (await import('./report.js')).addReport,
  },
  predict: {
    description: 'classify images or rows and certify the predictions: margin at epsilon and certified radius',
    load: async () => (await import('./predict.js')).addPredict,
  },
  diagnose: {
    description: 'diagnose bounds and ReLU neurons, with tables and figures',
    load: async () => (await import('./diagnose.js')).addDiagnose,
  },
  doctor: {
    description: 'list compute devices, what each needs, and which one `--device auto` selects',
    load: async () => (await import('./doctor.js')).addDoctor,
  },
  completion: {
    description: 'print a shell completion script',
    load: async () => (await import('./completion.js')).addCompletion,
  },
  plugin: {
    description: 'create or inspect a plug-in',
    load: async () => (await import('./plugin.js')).addPlugin,
  },
};

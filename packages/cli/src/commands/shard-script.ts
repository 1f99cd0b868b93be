import { CertError } from '@cert/core';
import type { Command } from 'commander';
import { kubernetesManifest, slurmScript } from '../evaluate/batch-scripts.js';
import { readEvaluation } from '../evaluate/read-evaluation.js';
import { recordedPlugins } from '../runs/locate-checkpoint.js';
import type { Terminal } from '../terminal.js';
import { readNumber } from '../verify/read-number.js';
import { addEvaluationOptions } from './eval-options.js';
import type { RawOptions } from './options.js';
import { catalogIn, catalogOf, type PluginOption } from './plugin-option.js';

/** The batch systems. */
const SYSTEMS = { slurm: slurmScript, kubernetes: kubernetesManifest } as const;

/** Makes `cert shard-script`. */
export async function addShardScript(
  command: Command,
  terminal: Terminal,
  _signal: AbortSignal,
  _done: (status: number) => void,
  args: readonly string[],
): Promise<void> {
  addEvaluationOptions(command, await catalogIn(args))
    .optionsGroup('Batch system:')
    .option('--slurm', 'print an array script for sbatch')
    .option('--kubernetes', 'print the manifest of an indexed job')
    .requiredOption('--shards <n>', 'number of shards: tasks of the array, pods of the job')
    .action(async (path: string, { plugin, trust, slurm, kubernetes, ...raw }: RawOptions & PluginOption & Systems) => {
      const chosen = Object.entries({ slurm, kubernetes }).filter(([, given]) => given);
      const [[name]] = chosen.length === 1 ? (chosen as [[keyof typeof SYSTEMS, unknown]]) : [[undefined]];
      if (name === undefined) {
        throw new CertError(
          'bad-argument',
          `${chosen.length === 0 ? 'No batch system was' : 'Two batch systems were'} given.`,
          'Give one of --slurm and --kubernetes.',
        );
      }
      const shards = readNumber('--shards', raw.shards ?? '');
      if (!Number.isSafeInteger(shards) || shards < 1) {
        throw new CertError('bad-argument', `--shards is ${raw.shards}.`, 'Give a whole number from 1.');
      }
      // Mistakes in the options show here, and not in every task.
      await readEvaluation(path, raw, await catalogOf({ plugin, trust }, await recordedPlugins(path)));
      terminal.out(SYSTEMS[name]({ words: evaluationWords(args), shards }).trimEnd());
    });
}

interface Systems {
  readonly slurm?: boolean;
  readonly kubernetes?: boolean;
}

/** The words of the command line that `cert eval` is to get. */
function evaluationWords(args: readonly string[]): readonly string[] {
  const own = (word: string) => /^--(slurm|kubernetes|shards(=.*)?)$/.test(word);
  return args.filter((word, i) => i > 0 && !own(word) && args[i - 1] !== '--shards');
}

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import type { Split } from '@cert/datasets';
import { radiusText, runFiles } from '@cert/trainer/pipeline';
import { calledAs, quoted } from '../called-as.js';
import { ownVersion } from '../version.js';
import type { FoundEvaluation } from './evaluations.js';

/** Where the numbers of a report come from. Plain data. */
export interface Provenance {
  /** SHA-256 in hexadecimal, by what was hashed. */
  readonly hashes: readonly { readonly name: string; readonly sha256: string }[];
  /** Names and values, for people. */
  readonly versions: readonly { readonly name: string; readonly value: string }[];
  /** What trains the same network, and evaluates it, each with what it does. */
  readonly commands: readonly { readonly about: string; readonly command: string }[];
}

/** SHA-256 of bytes, in hexadecimal. */
export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** SHA-256 of a split: its shape, classes and scale as JSON, its stored values as bytes in the order of this machine, its labels. */
export const hashSplit = ({ shape, classes, count, scale, images, labels }: Split): string =>
  createHash('sha256')
    .update(JSON.stringify({ shape, classes, count, scale, type: images.constructor.name }))
    .update(new Uint8Array(images.buffer, images.byteOffset, images.byteLength))
    .update(labels)
    .digest('hex');

/** What {@link provenanceOf} needs. */
interface ProvenanceOptions {
  readonly folder: string;
  /** Which checkpoint, with its hash. */
  readonly checkpoint: { readonly name: string; readonly sha256: string };
  /** Of the test split; null where it was not read. */
  readonly data: string | null;
  readonly device: string | null;
  readonly evaluation: FoundEvaluation | undefined;
  /** Whether commands must load the plug-ins of the run. */
  readonly plugins: boolean;
}

/** Hashes files of a run, and says which commands give its numbers again. */
export async function provenanceOf({
  folder,
  checkpoint,
  data,
  device,
  evaluation,
  plugins,
}: ProvenanceOptions): Promise<Provenance> {
  const { config, metrics, summary } = runFiles(folder);
  const files = [config, metrics, summary, ...(evaluation === undefined ? [] : [evaluation.file])];
  const hashes = [{ name: `weights (checkpoints/${checkpoint.name}.safetensors)`, sha256: checkpoint.sha256 }];
  if (data !== null) hashes.push({ name: 'test data (shape, values, labels)', sha256: data });
  for (const file of files.filter(existsSync)) {
    hashes.push({ name: relative(folder, file), sha256: sha256(await readFile(file)) });
  }
  return {
    hashes,
    versions: [
      {
        name: 'report written by',
        value: `cert ${ownVersion()}, Node.js ${process.versions.node}, ${process.platform} ${process.arch}`,
      },
      ...(device === null ? [] : [{ name: 'device of the training', value: device }]),
    ],
    commands: commandsOf(folder, evaluation, checkpoint.name, plugins ? ' --trust' : ''),
  };
}

function commandsOf(
  folder: string,
  evaluation: FoundEvaluation | undefined,
  checkpoint: string,
  trust: string,
): Provenance['commands'] {
  const train = {
    about: 'Train with the same configuration and seed:',
    command: `${calledAs()} train --config ${quoted(runFiles(folder).config)} --out runs/again${trust}`,
  };
  if (evaluation === undefined) return [train];
  const { methods, attack, timeout, epsilon, delta, complete } = evaluation.settings;
  const options = [
    ...(checkpoint === 'last' ? [] : ['--checkpoint', checkpoint]),
    ...['--epsilon', radiusText(epsilon), '--methods', methods.join(',') || 'none'],
    ...(delta === undefined ? [] : ['--delta', String(delta)]),
    ...['--arithmetic', evaluation.arithmetic],
    ...attackOptions(attack),
    ...(timeout === undefined ? [] : ['--timeout', String(timeout)]),
    ...(complete ? ['--complete'] : []),
    ...['--limit', String(evaluation.counts.images)],
  ];
  const command = `${calledAs()} eval runs/again ${options.join(' ')}${trust}`;
  return [train, { about: 'Evaluate that run with the same settings:', command }];
}

function attackOptions(attack: FoundEvaluation['settings']['attack']): readonly string[] {
  if (attack === null) return ['--attack-restarts', '0'];
  if ('attacks' in attack) return ['--attack', attack.name, '--seed', String(attack.seed)];
  const { steps, restarts, seed } = attack;
  return ['--attack-steps', String(steps), '--attack-restarts', String(restarts), '--seed', String(seed)];
}

import { type Catalog, FIELDS, flagsOf, searchVerifiers } from '@cert/trainer/pipeline';
import type { Command } from 'commander';
import { ATTACK, ATTACKS } from './attacks.js';
import { GROUPS } from './groups.js';
import { NameOption } from './name-option.js';
import { addFields, type FieldFilter, named, optionsOfEvery } from './options.js';
import { addOutputOptions } from './output-options.js';
import { addRunPluginOptions } from './plugin-option.js';
import { ARITHMETICS } from './read-arithmetic.js';

/** Settings of the run that an evaluation may change: these, and the options of datasets. */
export const ofTheRun: FieldFilter = (name, field) =>
  named('dataset', 'limit', 'epsilon', 'perturbation', 'delta', 'evalBatchSize', 'seed', 'device')(name, field) ||
  optionsOfEvery('dataset')(name, field);
/** Seconds that a search may take for an image. */
export const TIMEOUT = 60;

/** The checkpoints of a run. */
export const CHECKPOINTS = ['last', 'best'] as const;

/** Gives `cert eval` its arguments and options. */
export function addEvalOptions(command: Command, known: Catalog): Command {
  command
    .summary(command.description())
    .description(
      'Evaluate a trained network: standard, PGD and verified error.\n\nDataset, radius, seed and device are those of the run unless given. For a checkpoint file without a run, dataset and radius are those that the file names, and the defaults below apply.',
    );
  addEvaluationOptions(command, known)
    .optionsGroup(GROUPS.output)
    .option(
      '--certificates <folder>',
      'write a certificate for every verified image, and a copy of the network; check with npx @cert/check (default: none)',
    )
    .option(
      '--out <file>',
      '.jsonl file for the result of each image (default: eval/<checkpoint>-<epsilon>.jsonl in the run)',
    )
    .option(
      '--shard <i/n>',
      'evaluate only part I of N of the images, on this machine or another; cert merge combines the files (default: all images)',
    )
    .option('--overwrite', 'discard earlier results in --out (default: continue)');
  return addOutputOptions(command, 'the summary');
}

/** Gives a command the argument and the options that say what is evaluated, and how. @param argument brackets where it may be missing */
export function addEvaluationOptions(command: Command, known: Catalog, argument = '<path>'): Command {
  const searching = Object.keys(searchVerifiers({})).join(' and ');
  const methods = Object.keys(known.verifiers);
  command
    .argument(argument, 'folder of a run, a checkpoint file, or a TensorFlow.js model (model.json)')
    .optionsGroup(GROUPS.evaluation)
    .addOption(new NameOption('--checkpoint <name>', 'checkpoint of the run: last, best (default: last)', CHECKPOINTS))
    .addOption(
      new NameOption(
        '--methods <names>',
        `comma-separated bound methods, tried in this order: ${methods.join(', ')}; or "none" (default: all but ${searching})`,
        methods,
      ),
    )
    .option('--timeout <seconds>', `time limit per image for ${searching}, in seconds (default: ${TIMEOUT})`)
    .addOption(
      new NameOption(
        '--attack <name>',
        `attack on images that no fast method verifies: ${Object.entries(ATTACKS)
          .map(([name, { about }]) => `${name} (${about})`)
          .join(', ')} (default: pgd)`,
        Object.keys(ATTACKS),
      ),
    )
    .option(flags('attackSteps'), `maximum steps of the PGD attack (default: ${ATTACK.attackSteps})`)
    .option(
      flags('attackRestarts'),
      `maximum random restarts of the PGD attack; 0: no attack (default: ${ATTACK.attackRestarts})`,
    )
    .addOption(
      new NameOption(
        '--arithmetic <level>',
        'what verification claims: nearest (bounds rounded to nearest, no claim about rounding), real (the network over the real numbers), deployed (also every float32 execution) (default: deployed)',
        ARITHMETICS,
      ),
    )
    .option('--complete', 'run every method and the attack on every image (default: stop once an image is decided)');
  addFields(command, { of: ofTheRun, catalog: known });
  return addRunPluginOptions(command);
}

const flags = (name: 'attackSteps' | 'attackRestarts') => flagsOf(name, FIELDS[name])[0]!;

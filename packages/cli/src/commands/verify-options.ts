import { FIELDS, flagsOf, namesOf, standardCatalog } from '@cert/trainer/pipeline';
import type { Command } from 'commander';
import { DATA_OPTION } from './dataset-option.js';
import { GROUPS } from './groups.js';
import { NameOption } from './name-option.js';
import { addOutputOptions } from './output-options.js';
import { ARITHMETICS } from './read-arithmetic.js';

/** The seconds that a single property may take. */
export const TIMEOUT = 360;

/** What a search may split on. */
export const SPLITS = ['inputs', 'relus'] as const;

/** Gives `cert verify` its arguments and options. */
export function addVerifyOptions(command: Command): Command {
  const [device] = flagsOf('device', FIELDS.device);
  command
    .argument(
      '[network]',
      'ONNX file (.onnx, .onnx.gz), TensorFlow.js model (model.json), checkpoint file, or folder of a run',
    )
    .argument(
      '[property]',
      'VNN-LIB file (.vnnlib, .vnnlib.gz) that describes the outputs to exclude; or CSV table of rows, with --index',
    )
    .optionsGroup('Image or row instead of a property:')
    .option('--index <n>', 'index of an image or row of the test split, or of a row of the CSV table, from 0')
    .addOption(
      new NameOption(
        '--dataset <name>',
        'dataset of the image (default: dataset of the run)',
        Object.keys(standardCatalog.datasets),
      ),
    )
    .option(...DATA_OPTION)
    .option(
      '--label <class>',
      'class that must have the largest logit, by number or name (default: label of the image or row; of a row of a CSV table, the predicted class)',
    )
    .option('--epsilon <radius>', 'radius of the perturbation set, such as 0.1 or 8/255 (default: radius of the run)')
    .option(
      '--delta <tolerance>',
      'regression: the prediction must stay within this distance of the label, in its units (default: as in the run)',
    )
    .optionsGroup('Many properties:')
    .option('--instances <file>', 'verify every "onnx,vnnlib,timeout" line of a CSV file in one process')
    .option('--out <file>', '.jsonl file for results, with a .csv table beside it (default: results.jsonl)')
    .option(
      '--shard <i/n>',
      'verify only part I of N of the instances, on this machine or another; cert merge combines the files (default: all instances)',
    )
    .option('--overwrite', 'discard earlier results (default: continue)')
    .optionsGroup('Search:')
    .option(
      '--timeout <seconds>',
      `time limit per property, in seconds (default: ${TIMEOUT}, or the limit of the instance)`,
    )
    .addOption(
      new NameOption('--split <what>', 'split on inputs or on relus (default: inputs for up to 12 inputs)', SPLITS),
    )
    .addOption(
      new NameOption(
        '--arithmetic <level>',
        'strongest claim to prove: nearest, real, deployed (default: deployed)',
        ARITHMETICS,
      ),
    )
    .addOption(new NameOption(device!, 'compute device (default: auto)', namesOf(FIELDS.device, standardCatalog)))
    .optionsGroup(GROUPS.output)
    .option('--results <file>', 'write the verdict and the counterexample in VNN-COMP format (default: none)')
    .option(
      '--certificate <file>',
      'write a certificate of the proof, .cert.json or .cert.json.gz; check with npx @cert/check (default: none)',
    );
  return addOutputOptions(command, 'each result');
}

import { FIELDS, flagsOf, namesOf, standardCatalog } from '@cert/trainer/pipeline';
import type { Command } from 'commander';
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
    .argument('[network]', 'ONNX file (.onnx, .onnx.gz), checkpoint file, or folder of a run')
    .argument('[property]', 'VNN-LIB file (.vnnlib, .vnnlib.gz); it describes what must not happen')
    .optionsGroup('Image, instead of a property:')
    .option('--index <n>', 'number of an image of the test split, from 0')
    .addOption(
      new NameOption(
        '--dataset <name>',
        'dataset of the image (default: that of the run)',
        Object.keys(standardCatalog.datasets),
      ),
    )
    .option('--label <class>', 'class that must win (default: the label of the image)')
    .option('--epsilon <radius>', 'l-infinity radius around the image, such as 0.1 or 8/255 (default: that of the run)')
    .optionsGroup('Many properties:')
    .option('--instances <file>', 'verify every line "onnx,vnnlib,timeout" of a file in one process')
    .option('--out <file>', 'results, .jsonl, with a table beside it, .csv (default: results.jsonl)')
    .option('--anew', 'discard earlier results (default: continue)')
    .optionsGroup('Search:')
    .option(
      '--timeout <seconds>',
      `time limit for a property, in seconds (default: ${TIMEOUT}, or that of the instance)`,
    )
    .addOption(
      new NameOption('--split <what>', 'split on inputs or on relus (default: inputs for up to 12 inputs)', SPLITS),
    )
    .addOption(
      new NameOption(
        '--arithmetic <level>',
        'strongest claim that a proof is tried for: nearest, real, deployed (default: deployed)',
        ARITHMETICS,
      ),
    )
    .addOption(new NameOption(device!, 'device that computes (default: auto)', namesOf(FIELDS.device, standardCatalog)))
    .optionsGroup(GROUPS.output)
    .option('--results <file>', "write the verdict, and the witness, in the competition's format (default: none)")
    .option(
      '--certificate <file>',
      'write a certificate of what is proved, .cert.json or .cert.json.gz; check it with npx @cert/check (default: none)',
    );
  return addOutputOptions(command, 'each result');
}

import { FIELDS, flagsOf, namesOf, standardCatalog } from '@cert/trainer/pipeline';
import { type Command, Option } from 'commander';
import { FORMAT_NAMES, FORMATS } from '../export/formats.js';
import { DATA_OPTION } from './dataset-option.js';
import { CHECKPOINTS } from './eval-options.js';
import { GROUPS } from './groups.js';
import { NameOption } from './name-option.js';
import { addOutputOptions } from './output-options.js';
import { addRunPluginOptions } from './plugin-option.js';
import { TIMEOUT } from './verify-options.js';

/** The words for the layouts of images. */
export const LAYOUTS = ['nchw', 'nhwc'] as const;

/** The words for the batch axis. */
export const BATCHES = ['1', 'any'] as const;

/** Gives `cert export` its arguments and options. */
export function addExportOptions(command: Command): Command {
  const [device] = flagsOf('device', FIELDS.device);
  const formats = FORMAT_NAMES.map((name) => `${name} (${FORMATS[name].about})`);
  command
    .argument('<network>', 'folder of a run, checkpoint file, or ONNX file')
    .optionsGroup('Network:')
    .addOption(
      new NameOption(
        '--format <name>',
        `file format: ${formats.join(', ')} (default: by the name of --out, else onnx)`,
        FORMAT_NAMES,
      ),
    )
    .addOption(new NameOption('--checkpoint <name>', 'checkpoint of the run: last, best (default: last)', CHECKPOINTS))
    .addOption(
      new NameOption(
        '--layout <order>',
        'axes of images in an ONNX file: nchw (batch, channels, height, width), nhwc (batch, height, width, channels) (default: nchw)',
        LAYOUTS,
      ),
    )
    .addOption(
      new NameOption('--batch <size>', 'batch axis of an ONNX file: 1, or any (symbolic) (default: any)', BATCHES),
    )
    .option('--fold-batch-norm', 'fold BatchNorm into the layers in front of it (default: keep it)')
    .option(
      '--columns',
      'give an ONNX file one input for each column of the training table, numbers and texts of categories (default: one input with all features)',
    )
    .optionsGroup('Properties of test images:')
    .option(
      '--vnnlib <n>',
      'also write robustness properties (VNN-LIB 1.0) of the first N correctly classified test images, and instances.csv (default: none)',
    )
    .option('--epsilon <radius>', 'l-infinity radius, such as 0.1 or 8/255 (default: radius of the run)')
    .addOption(
      new NameOption(
        '--dataset <name>',
        'dataset of the images (default: dataset of the run)',
        Object.keys(standardCatalog.datasets),
      ),
    )
    .option(...DATA_OPTION)
    .option('--timeout <seconds>', `time limit per property in instances.csv, in seconds (default: ${TIMEOUT})`)
    .addOption(
      new NameOption(device!, 'compute device (default: auto)', namesOf(FIELDS.device, standardCatalog)).helpGroup(
        GROUPS.run,
      ),
    );
  addRunPluginOptions(command);
  command
    .optionsGroup(GROUPS.output)
    .option(
      '--out <file>',
      'file to write; properties are written beside it (default: export/<checkpoint> in the run, else the name of the network in the current folder)',
    )
    .addOption(new Option('--overwrite', 'overwrite existing files (default: refuse)'));
  return addOutputOptions(command, 'what was written');
}

import { CertError } from '@cert/core';
import { disposeTree, putParams } from '@cert/jit';
import { loadTestData, readRunPlugins, searchVerifiers } from '@cert/trainer/pipeline';
import { createPointCertifier } from '@cert/verify';
import type { Command } from 'commander';
import { calledAs } from '../called-as.js';
import { imageAt, imageFile } from '../predict/input.js';
import { predict } from '../predict/predict.js';
import { readTrained } from '../predict/trained-network.js';
import { liveLine } from '../show/live-line.js';
import { predictionText } from '../show/prediction-text.js';
import { progressReporter } from '../show/progress.js';
import { duration } from '../show/quantities.js';
import type { Terminal } from '../terminal.js';
import { readNumber, readRadius } from '../verify/read-number.js';
import { readMethods, readTolerance, TIMEOUT, TOLERANCE } from './certifier-options.js';
import { CHECKPOINTS } from './eval-options.js';
import { openDeviceFor } from './open-device.js';
import { conflict, type RawOptions, readWord } from './options.js';
import { addRunPluginOptions, catalogIn, catalogOf, type PluginOption } from './plugin-option.js';
import { readArithmetic } from './read-arithmetic.js';

/** Makes `cert predict`. */
export async function addPredict(
  command: Command,
  terminal: Terminal,
  signal: AbortSignal,
  _done: (status: number) => void,
  args: readonly string[],
): Promise<void> {
  const known = await catalogIn(args);
  const searches = Object.keys(searchVerifiers({})).join(' and ');
  command
    .argument('<run>', 'folder of a run')
    .argument('[image]', 'PNG or JPEG file with the input size of the network')
    .option('--index <n>', 'use image N of the test split, from 0, instead of a file')
    .option('--epsilon <radius>', 'l-infinity radius of the margin, such as 0.1 or 8/255 (default: radius of the run)')
    .option('--label <class>', 'class to certify, by number or name (default: predicted class)')
    .option(
      '--methods <names>',
      `comma-separated bound methods: ${Object.keys(known.verifiers).join(', ')} (default: ibp)`,
    )
    .option('--tolerance <fraction>', `relative precision of the certified radius (default: ${TOLERANCE})`)
    .option('--timeout <seconds>', `time limit per radius for ${searches}, in seconds (default: ${TIMEOUT})`)
    .option(
      '--arithmetic <level>',
      'what the certificate claims: nearest, real, deployed, as in cert eval (default: deployed)',
    )
    .option('--checkpoint <name>', 'checkpoint of the run: last, best (default: last)')
    .option('--device <name>', 'compute device (default: device of the run)')
    .option('--json', 'print one line of JSON instead of text (default: text)');
  addRunPluginOptions(command).action(
    async (folder: string, file: string | undefined, { json, plugin, trust, ...raw }: RawOptions & Switches) => {
      checkTogether(file, raw);
      const catalog = await catalogOf({ plugin, trust }, { folder, plugins: await readRunPlugins(folder) });
      const arithmetic = readArithmetic(raw.arithmetic);
      const methods = readMethods(raw.methods ?? 'ibp', catalog);
      const timeout = raw.timeout === undefined ? TIMEOUT : readNumber('--timeout', raw.timeout);
      const tolerance = readTolerance(raw.tolerance);
      const { config, model, params, stats, checkpoint } = await readTrained(
        folder,
        readWord('--checkpoint', raw.checkpoint ?? 'last', CHECKPOINTS),
        catalog,
      );
      const epsilon = raw.epsilon === undefined ? config.epsilon : readRadius('--epsilon', raw.epsilon);
      const report = progressReporter(json ? { ...terminal, out: terminal.err, screen: null } : terminal);
      const decoding = (images: number, of: number) => {
        report({ type: 'decoding', images, of });
        signal.throwIfAborted();
      };
      const data = await loadTestData(config, decoding, catalog).finally(report.close);
      const input =
        file === undefined
          ? imageAt(readNumber('--index', raw.index!), data, config.dataset, model)
          : await imageFile(file, model, data.range);
      const certify = raw.label === undefined ? null : readLabel(raw.label, model.classes, data.classNames);
      const device = await openDeviceFor(terminal, raw.device ?? config.device);
      const weights = { params: putParams(device, params), stats: putParams(device, stats) };
      const { classNames, range } = data;
      const found = searchVerifiers({ timeout, rules: catalog.rules });
      const verifiers = methods.map((name) => found[name] ?? catalog.verifiers[name]!);
      const certifier = createPointCertifier({
        ...{ device, model, weights, range, verifiers, arithmetic, signal },
        natural: catalog.rules.natural,
      });
      const began = performance.now();
      const line = () => `certifying ... ${duration((performance.now() - began) / 1000)}`;
      const live = json || terminal.screen === null ? undefined : liveLine(terminal.screen, line);
      try {
        const result = await predict({ certifier, ...input, certify, classNames, epsilon, tolerance });
        live?.close();
        const { about } = input;
        terminal.out(
          json
            ? JSON.stringify({ image: about, checkpoint, ...result, methods, arithmetic })
            : predictionText(result, { ...terminal, about, classNames, methods, arithmetic }),
        );
      } finally {
        live?.close();
        await certifier.dispose();
        disposeTree(weights);
        await device.dispose();
      }
    },
  );
}

type Switches = PluginOption & { readonly json?: boolean };

/** @throws CertError `bad-argument` for an image file beside an index, and for neither */
function checkTogether(file: string | undefined, { index }: RawOptions): void {
  if (file !== undefined && index !== undefined) {
    throw conflict('An image file and --index were both given.', 'Give one of them.');
  }
  if (file === undefined && index === undefined) {
    throw new CertError(
      'bad-argument',
      'No image was given to cert predict.',
      `Usage: ${calledAs()} predict RUN IMAGE.png, or ${calledAs()} predict RUN --index N. For all options: ${calledAs()} predict --help.`,
    );
  }
}

/** A class, by its number or by its name. */
function readLabel(text: string, classes: number, classNames: readonly string[] | undefined): number {
  const named = classNames?.indexOf(text) ?? -1;
  const label = named >= 0 ? named : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (label < classes) return label;
  const names = classNames === undefined ? '' : `, or a name: ${classNames.slice(0, 20).join(', ')}`;
  throw new CertError(
    'bad-argument',
    `--label is ${JSON.stringify(text)}.`,
    `Give a class from 0 to ${classes - 1}${names}.`,
  );
}

import { CertError } from '@cert/core';
import type { Dataset } from '@cert/datasets';
import { disposeTree, putParams } from '@cert/jit';
import {
  duration,
  exampleWords,
  FIELDS,
  flagsOf,
  loadTestData,
  namesOf,
  perturbationOf,
  searchVerifiers,
  standardCatalog,
  toleranceOf,
} from '@cert/trainer/pipeline';
import { createPointCertifier } from '@cert/verify';
import type { Command } from 'commander';
import { calledAs } from '../called-as.js';
import { checkImageFile, imageAt, imageFile, type PredictionInput } from '../predict/input.js';
import { predict } from '../predict/predict.js';
import { createValuePredictor, refuseLabel } from '../predict/predict-value.js';
import { isTable, rowInputs } from '../predict/row-inputs.js';
import { checkGiven, ofTheData, type PredictingNetwork, readPredicting } from '../predict/trained-network.js';
import { recordedPlugins } from '../runs/locate-checkpoint.js';
import { liveLine } from '../show/live-line.js';
import { type PredictionLook, predictionText } from '../show/prediction-text.js';
import { predictionsTable, valuesTable } from '../show/predictions-table.js';
import { progressReporter } from '../show/progress.js';
import { valueText } from '../show/value-text.js';
import type { Terminal } from '../terminal.js';
import { readNumber, readRadius } from '../verify/read-number.js';
import { readMethods, readTolerance, TIMEOUT, TOLERANCE } from './certifier-options.js';
import { CHECKPOINTS } from './eval-options.js';
import { NameOption } from './name-option.js';
import { openDeviceFor } from './open-device.js';
import { addFields, conflict, type RawOptions, readFields, readWord } from './options.js';
import { addOutputOptions, type OutputOptions, progressTerminal } from './output-options.js';
import { addRunPluginOptions, catalogIn, catalogOf, type PluginOption } from './plugin-option.js';
import { ARITHMETICS, readArithmetic } from './read-arithmetic.js';
import { readLabel } from './read-label.js';

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
  const methods = Object.keys(known.verifiers);
  const [device] = flagsOf('device', FIELDS.device);
  command
    .argument('<network>', 'folder of a run, checkpoint file, ONNX file, or TensorFlow.js model (model.json)')
    .argument('[input]', 'PNG or JPEG image of the input size of the network, or CSV table of rows')
    .option('--index <n>', 'use image or row N of the test split, from 0, instead of a file')
    .option('--epsilon <radius>', 'l-infinity radius of the margin, such as 0.1 or 8/255 (default: radius of the run)')
    .option('--label <class>', 'class to certify, by number or name (default: predicted class)')
    .addOption(
      new NameOption(
        '--methods <names>',
        `comma-separated bound methods: ${methods.join(', ')} (default: ibp)`,
        methods,
      ),
    )
    .option(
      '--delta <tolerance>',
      'regression: certify that the prediction moves by less than this, in the units of the label (default: as in the run)',
    )
    .option('--tolerance <fraction>', `relative precision of the certified radius (default: ${TOLERANCE})`)
    .option('--timeout <seconds>', `time limit per radius for ${searches}, in seconds (default: ${TIMEOUT})`)
    .addOption(
      new NameOption(
        '--arithmetic <level>',
        'what the certificate claims: nearest, real, deployed, as in cert eval (default: deployed)',
        ARITHMETICS,
      ),
    )
    .addOption(new NameOption('--checkpoint <name>', 'checkpoint of the run: last, best (default: last)', CHECKPOINTS))
    .addOption(
      new NameOption(device!, 'compute device (default: device of the run)', namesOf(FIELDS.device, standardCatalog)),
    );
  addFields(command, { of: ofTheData, catalog: known });
  addRunPluginOptions(command);
  addOutputOptions(command, 'the prediction').action(
    async (
      path: string,
      file: string | undefined,
      { json = false, quiet = false, plugin, trust, ...raw }: RawOptions & Switches,
    ) => {
      checkTogether(file, raw);
      if (file !== undefined) await checkImageFile(file);
      const catalog = await catalogOf({ plugin, trust }, await recordedPlugins(path));
      const arithmetic = readArithmetic(raw.arithmetic);
      const chosen = readMethods(raw.methods ?? 'ibp', catalog);
      const timeout = raw.timeout === undefined ? TIMEOUT : readNumber('--timeout', raw.timeout);
      const tolerance = readTolerance(raw.tolerance);
      const network = await readPredicting(
        path,
        readWord('--checkpoint', raw.checkpoint ?? 'last', CHECKPOINTS),
        readFields(raw, ofTheData, catalog),
        catalog,
      );
      checkGiven(path, network, raw);
      for (const note of network.notes) terminal.err(`note: ${note}`);
      const { config, model, params, stats, checkpoint, facts } = network;
      const epsilon = raw.epsilon === undefined ? config.epsilon : readRadius('--epsilon', raw.epsilon);
      const report = progressReporter(progressTerminal(terminal, { json, quiet }));
      const decoding = (images: number, of: number) => {
        report({ type: 'decoding', images, of });
        signal.throwIfAborted();
      };
      const testData = () => loadTestData(config, decoding, catalog).finally(report.close);
      const { inputs, known } = await inputsOf(file, network, testData, (data) =>
        imageAt(readNumber('--index', raw.index!), data, config.dataset, model),
      );
      const { target, classNames = facts?.classNames } = known;
      if (target !== undefined) refuseLabel(raw.label);
      const certify = raw.label === undefined ? null : readLabel(raw.label, model.classes, classNames);
      const given = raw.delta === undefined ? config.delta : readNumber('--delta', raw.delta);
      const delta = toleranceOf(
        { delta: raw.delta === undefined && !target ? null : given, dataset: config.dataset },
        { target },
      );
      const device = await openDeviceFor(terminal, raw.device ?? config.device);
      const weights = { params: putParams(device, params), stats: putParams(device, stats) };
      const words = exampleWords(config.dataset, model.inputShape);
      const perturbation = perturbationOf(config, { name: config.dataset, ...known, shape: model.inputShape });
      const ofRun = config.perturbation === null ? undefined : ('set' as const);
      const reach: PredictionLook['reach'] =
        perturbation.kind === 'l2' ? 'l2' : (ofRun ?? (known.featureScale ? 'scaled' : 'each'));
      const found = searchVerifiers({ timeout, rules: catalog.rules });
      const verifiers = chosen.map((name) => found[name] ?? catalog.verifiers[name]!);
      const setting = {
        ...{ device, model, weights, perturbation, verifiers, arithmetic, signal },
        natural: catalog.rules.natural,
      };
      const began = performance.now();
      let done = 0;
      const which = () => (inputs.length === 1 ? '' : `${words.one} ${done + 1} of ${inputs.length} `);
      const line = () => `certifying ${which()}... ${duration((performance.now() - began) / 1000)}`;
      const live = json || quiet || terminal.screen === null ? undefined : liveLine(terminal.screen, line);
      const looks = { ...terminal, methods: chosen, arithmetic, words, reach };
      /** Shows what is found: as JSON at once, as text alone, as a table at the end. */
      async function show<Found>(
        find: (input: PredictionInput) => Promise<Found>,
        text: (found: Found, about: string) => string,
        asTable: (found: readonly Found[]) => string,
      ): Promise<void> {
        const all: Found[] = [];
        for (const input of inputs) {
          signal.throwIfAborted();
          const found = await find(input);
          done++;
          if (json)
            terminal.out(JSON.stringify({ image: input.about, checkpoint, ...found, methods: chosen, arithmetic }));
          all.push(found);
        }
        live?.close();
        if (json) return;
        terminal.out(inputs.length === 1 ? text(all[0]!, inputs[0]!.about) : asTable(all));
      }
      try {
        if (target !== undefined && delta !== null) {
          const predictor = createValuePredictor({ ...setting, epsilon, delta, tolerance });
          try {
            await show(
              ({ pixels, target: label }) => predictor.predict({ pixels, label }),
              (found, about) => valueText(found, { ...looks, about, target: target.name }),
              (found) => valuesTable(found, { ...looks, target: target.name }),
            );
          } finally {
            await predictor.dispose();
          }
          return;
        }
        const certifier = createPointCertifier(setting);
        try {
          await show(
            (input) => predict({ certifier, ...input, certify, classNames, epsilon, tolerance }),
            (found, about) => predictionText(found, { ...looks, about, classNames }),
            (found) => predictionsTable(found, { ...looks, classNames }),
          );
        } finally {
          await certifier.dispose();
        }
      } finally {
        live?.close();
        disposeTree(weights);
        await device.dispose();
      }
    },
  );
}

type Switches = PluginOption & OutputOptions;

/** What a prediction needs of a dataset. */
type KnownData = Pick<Dataset, 'range' | 'classNames' | 'featureNames' | 'categories' | 'featureScale' | 'target'>;

/** What is to be predicted. Files need nothing of the dataset but what a checkpoint knows. */
async function inputsOf(
  file: string | undefined,
  { model, facts }: Pick<PredictingNetwork, 'model' | 'facts'>,
  testData: () => Promise<KnownData & Pick<Dataset, 'test'>>,
  indexed: (data: Pick<Dataset, 'test'>) => PredictionInput,
): Promise<{ readonly known: KnownData; readonly inputs: readonly PredictionInput[] }> {
  if (file === undefined) {
    const known = await testData();
    return { known, inputs: [indexed(known)] };
  }
  const rows = facts?.rows && { ...facts.rows, target: facts.rows.target ?? undefined };
  if (!isTable(file)) {
    const known = facts ?? (await testData());
    return { known, inputs: [await imageFile(file, model, known.range)] };
  }
  const known = facts && rows ? { ...facts, ...rows } : await testData();
  return { known, inputs: await rowInputs(file, model, known) };
}

/** @throws CertError `bad-argument` for an image file beside an index, and for neither */
function checkTogether(file: string | undefined, { index }: RawOptions): void {
  if (file !== undefined && index !== undefined) {
    throw conflict('A file and --index were both given.', 'Give one of them.');
  }
  if (file === undefined && index === undefined) {
    throw new CertError(
      'bad-argument',
      'No input was given to cert predict.',
      `Usage: ${calledAs()} predict RUN IMAGE.png, ${calledAs()} predict RUN ROWS.csv, or ${calledAs()} predict RUN --index N. For all options: ${calledAs()} predict --help.`,
    );
  }
}

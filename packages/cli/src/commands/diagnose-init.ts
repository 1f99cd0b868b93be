import { CertError, createRng, describeValue, type Shape } from '@cert/core';
import { type Dataset, imagesOf, subset } from '@cert/datasets';
import type { Initializer } from '@cert/init';
import {
  type Catalog,
  type Choices,
  canonicalName,
  exampleWords,
  FIELDS,
  freePath,
  initializerOf,
  loadData,
  makeNamed,
  perturbationOf,
  type RunConfig,
  resolveConfig,
} from '@cert/trainer/pipeline';
import type { Command } from 'commander';
import { meanRadiusFigure } from '../plots/mean-radius.js';
import type { Heading } from '../plots/render.js';
import { showCount } from '../show/count.js';
import { compareInits, formatInitReport, type InitReport } from '../show/init-report.js';
import { painter } from '../show/paint.js';
import { tableFormat } from '../show/table.js';
import { widthOf, wrapText } from '../show/width.js';
import type { Terminal } from '../terminal.js';
import { GROUPS } from './groups.js';
import { NameOption } from './name-option.js';
import { openDeviceFor } from './open-device.js';
import {
  addFields,
  conflict,
  type FieldFilter,
  named,
  optionsOfEvery,
  type RawOptions,
  readFields,
} from './options.js';
import { addOutputOptions, type OutputOptions } from './output-options.js';
import { addPluginOption, catalogIn, catalogOf, type PluginOption } from './plugin-option.js';
import { saveDiagnosis } from './save.js';

const OPTIONS: FieldFilter = (name, field) =>
  named('model', 'dataset', 'epsilon', 'device')(name, field) ||
  optionsOfEvery('model')(name, field) ||
  optionsOfEvery('dataset')(name, field);

/** As in the paper's figure: nothing but the initialization keeps bounds from growing. */
const NETWORK = { model: 'cnn7', batchNorm: 'none' } as const;

/** What the options that are no field of a run stand for when they are left out. */
const USUAL = { inits: 'xavier,kaiming,orthogonal,ibp', seeds: '0', images: '16', classes: '10' };

/** Adds `cert diagnose init`. */
export async function addDiagnoseInit(
  diagnose: Command,
  terminal: Terminal,
  signal: AbortSignal,
  args: readonly string[],
): Promise<void> {
  const known = await catalogIn(args);
  const command = diagnose
    .command('init')
    .description('show how the bounds of a model grow from layer to layer at initialization')
    .addOption(
      new NameOption(
        '--inits <names>',
        `comma-separated initializations to compare: ${Object.keys(known.initializers).join(', ')} (default: ${USUAL.inits})`,
        Object.keys(known.initializers),
      ),
    )
    .option('--seeds <numbers>', `comma-separated seeds; results are averaged over seeds (default: ${USUAL.seeds})`)
    .option('--images <n>', `number of training images to measure (default: ${USUAL.images})`)
    .option(
      '--input-shape <sizes>',
      'use random images of this shape, such as 32,32,3 (default: images of the dataset)',
    )
    .option('--classes <n>', `number of classes with --input-shape (default: ${USUAL.classes})`)
    .optionsGroup(GROUPS.output)
    .option('--out <folder>', 'folder for init.json and init.svg (default: diagnose/init-<model>, numbered)');
  addPluginOption(command);
  addFields(command, { of: OPTIONS, catalog: known, values: resolveConfig(NETWORK) });
  addOutputOptions(command, 'the diagnosis').action(
    async ({ json = false, quiet = false, plugin, ...raw }: RawOptions & PluginOption & OutputOptions) => {
      refuseBoth(raw);
      const catalog = await catalogOf({ plugin });
      const config = resolveConfig(networkOf(readFields(raw, OPTIONS, catalog), catalog), catalog);
      if (config.epsilon === 0) throw badOption('--epsilon', '0', 'a radius greater than 0');
      const inits = readInits(raw.inits ?? USUAL.inits, config, catalog);
      const seeds = [...new Set(wholeNumbers('--seeds', raw.seeds ?? USUAL.seeds, 0))];
      const source = await chooseImages(raw, config, catalog);
      const { shape: inputShape, classes, normalize, images } = source;
      const model = makeNamed('model', config.model, catalog.models, config, { inputShape, classes, normalize });
      const device = await openDeviceFor(terminal, config.device);
      const shown = json || quiet ? undefined : showCount(terminal, Object.keys(inits).length * seeds.length);
      const onProgress = (done: number, init: string, seed: number) => shown?.next(done, `${init}, seed ${seed}`);
      try {
        const report = await compareInits({
          device,
          model,
          rules: catalog.rules,
          inits,
          seeds,
          images,
          perturbation: perturbationOf({ epsilon: config.epsilon }, source),
          onProgress,
          signal,
        });
        shown?.close();
        const { width = null, dense = null, batchNorm = null, options } = config;
        const size = { width, dense, batchNorm, ...(Object.keys(options).length > 0 && { options }) };
        const settings = { model: config.model, ...size, inputShape, classes, data: source.name };
        const result = { ...settings, ...report, device: device.name };
        const folder = raw.out ?? freePath('diagnose', `init-${config.model}`);
        const heading = headingOf(config, source, report);
        await saveDiagnosis(folder, 'init', result, meanRadiusFigure(report.inits, heading));
        const { title, subtitle } = heading;
        const text = [
          ...[
            '',
            painter(terminal)('heading', title),
            ...subtitle.flatMap((line) => wrapText(line, widthOf(terminal))),
          ],
          ...['', formatInitReport(report, tableFormat(terminal)), '', `init.json and init.svg are in ${folder}`],
        ];
        terminal.out(json ? JSON.stringify({ ...result, folder }) : text.join('\n'));
      } finally {
        shown?.close();
        await device.dispose();
      }
    },
  );
}

/** The network that is looked at: without BatchNorm where nothing else is chosen and the model has the choice. */
function networkOf(given: Choices, { models }: Catalog): Choices {
  const { model = NETWORK.model } = given;
  const entry = Object.hasOwn(models, model) ? models[model] : undefined;
  const hasChoice = typeof entry === 'object' && 'batchNorm' in entry.options;
  return { model, ...(hasChoice && { batchNorm: NETWORK.batchNorm }), ...given };
}

/** What stands over the tables and the figure. */
function headingOf({ model, batchNorm, epsilon }: RunConfig, { name, shape }: Source, report: InitReport): Heading {
  const { parameters, images, seeds } = report;
  return {
    title: `Bounds at initialization: ${model}`,
    subtitle: [
      `${batchNorm == null ? '' : `BatchNorm ${batchNorm}, `}${parameters.toLocaleString('en')} parameters`,
      `IBP at epsilon ${epsilon}, ${images} ${exampleWords(name, shape).many} of ${name} (${shape.join('x')}), seed ${seeds.join(', ')}`,
    ],
  };
}

/** What is measured on. */
interface Source extends Pick<Dataset, 'name' | 'range' | 'normalize'> {
  readonly shape: Shape;
  readonly classes: number;
  /** Row-major [count, ...shape]. */
  readonly images: Float32Array;
}

/** The first training images of the dataset, or random ones of the shape that was asked for. */
async function chooseImages(raw: RawOptions, config: RunConfig, catalog: Catalog): Promise<Source> {
  const count = wholeNumber('--images', raw.images ?? USUAL.images, 1);
  if (raw.inputShape === undefined) {
    if (raw.classes !== undefined) {
      throw conflict(
        '--classes was given without --input-shape.',
        'Leave --classes out: the dataset defines the number of classes.',
      );
    }
    const { name, train, range, normalize } = await loadData({ ...config, limit: count }, undefined, catalog);
    return {
      name,
      shape: train.shape,
      classes: train.classes,
      range,
      normalize,
      images: imagesOf(subset(train, count)).images,
    };
  }
  const shape = wholeNumbers('--input-shape', raw.inputShape, 1);
  const classes = wholeNumber('--classes', raw.classes ?? USUAL.classes, 2);
  const { uniform } = createRng(0, 'random images', ...shape);
  const length = shape.reduce((a, b) => a * b, count);
  return {
    name: 'random pixels',
    shape,
    classes,
    range: { min: 0, max: 1 },
    images: Float32Array.from({ length }, uniform),
  };
}

/** @throws CertError `bad-argument` for a dataset beside random images */
function refuseBoth(raw: RawOptions): void {
  if (raw.inputShape === undefined) return;
  for (const name of ['dataset', 'data'] as const) {
    if (raw[name] === undefined) continue;
    throw conflict(
      `--${name} and --input-shape were both given.`,
      'Leave out one of them: with --input-shape, random images are used.',
    );
  }
}

/** @throws CertError `bad-argument` for an unknown initialization, with the nearest ones */
function readInits(
  text: string,
  config: RunConfig,
  { initializers }: Catalog,
): { readonly [name: string]: Initializer } {
  const known = Object.keys(initializers);
  const names = text.split(',').map((name) => canonicalName(name.trim(), known, FIELDS.init.aliases));
  return Object.fromEntries(names.map((name) => [name, initializerOf(name, config, initializers)]));
}

/** Whole numbers with commas between them. */
function wholeNumbers(option: string, text: string, least: number): number[] {
  const numbers = text.split(',').map(toNumber);
  if (numbers.every((n) => isWhole(n, least))) return numbers;
  throw badOption(option, text, `comma-separated whole numbers of at least ${least}`);
}

function wholeNumber(option: string, text: string, least: number): number {
  const number = toNumber(text);
  if (isWhole(number, least)) return number;
  throw badOption(option, text, `a whole number of at least ${least}`);
}

const toNumber = (text: string) => (text.trim() === '' ? Number.NaN : Number(text));
const isWhole = (n: number, least: number) => Number.isSafeInteger(n) && n >= least;

const badOption = (option: string, text: string, wanted: string) =>
  new CertError(
    'bad-argument',
    `${option} is ${Number.isNaN(toNumber(text)) ? describeValue(text) : text}.`,
    `Give ${wanted}.`,
  );

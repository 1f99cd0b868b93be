import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { CertError } from '@cert/core';
import { makeFolder, writeFileAtomic } from '@cert/models/node';
import { type Catalog, duration, type RunConfig, resolveConfig } from '@cert/trainer/pipeline';
import type { Command } from 'commander';
import { columnsOf } from '../export/columns.js';
import {
  type ExportedFile,
  type ExportFormat,
  type ExportSettings,
  FORMAT_NAMES,
  FORMATS,
  type FormatName,
} from '../export/formats.js';
import { imageProperties, propertyPaths } from '../export/properties.js';
import { type ExportSource, readSource } from '../export/source.js';
import { fitted, jsonOf, textOf, type Written } from '../export/written.js';
import { recordedPlugins } from '../runs/locate-checkpoint.js';
import { liveLine } from '../show/live-line.js';
import type { Terminal } from '../terminal.js';
import { readNumber, readRadius } from '../verify/read-number.js';
import { withDataset } from './dataset-option.js';
import { CHECKPOINTS } from './eval-options.js';
import { addExportOptions, BATCHES, LAYOUTS } from './export-options.js';
import { openDeviceFor } from './open-device.js';
import { canonical, conflict, type RawOptions, readWord } from './options.js';
import { type OutputOptions, progressTerminal } from './output-options.js';
import { catalogOf, type PluginOption } from './plugin-option.js';
import { TIMEOUT } from './verify-options.js';

/** Makes `cert export`. */
export async function addExport(command: Command, terminal: Terminal, signal: AbortSignal): Promise<void> {
  addExportOptions(command).action(
    async (
      path: string,
      {
        json = false,
        quiet = false,
        plugin,
        trust,
        overwrite = false,
        foldBatchNorm = false,
        columns = false,
        ...raw
      }: RawOptions & Switches,
    ) => {
      const name = formatOf(raw.format, raw.out);
      const format: ExportFormat = FORMATS[name];
      refuseForeign(name, format, {
        ...raw,
        ...(foldBatchNorm && { foldBatchNorm: '' }),
        ...(columns && { columns: '' }),
      });
      const chosen = {
        layout: raw.layout === undefined ? 'nchw' : readWord('--layout', raw.layout, LAYOUTS),
        batch: raw.batch === undefined || readWord('--batch', raw.batch, BATCHES) === 'any' ? 'any' : 1,
        foldBatchNorm,
      } as const;
      const which = raw.checkpoint === undefined ? undefined : readWord('--checkpoint', raw.checkpoint, CHECKPOINTS);
      const images = readImages(raw);
      if (columns && images !== undefined) {
        throw conflict(
          '--columns was given with --vnnlib, whose properties are about one input with all features.',
          'Export twice, with one of them each.',
        );
      }
      if (raw.out !== undefined) refuseExisting(raw.out, images !== undefined, overwrite);
      const catalog = await catalogOf({ plugin, trust }, await recordedPlugins(path));
      const work = progress(progressTerminal(terminal, { json, quiet }));
      const device = await openDeviceFor(terminal, raw.device ?? 'auto');
      try {
        const source = await readSource(path, which, device, catalog);
        for (const note of source.notes) terminal.err(`note: ${note}`);
        const settings: ExportSettings = { ...chosen, columns: columns ? tableColumns(source) : undefined };
        const out = raw.out ?? `${source.target}${format.suffix}`;
        refuseSource(out, source);
        refuseExisting(out, images !== undefined, overwrite);
        const files = format.files(out, source.network, settings, source.facts, source.metadata);
        work.say('comparing with ONNX Runtime');
        const difference = await format.confirm?.(files[0]!.bytes, source.network, settings, device);
        const properties =
          images === undefined
            ? undefined
            : await imageProperties({
                ...{ source, settings, out, catalog, device, signal },
                ...images,
                config: datasetOf(source, raw, catalog),
                onDecoding: (done, of) => work.say(`decoding images ${done}/${of}`),
                onClassifying: (tried) => work.say(`classifying ${tried}`),
              });
        if (images !== undefined && properties!.images.length < images.count) {
          terminal.err(
            `note: --vnnlib is ${images.count}, but only ${properties!.images.length} of the ${properties!.tried} test images are classified correctly.`,
          );
        }
        const all = [...files, ...(properties?.files ?? [])];
        if (!overwrite) for (const { path: file } of all) refuseFile(file);
        await writeAll(all);
        work.close();
        const written: Written = { name, format, files, source, settings, difference, properties };
        if (json) terminal.out(JSON.stringify(jsonOf(written)));
        else
          terminal.out(
            textOf(written)
              .flatMap((line) => fitted(line, terminal))
              .join('\n'),
          );
      } finally {
        work.close();
        await device.dispose();
      }
    },
  );
}

interface Switches extends OutputOptions, PluginOption {
  readonly overwrite?: boolean;
  readonly foldBatchNorm?: boolean;
  readonly columns?: boolean;
}

/** The format that was asked for, or the one that a file's name asks for. */
function formatOf(given: string | undefined, out: string | undefined): FormatName {
  const named = given === undefined ? undefined : readWord('--format', given, FORMAT_NAMES);
  if (out === undefined) return named ?? 'onnx';
  const format = named ?? FORMAT_NAMES.find((each) => out.endsWith(FORMATS[each].suffix));
  if (format !== undefined && out.endsWith(FORMATS[format].suffix)) return format;
  const suffixes = format === undefined ? FORMAT_NAMES.map((each) => FORMATS[each].suffix) : [FORMATS[format].suffix];
  throw new CertError(
    'bad-argument',
    `--out is ${JSON.stringify(out)}.`,
    `Give a file whose name ends in ${suffixes.join(' or ')}.`,
  );
}

/** The options that not every format has. */
const OPTIONS = {
  layout: '--layout',
  batch: '--batch',
  foldBatchNorm: '--fold-batch-norm',
  columns: '--columns',
  vnnlib: '--vnnlib',
} as const;

/** @throws CertError `bad-argument` for an option that a format does not have */
function refuseForeign(name: FormatName, { options }: ExportFormat, raw: RawOptions): void {
  for (const [key, flag] of Object.entries(OPTIONS)) {
    if (raw[key] === undefined || options.some((option) => option === key)) continue;
    throw conflict(
      `${flag} was given, but the format ${name} does not use it.`,
      'Leave it out, or give --format onnx.',
    );
  }
}

/** @throws CertError `bad-argument` for a network whose columns are not known */
function tableColumns({ path, rows }: ExportSource): NonNullable<ExportSettings['columns']> {
  if (rows !== undefined) return columnsOf(rows, path);
  throw new CertError(
    'bad-argument',
    `--columns was given, but ${path} does not know the columns of a table.`,
    'Leave it out, or give a run or a checkpoint that was trained on a table.',
  );
}

/** How many images get a property, and the seconds for each; undefined for none. */
function readImages(raw: RawOptions): { readonly count: number; readonly timeout: number } | undefined {
  if (raw.vnnlib === undefined) {
    for (const [key, flag] of Object.entries({
      epsilon: '--epsilon',
      dataset: '--dataset',
      data: '--data',
      timeout: '--timeout',
    })) {
      if (raw[key] !== undefined) throw conflict(`${flag} requires --vnnlib.`, 'Leave it out, or give --vnnlib N.');
    }
    return undefined;
  }
  const count = readNumber('--vnnlib', raw.vnnlib);
  if (!Number.isInteger(count) || count < 1) {
    throw new CertError('bad-argument', `--vnnlib is ${raw.vnnlib}.`, 'Give a whole number of images, at least 1.');
  }
  const timeout = raw.timeout === undefined ? TIMEOUT : readNumber('--timeout', raw.timeout);
  if (timeout === 0) throw new CertError('bad-argument', '--timeout is 0.', 'Give a number of seconds above 0.');
  if (raw.epsilon !== undefined) readRadius('--epsilon', raw.epsilon);
  return { count, timeout };
}

/** Dataset and radius of the properties. */
function datasetOf({ config, path }: ExportSource, raw: RawOptions, catalog: Catalog): RunConfig {
  const dataset = canonical(raw.dataset, catalog.datasets);
  if (config === undefined && (dataset === undefined || raw.epsilon === undefined)) {
    throw new CertError(
      'bad-argument',
      `--vnnlib was given without ${dataset === undefined ? 'a dataset' : 'a radius'}, and ${path} does not name one.`,
      'Give --dataset NAME and --epsilon RADIUS, or the folder of a run.',
    );
  }
  const chosen = withDataset(config ?? resolveConfig({}, catalog), raw, catalog);
  return raw.epsilon === undefined ? chosen : { ...chosen, epsilon: readRadius('--epsilon', raw.epsilon) };
}

/** @throws CertError `run-exists` for a file that is there */
function refuseFile(path: string): void {
  if (!existsSync(path)) return;
  throw new CertError(
    'run-exists',
    `${path} already exists.`,
    'Choose another file with --out, or give --overwrite to replace it.',
  );
}

/** Refuses early what would be refused in the end. */
function refuseExisting(out: string, hasProperties: boolean, overwrite: boolean): void {
  if (overwrite) return;
  refuseFile(out);
  if (hasProperties) refuseFile(propertyPaths(out).instances);
}

/** @throws CertError `bad-argument` where the network itself would be overwritten */
function refuseSource(out: string, { path }: ExportSource): void {
  if (resolve(out) !== resolve(path)) return;
  throw new CertError('bad-argument', `${out} is the network to export.`, 'Give another file with --out.');
}

/** The list of instances comes last: nothing in it is missing when a write fails. */
async function writeAll(files: readonly ExportedFile[]): Promise<void> {
  for (const { path, bytes } of files) {
    await makeFolder(dirname(path));
    await writeFileAtomic(path, bytes);
  }
}

/** A line about what is being done, on a screen. */
function progress({ screen }: Terminal) {
  const began = performance.now();
  let now = 'reading the network';
  const line = () => `${now} ... ${duration((performance.now() - began) / 1000)}`;
  const live = screen === null ? undefined : liveLine(screen, line);
  return {
    say(what: string) {
      now = what;
      live?.update();
    },
    close: () => live?.close(),
  };
}

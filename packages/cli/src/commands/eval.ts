import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { soundIbp } from '@cert/bounds';
import { CertError, type Model } from '@cert/core';
import { decodeCheckpoint } from '@cert/models';
import {
  type Catalog,
  type Choices,
  canonicalName,
  checkConfigOf,
  checkDataFits,
  choose,
  type ExampleWords,
  evaluatedAs,
  exampleWords,
  fieldsOf,
  loadTestData,
  number,
  perturbationOf,
  type RunConfig,
  refuseUnused,
  runOwner,
  searchVerifiers,
  toleranceOf,
} from '@cert/trainer/pipeline';
import {
  evaluateImages,
  type EvaluationProgress as Progress,
  parseShard,
  shardText,
  summaryFileOf,
} from '@cert/verify/node';
import type { Command } from 'commander';
import { calledAs } from '../called-as.js';
import { locateCheckpoint, readCheckpointFile, recordedPlugins } from '../runs/locate-checkpoint.js';
import { progressReporter } from '../show/progress.js';
import { evaluationTable } from '../show/table.js';
import type { Terminal } from '../terminal.js';
import { isLayersModel } from '../verify/layers-model.js';
import { layersCheckpoint } from '../verify/network.js';
import { readNumber } from '../verify/read-number.js';
import { ATTACK, readAttack } from './attacks.js';
import { addEvalOptions, CHECKPOINTS, ofTheRun, TIMEOUT } from './eval-options.js';
import { openDeviceFor } from './open-device.js';
import { type FieldFilter, named, optionsOfEvery, type RawOptions, readFields, readWord } from './options.js';
import { type OutputOptions, progressTerminal } from './output-options.js';
import { catalogIn, catalogOf, type PluginOption } from './plugin-option.js';
import { readArithmetic } from './read-arithmetic.js';

const ofTheEvaluation: FieldFilter = (name, field) =>
  ofTheRun(name, field) || named('attackSteps', 'attackRestarts')(name, field);

const unusedTimeout = (names: readonly string[]) =>
  new CertError(
    'bad-argument',
    '--timeout was given, but none of the chosen methods has a time limit.',
    `Leave it out, or choose a method with a time limit: --methods ibp,crown-ibp,${names.join(',')}.`,
  );

/** Makes `cert eval`. */
export async function addEval(
  command: Command,
  terminal: Terminal,
  signal: AbortSignal,
  _done: (status: number) => void,
  args: readonly string[],
): Promise<void> {
  addEvalOptions(command, await catalogIn(args)).action(
    async (
      path: string,
      {
        json = false,
        quiet = false,
        plugin,
        trust,
        complete = false,
        overwrite = false,
        ...raw
      }: RawOptions & Switches & PluginOption,
    ) => {
      const catalog = await catalogOf({ plugin, trust }, await recordedPlugins(path));
      const methods = readMethods(raw.methods, catalog);
      const timeout = raw.timeout === undefined ? TIMEOUT : readNumber('--timeout', raw.timeout);
      const searches = searchVerifiers({ timeout, rules: catalog.rules });
      const searching = methods.some((name) => name in searches);
      if (raw.timeout !== undefined && !searching) throw unusedTimeout(Object.keys(searches));
      const arithmetic = readArithmetic(raw.arithmetic);
      const chosen = readWord('--checkpoint', raw.checkpoint ?? 'last', CHECKPOINTS);
      const given = readFields(raw, ofTheEvaluation, catalog);
      const attackOf = readAttack(raw.attack, given);
      if (raw.out !== undefined) checkOut(raw.out);
      const shard = raw.shard === undefined ? undefined : parseShard(raw.shard);
      const { file: checkpoint, folder, config: trained, ofRun } = await locateCheckpoint(path, chosen, catalog);
      const config = configOf(trained, given, catalog);
      const { epsilon } = config;
      const { attack, attacks } = attackOf(config);
      const bytes = await readNetwork(checkpoint, terminal);
      const { model: trainedModel, stats, metadata, checksum, ...decoded } = decodeCheckpoint(bytes, checkpoint);
      if (ofRun) checkConfigOf(checkpoint, metadata, trained, catalog);
      if (ofRun) await tellTraining(terminal, folder, checkpoint, metadata);
      if (checksum === 'absent') terminal.err(`${checkpoint} has no checksum: damage cannot be detected.`);
      const words = exampleWords(config.dataset, trainedModel.inputShape);
      const report = progressReporter(progressTerminal(terminal, { json, quiet }), words);
      const decoding = (images: number, of: number) => {
        report({ type: 'decoding', images, of });
        signal.throwIfAborted();
      };
      const data = await loadTestData(config, decoding, catalog).finally(report.close);
      checkDataFits(trainedModel, data.test, config.dataset);
      const delta = toleranceOf(config, data);
      const tolerated = delta === null ? '' : `-delta-${number(delta)}`;
      const part = shard === undefined ? '' : `.shard-${shard.index}-of-${shard.of}`;
      const name = `${basename(checkpoint).replace(/\.(safetensors|json)$/, '')}-${epsilon}${tolerated}${part}.jsonl`;
      const file = raw.out ?? join(folder, 'eval', name);
      if (delta !== null && raw.certificates !== undefined) throw noCertificates();
      const { model, params, test, perturbation } = evaluatedAs(
        {
          ...{ model: trainedModel, test: data.test },
          perturbation: perturbationOf({ ...config, epsilon }, { ...data, shape: data.test.shape }),
        },
        delta,
      );
      if (arithmetic !== 'nearest') {
        for (const name of unsound(model, methods, catalog)) {
          terminal.err(
            `${name} does not support --arithmetic ${arithmetic}, so ${words.many} stay undecided. For bounds without a claim about rounding: --arithmetic nearest.`,
          );
        }
      }
      const device = await openDeviceFor(terminal, config.device);
      const tell = tenths(terminal, words, !json && !quiet);
      let [done, all] = [0, test.count];
      try {
        const summary = await evaluateImages({
          ...{ device, model, stats, split: test, perturbation, file, overwrite, signal, shard },
          params: { ...decoded.params, ...params },
          certificates: raw.certificates === undefined ? undefined : { folder: raw.certificates, checkpoint: bytes },
          batchSize: config.evalBatchSize,
          verifiers: methods.map((name) => searches[name] ?? catalog.verifiers[name]!),
          natural: catalog.rules.natural,
          attacks,
          settings: {
            checkpoint: createHash('sha256').update(bytes).digest('hex'),
            ...{ dataset: config.dataset, epsilon, methods, complete, arithmetic },
            ...(delta !== null && { delta }),
            ...(searching && { timeout }),
            attack,
          },
          onProgress: (state) => {
            [done, all] = [state.images, state.of];
            const { damaged = 0 } = state;
            if (damaged > 0)
              terminal.err(`Removed damaged lines: ${damaged}. Their ${words.many} are evaluated again.`);
            tell(state);
            report({ type: 'evaluating', ...state });
          },
        });
        if (json) terminal.out(JSON.stringify(summary));
        else {
          terminal.out(
            `${quiet ? '' : '\n'}${evaluationTable(summary, words, terminal)}\n\nResults per ${words.one}: ${file}\nSummary: ${summaryFileOf(file)}`,
          );
          if (shard !== undefined) {
            terminal.out(`Shard ${shardText(shard)}. When all shards are done: ${calledAs()} merge FILE...`);
          }
          if (raw.certificates !== undefined) {
            terminal.out(`Certificates: ${summary.certificates} in ${raw.certificates}`);
          }
        }
      } catch (error) {
        report.close();
        if (signal.aborted && error === signal.reason && !json) {
          terminal.out(`Stopped after ${done} of ${all} ${words.many}. Run the same command again to continue.`);
        }
        throw error;
      } finally {
        await device.dispose();
      }
    },
  );
}

const noCertificates = () =>
  new CertError(
    'bad-argument',
    '--certificates was given for a regression.',
    'Leave it out: certificates are about classes.',
  );

interface Switches extends OutputOptions {
  readonly complete?: boolean;
  readonly overwrite?: boolean;
}

/** The names that were given, in the order of the table. */
function readMethods(text: string | undefined, { verifiers }: Catalog): readonly string[] {
  const known = Object.keys(verifiers);
  if (text === undefined) return known.filter((name) => verifiers[name]!.searchOn === undefined);
  if (text === 'none') return [];
  const names = text.split(',').map((name) => canonicalName(name.trim(), known));
  for (const name of names) choose('bound method', name, verifiers);
  return known.filter((name) => names.includes(name));
}

/** What keeps images from being verified with rounding accounted for: ops of the model, methods. For people. */
function unsound(model: Model, methods: readonly string[], { verifiers }: Catalog): readonly string[] {
  const { rules } = soundIbp({ level: 'deployed' });
  const ops = [...new Set(model.nodes.map(({ op }) => op))].filter((op) => rules[op] === undefined);
  if (ops.length > 0) return ops.map((op) => `The op "${op}" of this model`);
  return methods
    .filter((name) => verifiers[name]!.soundOn === undefined && verifiers[name]!.searchOn === undefined)
    .map((name) => `The method "${name}"`);
}

function checkOut(file: string): void {
  if (file.endsWith('.jsonl')) return;
  throw new CertError('bad-argument', `--out is ${JSON.stringify(file)}.`, 'Give a file whose name ends in .jsonl.');
}

/** The bytes of a checkpoint; those of a TensorFlow.js model are made of it. */
async function readNetwork(file: string, { err }: Terminal): Promise<Uint8Array> {
  if (!isLayersModel(file)) return readCheckpointFile(file);
  const { bytes, notes } = await layersCheckpoint(file);
  for (const note of notes) err(`note: ${note}`);
  return bytes;
}

/** Says that a run in training changes its checkpoint. */
async function tellTraining({ err }: Terminal, folder: string, checkpoint: string, metadata: unknown): Promise<void> {
  const owner = await runOwner(folder);
  if (owner === undefined) return;
  const { position } = (metadata ?? {}) as { readonly position?: { readonly step?: number } };
  err(
    `${folder} is being trained by process ${owner.pid} on ${owner.host}. Evaluating the current ${checkpoint}, written after step ${position?.step ?? '?'}.`,
  );
}

/** Tells how many examples an earlier call evaluated, and in a pipe when another tenth is done. */
function tenths({ out, screen }: Terminal, { many }: ExampleWords, shown: boolean): (progress: Progress) => void {
  let told = 0;
  return ({ images, of, before }) => {
    if (!shown) return;
    const done = Math.floor((10 * images) / of);
    if (images === before && before > 0) out(`${before} of ${of} ${many} already evaluated.`);
    else if (screen === null && images > before && done > told) out(`${images} of ${of} ${many}`);
    told = done;
  };
}

/**
 * What an evaluation runs with: the settings of the run, with those that were given. Of another dataset than the run's the options have
 * their defaults.
 *
 * @throws CertError `bad-argument` for an option of another dataset
 */
function configOf(trained: RunConfig, given: Choices, catalog: Catalog): RunConfig {
  const options = Object.entries(fieldsOf(catalog)).filter(([name, field]) => optionsOfEvery('dataset')(name, field));
  const others = given.dataset === undefined || given.dataset === trained.dataset ? [] : options.map(([name]) => name);
  const kept = (values: object) =>
    Object.fromEntries(Object.entries(values).filter(([name]) => !others.includes(name)));
  const settings = { ...kept(trained), ...ATTACK, ...given };
  const config = { ...settings, options: { ...kept(trained.options), ...given.options } } as RunConfig;
  refuseUnused([...Object.keys(given), ...Object.keys(given.options ?? {})], config, catalog);
  return config;
}

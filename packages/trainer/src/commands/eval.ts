import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CertError } from '@cert/core';
import { disposeTree } from '@cert/jit';
import { loadCheckpoint } from '@cert/models';
import type { Command } from 'commander';
import { chooseDevice } from '../choose-device.js';
import type { FieldName, RunConfig } from '../config.js';
import { percent } from '../describe.js';
import { createEvaluator } from '../evaluate.js';
import { buildExperiment, checkDataFits, loadData } from '../experiment.js';
import { putParams } from '../host.js';
import { resolveConfig } from '../preset.js';
import { reporter } from '../progress.js';
import { readRunConfig, runFiles } from '../run-folder.js';
import { formatTable } from '../table.js';
import type { Terminal } from '../terminal.js';
import { addFields, type RawOptions, readFields } from './options.js';

const NAMES = [
  'dataset',
  'data',
  'limit',
  'epsilon',
  'attackSteps',
  'attackRestarts',
  'evalBatchSize',
  'seed',
  'device',
] as const satisfies readonly FieldName[];

/** Adds `cert eval`. */
export function addEval(program: Command, terminal: Terminal, signal: AbortSignal): void {
  const command = program
    .command('eval')
    .description('evaluate a trained network: standard, PGD and verified error')
    .argument('<path>', 'folder of a run, or a checkpoint file')
    .option('--checkpoint <name>', 'which one of the run: last, best (default: last)')
    .option('--json', 'print one line of JSON instead of a table (default: a table)');
  addFields(command, NAMES, 'unless the run says otherwise').action(
    async (path: string, { json, ...raw }: RawOptions & { json?: boolean }) => {
      const { file, config: trained } = await locate(path, raw.checkpoint ?? 'last');
      const config: RunConfig = { ...trained, ...withoutUndefined(readFields(raw, NAMES)) };
      const { model, params, stats } = await loadCheckpoint(file);
      const data = await loadData(config);
      checkDataFits(model, data.test, config.dataset);
      const { device } = await chooseDevice(config.device);
      const report = json ? undefined : reporter(terminal);
      try {
        const evaluator = createEvaluator({ device, model, range: data.range });
        const network = { params: putParams(device, params), stats: putParams(device, stats) };
        const { attackSteps: steps, attackRestarts: restarts, seed, epsilon } = config;
        const result = await evaluator.evaluate(network, {
          batches: buildExperiment(config, data).testBatches(),
          epsilon,
          attack: restarts === 0 ? null : { steps, restarts, seed },
          onProgress: (images) => report?.({ type: 'evaluating', images, of: data.test.count }),
          signal,
        });
        disposeTree(network);
        await evaluator.dispose();
        const attacked = `PGD error (${steps} steps, ${restarts} restarts)`;
        const table = formatTable([
          ['standard error', percent(result.standardError)],
          [attacked, result.pgdError === null ? 'not run' : percent(result.pgdError)],
          ['verified error (IBP)', percent(result.verifiedError)],
          ['epsilon', String(epsilon)],
          ['test images', String(result.images)],
          ['device', device.description],
        ]);
        terminal.out(json ? JSON.stringify({ ...result, device: device.name, checkpoint: file }) : `\n${table}`);
      } catch (error) {
        report?.({ type: 'failed', message: String(error) });
        throw error;
      } finally {
        await device.dispose();
      }
    },
  );
}

/** The checkpoint file that a path stands for, and the configuration that it was trained with (the standard one if unknown). */
async function locate(path: string, name: string): Promise<{ readonly file: string; readonly config: RunConfig }> {
  if (name !== 'last' && name !== 'best') {
    throw new CertError('bad-argument', `--checkpoint is ${JSON.stringify(name)}.`, 'Give last or best.');
  }
  const info = await stat(path).catch(() => {
    throw new CertError('bad-file', `There is no ${path}.`, 'Give the folder of a run, or a checkpoint file.');
  });
  if (info.isDirectory()) return { file: runFiles(path)[name], config: await readRunConfig(path) };
  const folder = dirname(dirname(path));
  const inRun = await stat(runFiles(folder).config).catch(() => undefined);
  return { file: path, config: inRun ? await readRunConfig(folder) : resolveConfig() };
}

const withoutUndefined = <T extends object>(record: T): Partial<RunConfig> =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));

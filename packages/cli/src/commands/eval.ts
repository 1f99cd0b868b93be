import { basename, join } from 'node:path';
import { CertError } from '@cert/core';
import { type ExampleWords, exampleWords, number } from '@cert/trainer/pipeline';
import {
  evaluateImages,
  type EvaluationProgress as Progress,
  parseShard,
  shardText,
  summaryFileOf,
} from '@cert/verify/node';
import type { Command } from 'commander';
import { calledAs } from '../called-as.js';
import { prepareEvaluation } from '../evaluate/evaluation-setup.js';
import { openNetwork, tellUnsound } from '../evaluate/open-network.js';
import { type AskedEvaluation, readEvaluation } from '../evaluate/read-evaluation.js';
import { recordedPlugins } from '../runs/locate-checkpoint.js';
import { progressReporter } from '../show/progress.js';
import { evaluationTable } from '../show/table.js';
import type { Terminal } from '../terminal.js';
import { addEvalOptions } from './eval-options.js';
import { openDeviceFor } from './open-device.js';
import type { RawOptions } from './options.js';
import { type OutputOptions, progressTerminal } from './output-options.js';
import { catalogIn, catalogOf, type PluginOption } from './plugin-option.js';

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
      { json = false, quiet = false, plugin, trust, overwrite = false, ...raw }: RawOptions & Switches & PluginOption,
    ) => {
      const catalog = await catalogOf({ plugin, trust }, await recordedPlugins(path));
      if (raw.out !== undefined) checkOut(raw.out);
      const shard = raw.shard === undefined ? undefined : parseShard(raw.shard);
      const asked = await readEvaluation(path, raw, catalog);
      const { config } = asked;
      const network = await openNetwork(asked, terminal, catalog);
      const words = exampleWords(config.dataset, network.decoded.model.inputShape);
      const report = progressReporter(progressTerminal(terminal, { json, quiet }), words);
      const decoding = (images: number, of: number) => {
        report({ type: 'decoding', images, of });
        signal.throwIfAborted();
      };
      const prepared = await prepareEvaluation(asked, network, catalog, decoding).finally(report.close);
      const { delta } = prepared.settings;
      const part = shard === undefined ? '' : `.shard-${shard.index}-of-${shard.of}`;
      const file = raw.out ?? resultFile(asked, delta, part);
      tellUnsound(terminal, prepared.model, asked, catalog, words);
      const device = await openDeviceFor(terminal, config.device);
      const tell = tenths(terminal, words, !json && !quiet);
      let [done, all] = [0, prepared.split.count];
      try {
        const summary = await evaluateImages({
          ...{ ...prepared, device, file, overwrite, signal, shard },
          certificates:
            raw.certificates === undefined ? undefined : { folder: raw.certificates, checkpoint: network.bytes },
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

interface Switches extends OutputOptions {
  readonly complete?: boolean;
  readonly overwrite?: boolean;
}

/** Where the results of an evaluation go unless it is said. */
export function resultFile({ checkpoint, folder, config }: AskedEvaluation, delta?: number, shard = ''): string {
  const name = basename(checkpoint).replace(/\.(safetensors|json)$/, '');
  const tolerated = delta === undefined ? '' : `-delta-${number(delta)}`;
  return join(folder, 'eval', `${name}-${config.epsilon}${tolerated}${shard}.jsonl`);
}

/** @throws CertError `bad-argument` for a name that does not end in .jsonl */
export function checkOut(file: string): void {
  if (file.endsWith('.jsonl')) return;
  throw new CertError('bad-argument', `--out is ${JSON.stringify(file)}.`, 'Give a file whose name ends in .jsonl.');
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

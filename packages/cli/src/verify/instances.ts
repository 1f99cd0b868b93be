import { readFile, rm } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import type { Arithmetic } from '@cert/bounds';
import { CertError } from '@cert/core';
import { type Instance, readInstances } from '@cert/interchange';
import type { Device } from '@cert/jit';
import { lockFile, makeFolder } from '@cert/models/node';
import { type Shard, shardMembers, versionText } from '@cert/verify/node';
import { shortTime } from '../show/quantities.js';
import type { Terminal } from '../terminal.js';
import { ownVersion } from '../version.js';
import { isLayersModel, readLayersFiles } from './layers-model.js';
import { loadNetwork, networkPath, readBytes } from './network.js';
import { appendOutput, writeOutput } from './output-file.js';
import { progressLine } from './progress.js';
import { keyOf, type ResultLine, resultsIn, summaryOf, tableFileOf, tableOf } from './result-lines.js';
import { fingerprintOf, type NetworkKeeper, networkKeeper, UNREADABLE, verifyInstance } from './verify-instance.js';

/** Options of {@link runInstances}. */
export interface InstancesOptions {
  readonly terminal: Terminal;
  readonly device: Device;
  readonly signal: AbortSignal;
  /** The list of instances; its paths count from its folder. */
  readonly file: string;
  /** Where a line of JSON for each instance goes. */
  readonly out: string;
  readonly overwrite: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
  /** Seconds, instead of those of the instances. */
  readonly timeout: number | undefined;
  /** The strongest claim that is tried. */
  readonly arithmetic: Arithmetic;
  readonly split: 'inputs' | 'relus' | undefined;
  /** Verify only this part of the instances. */
  readonly shard: Shard | undefined;
}

/**
 * Verifies instances one after the other and appends a line for each. Instances that have a line are not verified again, unless one of their files
 * has changed.
 *
 * @throws CertError `bad-argument` for names of files that cannot be used, `bad-file` for files that cannot be read or written, `run-exists` for
 * results of another version, `in-use` when another process works on the results
 */
export async function runInstances(options: InstancesOptions): Promise<void> {
  const { file, out } = options;
  const table = tableFileOf(out);
  if (resolve(table) === resolve(file)) {
    throw new CertError(
      'bad-argument',
      `The table written beside ${out} would overwrite ${file}.`,
      'Give another file with --out.',
    );
  }
  const listed = await readList(file);
  const { shard } = options;
  const members = shard && new Set(shardMembers(listed.length, shard));
  const instances = listed.filter((_, i) => members?.has(i) ?? true);
  await makeFolder(dirname(out));
  const unlock = await lockFile(`${out}.lock`, `The results ${out}`);
  try {
    await runLocked(options, instances);
  } finally {
    await unlock();
  }
}

/** The instances of a list. @throws CertError `bad-file` for a list that cannot be read, or is empty */
export async function readList(file: string): Promise<readonly Instance[]> {
  const instances = readInstances(new TextDecoder().decode(await readBytes(file)));
  if (instances.length > 0) return instances;
  throw new CertError(
    'bad-file',
    `${file} contains no instances.`,
    'Write one line "onnx,vnnlib,timeout" for each instance.',
  );
}

async function runLocked(options: InstancesOptions, instances: readonly Instance[]): Promise<void> {
  const { terminal, file, out, overwrite, json, signal } = options;
  const table = tableFileOf(out);
  if (overwrite) await rm(out, { force: true });
  await appendOutput(out, '');
  const known = await readResults(out, terminal);
  // A table of an earlier run must not stand beside new results.
  await rm(table, { force: true });
  const keeper = networkKeeper(options.device, options.split);
  const identify = fingerprints(file);
  const lines: ResultLine[] = [];
  let before = 0;
  try {
    for (const [i, instance] of instances.entries()) {
      signal.throwIfAborted();
      const key = keyOf({ ...instance, timeout: options.timeout ?? instance.timeout });
      const files = await identify(instance);
      const earlier = known.get(key);
      if (earlier?.files === files && earlier.asked === options.arithmetic) {
        before++;
        lines.push(earlier);
        continue;
      }
      const line = await verifyListed(options, instance, keeper, files);
      await appendOutput(out, `${JSON.stringify(line)}\n`);
      known.set(key, line);
      lines.push(line);
      if (json) terminal.out(JSON.stringify(line));
      else terminal.out(`${i + 1}/${instances.length}  ${lineText(line)}`);
    }
  } catch (error) {
    if (signal.aborted && error === signal.reason) {
      terminal.err(
        `Stopped after ${lines.length} of ${instances.length} instances. Run the same command again to continue.`,
      );
    }
    throw error;
  } finally {
    await keeper.close();
  }
  await writeOutput(table, tableOf(instances, lines));
  if (json) return;
  if (before > 0) terminal.out(`${before} of ${instances.length} instances already have results.`);
  terminal.out(`\n${summaryOf(instances, lines, terminal)}\n\nResults per instance: ${out}\nTable: ${table}`);
}

function lineText({ onnx, vnnlib, result, seconds, reason }: ResultLine): string {
  const why = result === 'error' ? `: ${reason}` : '';
  return `${result.padEnd(7)} ${shortTime(seconds)}  ${basename(onnx)} ${basename(vnnlib)}${why}`;
}

/** Where a file of an instance is: its path counts from the folder of the list. */
export const pathOf = (list: string, path: string): string => (isAbsolute(path) ? path : join(dirname(list), path));

/** Makes short texts that identify the contents of both files of an instance. */
export function fingerprints(list: string) {
  const known = new Map<string, string>();
  return async ({ onnx, vnnlib }: Instance): Promise<string> => {
    const network = known.get(onnx) ?? (await contentsOf(pathOf(list, onnx)));
    known.set(onnx, network);
    return `${network} ${await contentsOf(pathOf(list, vnnlib))}`;
  };
}

/** Identifies the contents of a file, or of the files of a network, as they are now. */
async function contentsOf(given: string): Promise<string> {
  const file = await networkPath(given).catch(() => given);
  const bytes = await readFile(file).catch(() => undefined);
  if (bytes === undefined) return UNREADABLE;
  // The weights of a TensorFlow.js model are in files of their own.
  const beside = isLayersModel(file) ? await readLayersFiles(file, await readBytes(file)).catch(() => null) : null;
  return fingerprintOf([bytes, ...Object.values(beside?.weights ?? {})]);
}

/** Verifies an instance of the list, and shows how far it is. */
async function verifyListed(
  { file, device, signal, timeout, terminal, json, quiet, arithmetic }: InstancesOptions,
  instance: Instance,
  keeper: NetworkKeeper,
  files: string,
): Promise<ResultLine> {
  const { onnx, vnnlib } = instance;
  const [network, property] = [pathOf(file, onnx), pathOf(file, vnnlib)];
  const [ofNetwork, ofProperty] = files.split(' ');
  const progress = progressLine(terminal, { json, quiet, about: `${basename(onnx)} ${basename(vnnlib)}, ` });
  return verifyInstance({
    instance: { onnx, vnnlib, timeout: timeout ?? instance.timeout },
    ...{ files, arithmetic, signal, onProgress: progress.tell },
    network: () =>
      keeper.network(network, async () => {
        const loaded = await loadNetwork(network, device);
        if ((await contentsOf(network)) === ofNetwork) return loaded;
        await loaded.independent?.dispose();
        throw changed(network);
      }),
    property: async () => {
      const text = new TextDecoder().decode(await readBytes(property));
      if ((await contentsOf(property)) === ofProperty) return text;
      throw changed(property);
    },
  }).finally(progress.close);
}

/** A verdict must be about the contents that its line names. */
const changed = (path: string) =>
  new CertError('bad-file', `${path} has changed since the command began.`, 'Run the same command again.');

/**
 * The lines of earlier runs. A line that is cut short, no result or contradicted by another one is dropped.
 *
 * @throws CertError `run-exists` for lines of another version
 */
async function readResults(out: string, terminal: Terminal): Promise<Map<string, ResultLine>> {
  const text = await readFile(out, 'utf8');
  const { lines, damaged } = resultsIn(text);
  const other = lines.find(({ version }) => version !== ownVersion());
  if (other !== undefined) {
    throw new CertError(
      'run-exists',
      `${out} has results of ${versionText(other.version)}, not ${versionText(ownVersion())}.`,
      'Discard the earlier results with --overwrite, choose another file with --out, or continue with that version.',
    );
  }
  if (damaged > 0 || (text !== '' && !text.endsWith('\n'))) {
    terminal.err(`Removed damaged lines: ${damaged}. Their instances are verified again.`);
    await writeOutput(out, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }
  return new Map(lines.map((line) => [keyOf(line), line]));
}

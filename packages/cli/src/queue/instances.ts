import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { CertError } from '@cert/core';
import { weightPathsOf } from '@cert/interchange';
import { lockFile, makeFolder, writeFileAtomic } from '@cert/models/node';
import type {
  CollectedInstances,
  Fetch,
  InstanceResult,
  JobEvaluator,
  QueuedInstance,
  QueuedInstances,
} from '@cert/queue';
import { versionText } from '@cert/verify/node';
import { openDeviceFor } from '../commands/open-device.js';
import { loadQueue } from '../evaluate/load-queue.js';
import { checkVersion } from '../evaluate/queued-setup.js';
import { isLayersModel } from '../verify/layers-model.js';
import { bestOf, checkAgreement } from '../verify/merge-instances.js';
import { decompressed, type NetworkFiles, openNetworkFiles } from '../verify/network.js';
import {
  isResult,
  keyOf,
  type ResultLine,
  resultsIn,
  summaryOf,
  tableFileOf,
  tableOf,
} from '../verify/result-lines.js';
import {
  fingerprintOf,
  type NetworkKeeper,
  networkKeeper,
  UNREADABLE,
  verifyInstance,
} from '../verify/verify-instance.js';
import type { QueuedKind, WorkerContext } from './queued-kind.js';

/** Networks and properties of them, verified as by `cert verify --instances`. */
export const QUEUED_INSTANCES: QueuedKind<'instances'> = {
  open,
  items: 'instances',
  about: ({ folder, arithmetic }) => `properties of ${folder}, ${arithmetic}`,
  async collect(terminal, { redis, id, out, json }) {
    const table = tableFileOf(out);
    const { collectInstances } = await loadQueue();
    const collected = await collectInstances(redis, id);
    await makeFolder(dirname(out));
    const unlock = await lockFile(`${out}.lock`, `The results ${out}`);
    let whole: readonly ResultLine[];
    try {
      whole = await write(out, collected);
    } finally {
      await unlock();
    }
    if (json) return terminal.out(JSON.stringify(whole));
    terminal.out(`${summaryOf(collected.instances, whole, terminal)}\n\nResults per instance: ${out}\nTable: ${table}`);
  },
};

/**
 * Writes the lines of the queue, and those that the file has of instances which the queue has no result of.
 *
 * @throws CertError `bad-data` while instances have no result, and for a result of the file that contradicts the queue; `run-exists` if the
 * file has results of other instances, another claim or another version
 */
async function write(out: string, collected: CollectedInstances): Promise<readonly ResultLine[]> {
  const { instances, lines } = collected;
  const known = resultsIn(await readFile(out, 'utf8').catch(nothingThere)).lines;
  checkSameWork(out, known, collected);
  const merged = instances.map((instance) => {
    const line = lines.get(instance.index);
    const own = known.filter((each) => keyOf(each) === keyOf(instance) && each.files === instance.files);
    const found = [
      ...own.map((each) => ({ line: each, file: out })),
      ...(isResult(line) ? [{ line, file: 'the queue' }] : []),
    ];
    checkAgreement(found);
    return bestOf(found);
  });
  const found = merged.filter((line) => line !== undefined);
  await writeFileAtomic(out, found.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const problem = collected.problem(found.length, out);
  if (problem !== undefined) throw problem;
  await writeFileAtomic(tableFileOf(out), tableOf(instances, found));
  return found;
}

/** @throws CertError `run-exists` */
function checkSameWork(
  out: string,
  known: readonly ResultLine[],
  { instances, settings, version }: CollectedInstances,
): void {
  const keys = new Set(instances.map(keyOf));
  for (const line of known) {
    const other = !keys.has(keyOf(line))
      ? `of another list: ${line.onnx} ${line.vnnlib}, timeout ${line.timeout}`
      : line.version !== version
        ? `of ${versionText(line.version)}, not ${versionText(version)}`
        : line.asked !== settings.arithmetic
          ? `of --arithmetic ${line.asked}, not ${settings.arithmetic}`
          : undefined;
    if (other === undefined) continue;
    throw new CertError('run-exists', `${out} has a result ${other}.`, 'Choose another file with --out.');
  }
}

/** The text of a file that does not exist. @throws CertError `bad-file` for one that cannot be read */
function nothingThere(cause: unknown): string {
  if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return '';
  throw new CertError(
    'bad-file',
    `The results cannot be read: ${cause instanceof Error ? cause.message : cause}.`,
    'Choose another file with --out.',
    { cause },
  );
}

/** Prepares to verify instances of the queue, as `cert verify --instances` would. */
async function open(
  work: QueuedInstances,
  fetch: Fetch,
  { terminal, device: name }: WorkerContext,
): Promise<JobEvaluator> {
  checkVersion(work.version);
  const { instanceAt } = await loadQueue();
  const device = await openDeviceFor(terminal, name ?? work.settings.device);
  const keeper = networkKeeper(device, work.settings.split);
  const one = async (item: number, signal: AbortSignal): Promise<InstanceResult> => {
    const instance = instanceAt(work, item);
    if (instance === undefined) throw contradiction(`has no instance ${item}`);
    const network = await Promise.all(instance.network.sha256.map(fetch));
    const property = await Promise.all(instance.property.sha256.map(fetch));
    const files = `${digest(network)} ${digest(property)}`;
    if (files !== instance.files) throw contradiction(`says that ${instance.onnx} has other contents than its files`);
    const { onnx, vnnlib } = instance;
    const paths = { network: labelOf(work, onnx), property: labelOf(work, vnnlib) };
    const line = await verifyInstance({
      ...{ instance, files, arithmetic: work.settings.arithmetic, signal },
      network: () => openQueued(instance, network, paths.network, keeper, device),
      property: async () => {
        readable(instance.property.problem);
        return new TextDecoder().decode(decompressed(paths.property, property[0] ?? new Uint8Array()));
      },
    });
    return { index: item, line };
  };
  return {
    async evaluate(items, signal) {
      const lines: InstanceResult[] = [];
      for (const item of items) {
        signal.throwIfAborted();
        lines.push(await one(item, signal));
      }
      return { lines, device: device.name, deviceDescription: device.description, stageSeconds: {} };
    },
    async dispose() {
      await keeper.close();
      await device.dispose();
    },
  };
}

/** A name for messages, as one process would give it. Nothing is opened there. */
const labelOf = ({ folder }: QueuedInstances, path: string) => (isAbsolute(path) ? path : join(folder, path));

const digest = (files: readonly Uint8Array[]) => (files.length === 0 ? UNREADABLE : fingerprintOf(files));

const contradiction = (what: string) =>
  new CertError('bad-data', `The list in the queue contradicts itself: it ${what}.`, 'Remove it, and submit it again.');

/** @throws CertError with what the machine that submitted a file said of it */
function readable(problem: string | undefined): void {
  if (problem !== undefined) throw new CertError('bad-file', problem, 'Submit the list again with the file.');
}

/** Opens a network from its files in the store; the last one is kept. */
function openQueued(
  { network, onnx }: QueuedInstance,
  files: readonly Uint8Array[],
  path: string,
  keeper: NetworkKeeper,
  device: Parameters<typeof openNetworkFiles>[1],
): ReturnType<NetworkKeeper['network']> {
  return keeper.network([onnx, ...network.sha256].join(' '), async () => {
    readable(network.problem);
    return openNetworkFiles(namedFiles(path, files), device);
  });
}

/** Gives the files of a network the names that the first one has for the others. */
function namedFiles(path: string, [first = new Uint8Array(), ...others]: readonly Uint8Array[]): NetworkFiles {
  const bytes = decompressed(path, first);
  if (!isLayersModel(path)) return { path, bytes, weights: {} };
  const names = weightNames(bytes);
  if (names.length !== others.length) throw contradiction(`has ${others.length} weight files of ${path}`);
  return { path, bytes, weights: Object.fromEntries(names.map((name, i) => [name, others[i]!])) };
}

/** The weight files that `model.json` names, in the order in which `readLayersFiles` has them. */
const weightNames = (bytes: Uint8Array): readonly string[] =>
  Object.keys(Object.fromEntries(weightPathsOf(new TextDecoder().decode(bytes)).map((name) => [name, 0])));

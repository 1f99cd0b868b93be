import { readFile } from 'node:fs/promises';
import { CertError } from '@cert/core';
import { makeFolder, writeFileAtomic } from '@cert/models/node';
import { runFiles } from '@cert/trainer/pipeline';
import { isRecord } from '../commands/config-file.js';
import { loadQueue } from '../evaluate/load-queue.js';

/** A run folder as a queue carries it: its texts, and the SHA-256 of its checkpoints, which are in the store. Plain JSON. */
export interface StoredRun {
  readonly texts: { readonly [name in (typeof TEXTS)[number]]?: string };
  readonly checkpoints: { readonly [name in (typeof CHECKPOINTS)[number]]?: string };
}

const TEXTS = ['config', 'metrics', 'log', 'summary'] as const;
const CHECKPOINTS = ['last', 'best'] as const;

/** Puts the checkpoints of a run into a store, and returns what finds them. */
export async function storeRun(folder: string, store: string): Promise<StoredRun> {
  const { openStore } = await loadQueue();
  const opened = await openStore(store);
  const files = runFiles(folder);
  const texts: { [name: string]: string } = {};
  for (const name of TEXTS) {
    const text = await readFile(files[name], 'utf8').catch(missing);
    if (text !== undefined) texts[name] = text;
  }
  const checkpoints: { [name: string]: string } = {};
  for (const name of CHECKPOINTS) {
    const bytes = await readFile(files[name]).catch(missing);
    if (bytes !== undefined) checkpoints[name] = await opened.put(bytes);
  }
  return { texts, checkpoints };
}

/** Undefined for a file that is not there. */
function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

/**
 * Writes the folder of a run. What the queue holds is not trusted: only files of a run are written, and a checkpoint must have its hash.
 *
 * @throws CertError `bad-data` for another form, and as `get` of a store
 */
export async function restoreRun(folder: string, run: unknown, store: string): Promise<void> {
  const { texts, checkpoints } = checkedRun(run);
  const { openStore } = await loadQueue();
  const opened = await openStore(store);
  const files = runFiles(folder);
  await makeFolder(files.checkpoints);
  for (const name of CHECKPOINTS) {
    const hash = checkpoints[name];
    if (hash !== undefined) await writeFileAtomic(files[name], await opened.get(hash));
  }
  for (const name of TEXTS) {
    const text = texts[name];
    if (text !== undefined) await writeFileAtomic(files[name], text);
  }
}

function checkedRun(run: unknown): StoredRun {
  const { texts, checkpoints } = isRecord(run) ? run : {};
  const has = (value: unknown, names: readonly string[], fits: (text: string) => boolean) =>
    isRecord(value) &&
    Object.entries(value).every(([name, text]) => names.includes(name) && typeof text === 'string' && fits(text));
  const hash = (text: string) => /^[0-9a-f]{64}$/.test(text);
  if (has(texts, TEXTS, () => true) && has(checkpoints, CHECKPOINTS, hash)) {
    return {
      texts: { ...(texts as StoredRun['texts']) },
      checkpoints: { ...(checkpoints as StoredRun['checkpoints']) },
    };
  }
  throw new CertError('bad-data', 'A run in the queue is not one that cert search writes.', 'Start the search again.');
}

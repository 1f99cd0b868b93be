import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { CertError, describeValue, type Model } from '@cert/core';
import { assertSameModel, decodeCheckpoint } from '@cert/models';
import type { HostState } from '../../state.js';
import type { RunConfig } from '../config/run-config.js';
import { runFiles } from './folder.js';

/** The network that a run begins with instead of an initialization. */
export interface WarmStart extends Pick<HostState, 'params' | 'stats'> {
  /** The SHA-256 of the checkpoint file, in hexadecimal. */
  readonly sha256: string;
}

/**
 * Reads the checkpoint that `warmStart` names: a file, or the last checkpoint of a run folder.
 *
 * @param model the one that the configuration gives
 * @returns null for a configuration without a warm start
 * @throws CertError `bad-file` if the file is missing, is not a checkpoint, or has another SHA-256 than `warmStartSha256`; `shape-mismatch`
 * naming the first difference if it is one of another architecture
 */
export async function readWarmStart(
  { warmStart: path, warmStartSha256: expected }: Pick<RunConfig, 'warmStart' | 'warmStartSha256'>,
  model: Model,
): Promise<WarmStart | null> {
  if (path === null) return null;
  const isFolder = await stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
  const file = isFolder ? runFiles(path).last : path;
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new CertError(
      'bad-file',
      `--warm-start is ${describeValue(path)}, but ${file} cannot be read: ${cause instanceof Error ? cause.message : cause}.`,
      'Give a checkpoint file, such as runs/a/checkpoints/best.safetensors, or the folder of a run.',
      { cause },
    );
  });
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (expected !== null && expected !== sha256) {
    throw new CertError(
      'bad-file',
      `${file} has the SHA-256 ${sha256}, but --warm-start-sha256 is ${expected}.`,
      'Restore the file, or leave out --warm-start-sha256 to start from the file as it is.',
    );
  }
  const checkpoint = decodeCheckpoint(bytes, file);
  assertSameModel(checkpoint.model, model, [file, 'the model of this run']);
  return { params: checkpoint.params, stats: checkpoint.stats, sha256 };
}

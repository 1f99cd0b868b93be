import { readFile } from 'node:fs/promises';
import { CertError } from '@cert/core';
import { type Checkpoint, type DecodedCheckpoint, decodeCheckpoint, encodeCheckpoint } from '../checkpoint.js';
import { writeFileAtomic } from './write-file.js';

/**
 * Writes a checkpoint as a safetensors file, see {@link encodeCheckpoint}. The write is atomic: the path contains either the old file or
 * the complete new file.
 *
 * @throws CertError as {@link encodeCheckpoint}; `bad-file` when the path cannot be written
 */
export async function saveCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  await writeFileAtomic(path, encodeCheckpoint(checkpoint));
}

/**
 * Reads a checkpoint file. Outside Node.js, read the bytes and pass them to {@link decodeCheckpoint}.
 *
 * @throws CertError `bad-file` for a missing, truncated or corrupt file, `shape-mismatch` if tensors do not fit the model in the file
 */
export async function loadCheckpoint(path: string): Promise<DecodedCheckpoint> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new CertError(
      'bad-file',
      `The checkpoint ${path} cannot be read: ${cause instanceof Error ? cause.message : cause}.`,
      'Check the path; a run keeps its checkpoints in the folder "checkpoints".',
      { cause },
    );
  }
  return decodeCheckpoint(bytes, path);
}

import { CertError } from '@cert/core';
import { decodeCheckpoint } from '@cert/models';
import { type Catalog, checkConfigOf, type ExampleWords, runOwner } from '@cert/trainer/pipeline';
import { calledAs, quoted } from '../called-as.js';
import { readCheckpointFile } from '../runs/locate-checkpoint.js';
import type { Terminal } from '../terminal.js';
import { isLayersModel } from '../verify/layers-model.js';
import { isOnnx, layersCheckpoint } from '../verify/network.js';
import { unsoundParts } from './evaluation-setup.js';
import type { AskedEvaluation } from './read-evaluation.js';

/**
 * Reads the network that is evaluated, and says what a person should know of it.
 *
 * @returns the bytes of its checkpoint; those of a TensorFlow.js model are made of it. And what they hold
 * @throws CertError `bad-file` for a file that is damaged, or of another run
 */
export async function openNetwork(asked: AskedEvaluation, terminal: Terminal, catalog: Catalog) {
  const { checkpoint, folder, trained } = asked;
  const bytes = await readNetwork(checkpoint, terminal);
  const decoded = decodeCheckpoint(bytes, checkpoint);
  if (trained !== undefined) {
    checkConfigOf(checkpoint, decoded.metadata, trained, catalog);
    await tellTraining(terminal, folder, checkpoint, decoded.metadata);
  }
  if (decoded.checksum === 'absent') terminal.err(`${checkpoint} has no checksum: damage cannot be detected.`);
  return { bytes, decoded };
}

/** Says what stays undecided with an arithmetic that accounts for rounding. */
export function tellUnsound(
  { err }: Terminal,
  model: Parameters<typeof unsoundParts>[0],
  asked: AskedEvaluation,
  catalog: Catalog,
  words: ExampleWords,
): void {
  for (const name of unsoundParts(model, asked, catalog)) {
    err(
      `${name} does not support --arithmetic ${asked.arithmetic}, so ${words.many} stay undecided. For bounds without a claim about rounding: --arithmetic nearest.`,
    );
  }
}

async function readNetwork(file: string, { err }: Terminal): Promise<Uint8Array> {
  if (isOnnx(file)) throw isNoCheckpoint(file);
  if (!isLayersModel(file)) return readCheckpointFile(file);
  const { bytes, notes } = await layersCheckpoint(file);
  for (const note of notes) err(`note: ${note}`);
  return bytes;
}

function isNoCheckpoint(file: string): CertError {
  const checkpoint = quoted(file.replace(/\.onnx(\.gz)?$/i, '.cert.safetensors'));
  return new CertError(
    'bad-argument',
    `${file} is an ONNX file, and cert eval reads runs, checkpoints and TensorFlow.js models.`,
    `Convert it: ${calledAs()} export ${quoted(file)} --out ${checkpoint}. Then: ${calledAs()} eval ${checkpoint} --dataset NAME --epsilon RADIUS.`,
  );
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

import { readFile, stat } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { CertError } from '@cert/core';
import { type ImportedNetwork, readLayersModel, readOnnx } from '@cert/interchange';
import { type Device, eagerDevice } from '@cert/jit';
import { openOnnxModel } from '@cert/jit/node';
import { decodeCheckpoint, encodeCheckpoint } from '@cert/models';
import { runFiles } from '@cert/trainer/pipeline';
import type { HostNetwork } from '@cert/verify';
import { compareWithRuntime, type IndependentRuntime } from './compare-with-runtime.js';
import { isLayersModel, type LayersFiles, openInTensorFlow, readLayersFiles } from './layers-model.js';

/** A network that properties are verified of, and how its inputs are ordered in files. */
export interface VerifiedNetwork {
  readonly network: HostNetwork;
  /** For each input of a property, its place in the model's input. */
  readonly inputOrder: Int32Array;
  /** What runs the file as it is; undefined where nothing independent can. */
  readonly independent: IndependentRuntime | undefined;
  /** What the reader changed, for people. */
  readonly notes: readonly string[];
  /** The file that it was read from, decompressed, of which format, and what an ONNX file says of it. */
  readonly source: {
    readonly path: string;
    readonly bytes: Uint8Array;
    readonly format: 'onnx' | 'layers' | 'checkpoint';
    readonly onnx?: ImportedNetwork;
  };
}

/** The bytes of a file, decompressed where its name ends in .gz. */
export async function readBytes(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new CertError(
      'bad-file',
      `${path} cannot be read: ${cause instanceof Error ? cause.message : cause}.`,
      'Check the path.',
      { cause },
    );
  });
  return decompressed(path, bytes);
}

/** The content of a file, which is compressed where its name ends in .gz. @throws CertError `bad-file` if it is not gzip then */
export function decompressed(path: string, bytes: Uint8Array): Uint8Array {
  if (!path.endsWith('.gz')) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: 2 ** 31 });
  } catch (cause) {
    throw new CertError(
      'bad-file',
      `${path} is not a gzip file.`,
      'Compress the file again, or remove .gz from its name.',
      { cause },
    );
  }
}

/** Options of {@link loadNetwork}. */
export interface LoadOptions {
  /**
   * Leave out a softmax at the end of a TensorFlow.js model. The order of the outputs stays, and proofs account for rounding. Default false:
   * outputs are those of the file, which a property in a file may compare with numbers.
   */
  readonly logits?: boolean;
}

/** Whether a path stands for an ONNX file. */
export const isOnnx = (path: string): boolean => /\.onnx(\.gz)?$/i.test(path);

/** Whether a path stands for a network of another program: an ONNX file or a TensorFlow.js model. */
export const isImported = (path: string): boolean => isOnnx(path) || isLayersModel(path);

/** What a network is read from. */
export interface NetworkFiles {
  /** For messages. Its ending says the format. */
  readonly path: string;
  /** Content of the file, decompressed. */
  readonly bytes: Uint8Array;
  /** The weight files of a TensorFlow.js model by their paths in `model.json`, in their order; empty for others. */
  readonly weights: LayersFiles['weights'];
}

/** The file of a network: the last checkpoint of a run's folder, or the file itself. @throws CertError `bad-file` for a folder without a run */
export async function networkPath(given: string): Promise<string> {
  const isFolder = (await stat(given).catch(() => undefined))?.isDirectory() ?? false;
  const path = isFolder ? runFiles(given).last : given;
  if (isFolder && (await stat(path).catch(() => undefined)) === undefined) {
    throw new CertError(
      'bad-file',
      `${given} contains no run: ${path} is missing.`,
      'Give the folder of a run, or a file.',
    );
  }
  return path;
}

/**
 * Reads the files of a network: those of an ONNX file, a TensorFlow.js model, a checkpoint, or the last checkpoint of a run's folder.
 *
 * @throws CertError `bad-file` for files that cannot be read
 */
async function readNetworkFiles(given: string): Promise<NetworkFiles> {
  const path = await networkPath(given);
  const bytes = await readBytes(path);
  return { path, bytes, weights: isLayersModel(path) ? (await readLayersFiles(path, bytes)).weights : {} };
}

/** Reads a network's files and opens it. @throws CertError as {@link openNetworkFiles} */
export const loadNetwork = async (given: string, device: Device, options: LoadOptions = {}): Promise<VerifiedNetwork> =>
  openNetworkFiles(await readNetworkFiles(given), device, options);

/**
 * Opens an ONNX file or a TensorFlow.js model, and compares what is computed of it here with what ONNX Runtime or TensorFlow.js computes of the
 * file itself; or a checkpoint. Opens no other file.
 *
 * @throws CertError `bad-file` for a file that is none of these, and for a network that its own program computes otherwise
 */
export async function openNetworkFiles(
  files: NetworkFiles,
  device: Device,
  options: LoadOptions = {},
): Promise<VerifiedNetwork> {
  const { path, bytes } = files;
  if (isLayersModel(path)) return loadLayers(files, device, options);
  if (!isOnnx(path)) {
    const { model, params, stats } = readCheckpoint(bytes, path);
    const size = model.inputShape.reduce((a, b) => a * b, 1);
    return {
      network: { model, params, stats },
      ...{ inputOrder: Int32Array.from({ length: size }, (_, i) => i), independent: undefined, notes: [] },
      source: { path, bytes, format: 'checkpoint' },
    };
  }
  const onnx = readOnnx(bytes);
  const { model, params, stats, inputShape, inputOrder, notes } = onnx;
  const network = { model, params, stats };
  const source = { path, bytes, onnx, format: 'onnx' } as const;
  const independent = await openOnnxModel(bytes, inputShape).catch((error: unknown) => {
    if (error instanceof CertError && error.code === 'missing-package') return undefined;
    throw error;
  });
  if (independent === undefined) {
    const unchecked = 'onnxruntime-node is not installed, so the imported network was not compared with ONNX Runtime.';
    return { network, inputOrder, independent, notes: [...notes, unchecked], source };
  }
  await compare({ path, network, inputOrder, independent, device, runtime: 'ONNX Runtime' });
  return { network, inputOrder, independent, notes, source };
}

/** A TensorFlow.js model, once it has been compared. */
async function loadLayers(
  { path, bytes, weights }: NetworkFiles,
  device: Device,
  { logits = false }: LoadOptions,
): Promise<VerifiedNetwork> {
  const files: LayersFiles = { json: new TextDecoder().decode(bytes), weights };
  const read = (keepSoftmax: boolean) => {
    const { model, params, stats, ...rest } = readLayersModel(files.json, files.weights, { keepSoftmax });
    return { network: { model, params, stats }, ...rest };
  };
  const whole = read(true);
  const { inputShape, inputOrder } = whole;
  const { network, notes } = logits ? read(false) : whole;
  const source = { path, bytes, format: 'layers' } as const;
  const independent = await openInTensorFlow(files, inputShape);
  if (typeof independent === 'string') {
    const unchecked = `${independent}, so the imported network was not compared with TensorFlow.js.`;
    return { network, inputOrder, independent: undefined, notes: [...notes, unchecked], source };
  }
  await compare({ path, network: whole.network, inputOrder, independent, device, runtime: 'TensorFlow.js' });
  return { network, inputOrder, independent, notes, source };
}

/**
 * A TensorFlow.js model as a checkpoint, whose outputs are logits, and what the reader changed. Its import is compared with TensorFlow.js as by
 * {@link loadNetwork}.
 */
export async function layersCheckpoint(
  path: string,
): Promise<{ readonly bytes: Uint8Array; readonly notes: readonly string[] }> {
  const device = eagerDevice();
  try {
    const { network, independent, notes } = await loadNetwork(path, device, { logits: true });
    await independent?.dispose();
    return { bytes: encodeCheckpoint(network), notes };
  } finally {
    await device.dispose();
  }
}

/** A checkpoint; what is none may be an ONNX file of another name. */
function readCheckpoint(bytes: Uint8Array, path: string) {
  try {
    return decodeCheckpoint(bytes, path);
  } catch (error) {
    if (!(error instanceof CertError)) throw error;
    const cure = `${error.cure} The names of ONNX files end in .onnx or .onnx.gz, those of TensorFlow.js models in .json.`;
    throw new CertError(error.code, error.problem, cure, { cause: error });
  }
}

/** Options of {@link compare}. */
interface Compared {
  readonly path: string;
  readonly network: HostNetwork;
  readonly inputOrder: Int32Array;
  readonly independent: IndependentRuntime;
  readonly device: Device;
  /** The name of the independent program. */
  readonly runtime: string;
}

/** Compares outputs for random inputs. Where they differ, it frees the independent runtime and throws. */
async function compare({ path, network, inputOrder, independent, device, runtime }: Compared): Promise<void> {
  try {
    const { far } = await compareWithRuntime(network, inputOrder, independent, device);
    if (far === undefined) return;
    throw new CertError(
      'bad-file',
      `${path}: for a random input, output ${far.output} is ${far.ours} in cert and ${far.theirs} in ${runtime}.`,
      'Nothing was verified because the import is wrong. Please report the network.',
    );
  } catch (error) {
    await independent.dispose();
    throw error;
  }
}

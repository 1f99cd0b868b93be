import { readFile, stat } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { CertError } from '@cert/core';
import { type ImportedNetwork, readOnnx } from '@cert/interchange';
import type { Device } from '@cert/jit';
import { type OnnxModel, openOnnxModel } from '@cert/jit/node';
import { decodeCheckpoint } from '@cert/models';
import { runFiles } from '@cert/trainer/pipeline';
import type { HostNetwork } from '@cert/verify';
import { compareWithRuntime } from './compare-with-runtime.js';

/** A network that properties are verified of, and how its inputs are ordered in files. */
export interface VerifiedNetwork {
  readonly network: HostNetwork;
  /** For each input of a property, its place in the model's input. */
  readonly inputOrder: Int32Array;
  /** What runs the file as it is; undefined where nothing independent can. */
  readonly independent: OnnxModel | undefined;
  /** What the reader changed, for people. */
  readonly notes: readonly string[];
  /** The file that it was read from, decompressed, and what an ONNX file says of it. */
  readonly source: { readonly path: string; readonly bytes: Uint8Array; readonly onnx?: ImportedNetwork };
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

const isOnnx = (path: string): boolean => /\.onnx(\.gz)?$/i.test(path);

/**
 * Reads an ONNX file, and compares what is computed of it here with what ONNX Runtime computes of the file itself; or a checkpoint file, or
 * the last checkpoint of a run's folder.
 *
 * @throws CertError `bad-file` for a file that is neither, and for a network that ONNX Runtime computes otherwise
 */
export async function loadNetwork(given: string, device: Device): Promise<VerifiedNetwork> {
  const isFolder = (await stat(given).catch(() => undefined))?.isDirectory() ?? false;
  const path = isFolder ? runFiles(given).last : given;
  if (isFolder && (await stat(path).catch(() => undefined)) === undefined) {
    throw new CertError(
      'bad-file',
      `${given} contains no run: ${path} is missing.`,
      'Give the folder of a run, or a file.',
    );
  }
  const bytes = await readBytes(path);
  if (!isOnnx(path)) {
    const { model, params, stats } = readCheckpoint(bytes, path);
    const size = model.inputShape.reduce((a, b) => a * b, 1);
    return {
      network: { model, params, stats },
      ...{ inputOrder: Int32Array.from({ length: size }, (_, i) => i), independent: undefined, notes: [] },
      source: { path, bytes },
    };
  }
  const onnx = readOnnx(bytes);
  const { model, params, stats, inputShape, inputOrder, notes } = onnx;
  const network = { model, params, stats };
  const source = { path, bytes, onnx };
  const independent = await openOnnxModel(bytes, inputShape).catch((error: unknown) => {
    if (error instanceof CertError && error.code === 'missing-package') return undefined;
    throw error;
  });
  if (independent === undefined) {
    const unchecked = 'onnxruntime-node is not installed, so the imported network was not compared with ONNX Runtime.';
    return { network, inputOrder, independent, notes: [...notes, unchecked], source };
  }
  try {
    const { far } = await compareWithRuntime(network, inputOrder, independent, device);
    if (far !== undefined) {
      throw new CertError(
        'bad-file',
        `${path}: for a random input, output ${far.output} is ${far.ours} in cert and ${far.theirs} in ONNX Runtime.`,
        'Nothing was verified because the import is wrong. Please report the network.',
      );
    }
  } catch (error) {
    await independent.dispose();
    throw error;
  }
  return { network, inputOrder, independent, notes, source };
}

/** A checkpoint; what is none may be an ONNX file of another name. */
function readCheckpoint(bytes: Uint8Array, path: string) {
  try {
    return decodeCheckpoint(bytes, path);
  } catch (error) {
    if (!(error instanceof CertError)) throw error;
    const cure = `${error.cure} The names of ONNX files end in .onnx or .onnx.gz.`;
    throw new CertError(error.code, error.problem, cure, { cause: error });
  }
}

import { basename, dirname, join } from 'node:path';
import { CertError } from '@cert/core';
import {
  exportedInputOrder,
  type ImageLayout,
  type TableColumn,
  toLayersModel,
  toOnnx,
  toStateDict,
} from '@cert/interchange';
import type { Device } from '@cert/jit';
import { openOnnxModel } from '@cert/jit/node';
import { encodeCheckpoint, encodeSafetensors, type JsonValue } from '@cert/models';
import type { HostNetwork } from '@cert/verify';
import { compareWithRuntime, type IndependentRuntime } from '../verify/compare-with-runtime.js';
import { ownVersion } from '../version.js';
import { randomRow, valuesOf } from './columns.js';
import type { Facts } from './facts.js';

/** What a file looks like. */
export interface ExportSettings {
  readonly layout: ImageLayout;
  readonly batch: 1 | 'any';
  readonly foldBatchNorm: boolean;
  /** Columns of a table, each of which becomes an input; undefined: one input with all features. */
  readonly columns: readonly TableColumn[] | undefined;
}

/** A file to write. */
export interface ExportedFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** A format that networks are exported to. */
export interface ExportFormat {
  /** For the help. */
  readonly about: string;
  /** The end of the file's name, by which a format is chosen where none is given. */
  readonly suffix: string;
  /** Options of the command that this format has; others are refused. */
  readonly options: readonly ('layout' | 'batch' | 'foldBatchNorm' | 'columns' | 'vnnlib')[];
  /** The files, the one that was asked for first. */
  files(
    out: string,
    network: HostNetwork,
    settings: ExportSettings,
    facts: Facts,
    metadata: JsonValue,
  ): readonly ExportedFile[];
  /**
   * Runs the exported network with another program; undefined where there is no such program. Returns the largest difference of outputs,
   * relative to the largest output.
   *
   * @throws CertError `bad-file` where the outputs differ
   */
  confirm?(
    bytes: Uint8Array,
    network: HostNetwork,
    settings: ExportSettings,
    device: Device,
  ): Promise<number | undefined>;
}

/** The formats by their names. */
export const FORMATS = {
  onnx: {
    about: 'ONNX, runs in other tools and verifiers',
    suffix: '.onnx',
    options: ['layout', 'batch', 'foldBatchNorm', 'columns', 'vnnlib'],
    files: (path, network, settings, facts) => [
      {
        path,
        bytes: toOnnx(network, { ...settings, metadata: facts, producer: { name: 'cert', version: ownVersion() } }),
      },
    ],
    confirm: runInOnnxRuntime,
  },
  checkpoint: {
    about: 'checkpoint of cert without the state of training',
    suffix: '.cert.safetensors',
    options: [],
    files: (path, network, _settings, facts, metadata) => [
      { path, bytes: encodeCheckpoint({ ...network, metadata: { ...facts, ...dataIn(metadata) } }) },
    ],
  },
  safetensors: {
    about: 'weights for load_state_dict of PyTorch',
    suffix: '.safetensors',
    options: [],
    files: (path, network, _settings, facts) => [
      // Readers of PyTorch expect the format.
      { path, bytes: encodeSafetensors({ tensors: toStateDict(network), metadata: { format: 'pt', ...facts } }) },
    ],
  },
  layers: {
    about: 'TensorFlow.js LayersModel: model.json and a file of weights',
    suffix: '.json',
    options: [],
    files: (path, network) => {
      const weightsPath = `${basename(path, '.json')}.weights.bin`;
      const { json, weights } = toLayersModel(network, { weightsPath });
      return [
        { path, bytes: new TextEncoder().encode(JSON.stringify(json)) },
        { path: join(dirname(path), weightsPath), bytes: weights },
      ];
    },
  },
} as const satisfies { readonly [name: string]: ExportFormat };

/** What a checkpoint says about its dataset, with which one image is classified without it. */
const dataIn = (metadata: JsonValue) =>
  typeof metadata === 'object' && metadata !== null && 'data' in metadata ? { data: metadata.data } : {};

/** The name of a format. */
export type FormatName = keyof typeof FORMATS;

/** The names of all formats. */
export const FORMAT_NAMES = Object.keys(FORMATS) as readonly FormatName[];

async function runInOnnxRuntime(
  bytes: Uint8Array,
  network: HostNetwork,
  { layout, columns }: ExportSettings,
  device: Device,
): Promise<number | undefined> {
  const shape = inputShapeIn(network, layout);
  const runtime = await openOnnxModel(bytes, [1, ...shape]).catch((error: unknown) => {
    if (error instanceof CertError && error.code === 'missing-package') return undefined;
    throw error;
  });
  if (runtime === undefined) return undefined;
  const independent: IndependentRuntime =
    columns === undefined
      ? runtime
      : {
          draw: (rng) => randomRow(columns, rng),
          run: (features) => runtime.runColumns(valuesOf(columns, features)),
          dispose: runtime.dispose,
        };
  try {
    const { difference, far } = await compareWithRuntime(
      network,
      exportedInputOrder(network.model, layout),
      independent,
      device,
    );
    if (far === undefined) return difference;
    throw new CertError(
      'bad-file',
      `For a random input, output ${far.output} of the network is ${far.ours} in cert and ${far.theirs} in ONNX Runtime, which runs the exported file.`,
      'Nothing was written because the export is wrong. Please report the network.',
    );
  } finally {
    await runtime.dispose();
  }
}

/** The shape of an example in a file of a layout. */
export function inputShapeIn({ model }: Pick<HostNetwork, 'model'>, layout: ImageLayout): readonly number[] {
  const [height, width, channels] = model.inputShape;
  const isImage = model.inputShape.length === 3;
  return isImage && layout === 'nchw' ? [channels!, height!, width!] : model.inputShape;
}

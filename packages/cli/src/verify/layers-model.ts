import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { CertError, type Shape, sizeOf, tf } from '@cert/core';
import { weightPathsOf } from '@cert/interchange';

/** Whether a path leads to a TensorFlow.js model. */
export const isLayersModel = (path: string): boolean => /\.json(\.gz)?$/i.test(path);

/** The files of a TensorFlow.js model. */
export interface LayersFiles {
  /** The content of `model.json`. */
  readonly json: string;
  /** The weight files by their paths in `model.json`, in their order. */
  readonly weights: { readonly [path: string]: Uint8Array };
}

/**
 * Reads the weight files of a TensorFlow.js model, which lie beside it.
 *
 * @param path of `model.json`
 * @param bytes its content
 * @throws CertError `bad-file` for a file that is no such model, and for weight files that are missing or outside its folder
 */
export async function readLayersFiles(path: string, bytes: Uint8Array): Promise<LayersFiles> {
  const json = new TextDecoder().decode(bytes);
  const weights: { [path: string]: Uint8Array } = {};
  for (const name of weightPathsOf(json)) {
    if (isAbsolute(name) || normalize(name).startsWith('..')) {
      throw new CertError(
        'bad-file',
        `${path} names the weight file ${JSON.stringify(name)}, which is outside its folder.`,
        'Put the weight files beside model.json.',
      );
    }
    const file = join(dirname(path), name);
    weights[name] = await readFile(file).catch((cause: unknown) => {
      throw new CertError(
        'bad-file',
        `${path} names the weight file ${file}, which cannot be read: ${cause instanceof Error ? cause.message : cause}.`,
        'Put the weight files beside model.json.',
        { cause },
      );
    });
  }
  return { json, weights };
}

/** A model in TensorFlow.js itself. */
interface TensorFlowModel {
  /** Runs one input, row-major, and returns its outputs. */
  run(input: ArrayLike<number>): Promise<Float32Array>;
  /** Frees its tensors. */
  dispose(): Promise<void>;
}

/**
 * Loads a model in TensorFlow.js, where `@tensorflow/tfjs-layers` is installed.
 *
 * @param inputShape of one input, without the batch
 * @returns the model; a text that says why there is none
 */
export async function openInTensorFlow(
  { json, weights }: LayersFiles,
  inputShape: Shape,
): Promise<TensorFlowModel | string> {
  const layers = await import('@tensorflow/tfjs-layers').catch(() => undefined);
  if (layers === undefined) return '@tensorflow/tfjs-layers is not installed';
  const { modelTopology, weightsManifest } = JSON.parse(json);
  const quiet = silenced();
  try {
    const model = await layers.loadLayersModel(
      tf.io.fromMemory({
        modelTopology,
        weightSpecs: weightsManifest.flatMap((group: { readonly weights: unknown }) => group.weights),
        weightData: new Uint8Array(Buffer.concat(Object.values(weights))).buffer,
      }),
    );
    const run = async (input: ArrayLike<number>) => {
      const restore = silenced();
      try {
        const output = tf.tidy(() => {
          const predicted = model.predict(tf.tensor(Float32Array.from(input), [1, ...inputShape]));
          return Array.isArray(predicted) ? predicted[0]! : predicted;
        });
        const values = Float32Array.from(await output.data());
        output.dispose();
        return values;
      } finally {
        restore();
      }
    };
    // Some models load and do not run.
    await run(new Float32Array(sizeOf(inputShape)));
    return {
      run,
      async dispose() {
        model.dispose();
      },
    };
  } catch (error) {
    // Keras writes models that the import reads and TensorFlow.js does not.
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n');
    return `TensorFlow.js does not load or run the model (${reason!.slice(0, 200)})`;
  } finally {
    quiet();
  }
}

/** Keeps TensorFlow.js from recommending another backend on the console; returns what undoes this. */
function silenced(): () => void {
  const before = tf.env().getBool('PROD');
  tf.env().set('PROD', true);
  return () => tf.env().set('PROD', before);
}

import { naturalPass, runningNorm } from '@cert/bounds';
import { CertError, createRng, type HostParams, type Model, type Tensor, tf, toTensors } from '@cert/core';
import { badModel } from './errors.js';
import { type ImportedLayersModel, importGraph, type LayersImportOptions } from './import-graph.js';
import { readTopology } from './topology.js';
import { type NamedWeight, weightSource } from './weights.js';

/** What {@link fromLayersModel} reads of a LayersModel of `@tensorflow/tfjs-layers` or `@tensorflow/tfjs`: a `Sequential` or a functional model. */
export interface LayersModelLike {
  /** Returns the topology. */
  toJSON(unused?: unknown, returnString?: boolean): unknown;
  /** Runs the model on a batch. */
  predict(x: Tensor): Tensor | Tensor[];
  /** Weights of all layers, by name. */
  readonly weights: readonly { readonly originalName: string; read(): Tensor }[];
}

/** Options of {@link fromLayersModel}. */
export interface FromLayersModelOptions extends LayersImportOptions {
  /** The largest difference of outputs that counts as rounding, see {@link ComparedLayersModel.difference}. Default 1e-5. */
  readonly tolerance?: number;
}

/** A network imported from a LayersModel, and how close its outputs are. */
export interface ComparedLayersModel extends ImportedLayersModel {
  /**
   * The largest difference between the outputs of the model and those of `predict` over four random inputs, relative to the largest output
   * of the same input, or to 1 where that is less. Behind a softmax, logarithms of probabilities are compared.
   */
  readonly difference: number;
}

/**
 * Imports a LayersModel that is loaded or was trained in this program, and compares its outputs with `predict` on random inputs. Works for
 * models of the TensorFlow.js instance that `@cert/core` uses, which npm installs once for both.
 *
 * @param source a `tf.LayersModel` or `tf.Sequential` with one input and one output
 * @throws CertError `missing-rule` naming the layer whose class or setting is not supported; `bad-file` for weights that are not finite, and
 * for models that are not built, or have several inputs or outputs; `bad-model` for outputs that differ by more than the tolerance
 */
export async function fromLayersModel(
  source: LayersModelLike,
  { tolerance = 1e-5, ...options }: FromLayersModelOptions = {},
): Promise<ComparedLayersModel> {
  const weights = await Promise.all(
    source.weights.map(async ({ originalName, read }, i): Promise<NamedWeight> => {
      // `read` needs its object.
      const tensor = read.call(source.weights[i]);
      const data = await tensor.data();
      if (data instanceof Float32Array) return { name: originalName, shape: tensor.shape, data };
      throw badModel(`has a weight "${originalName}" of the data type ${tensor.dtype}`, 'Use float32 weights.');
    }),
  );
  const imported = importGraph(readTopology(topologyOf(source)), weightSource(weights), options);
  const difference = await compare(source, imported);
  if (difference <= tolerance) return { ...imported, difference };
  throw new CertError(
    'bad-model',
    `The outputs of the imported network differ from those of the TensorFlow.js model by ${difference.toPrecision(2)} (relative), more than ${tolerance}.`,
    [
      'Do not use the import. If the difference is rounding, give a larger tolerance; else please report the layers of the model.',
      ...imported.notes,
    ].join(' '),
  );
}

function topologyOf(source: LayersModelLike): unknown {
  try {
    return source.toJSON(undefined, false);
  } catch (cause) {
    throw badModel(
      `has no topology: ${cause instanceof Error ? cause.message.slice(0, 200) : 'unreadable'}`,
      'Build the model first, with an inputShape of its first layer.',
    );
  }
}

/** Factors of the random inputs: pixels from 0 to 1 and from 0 to 255, and numbers of both signs. */
const FACTORS = [1, 255, -1, -2];

async function compare(
  source: LayersModelLike,
  { model, params, stats, inputShape, inputOrder, softmaxDropped }: ImportedLayersModel,
): Promise<number> {
  const rng = createRng(0, 'layers');
  const size = inputOrder.length;
  const theirs = Float32Array.from({ length: FACTORS.length * size }, (_, i) => {
    const factor = FACTORS[Math.floor(i / size)]!;
    return factor < 0 ? factor * (2 * rng.uniform() - 1) : factor * rng.uniform();
  });
  const ours = new Float32Array(theirs.length);
  theirs.forEach((value, i) => {
    ours[i - (i % size) + inputOrder[i % size]!] = value;
  });
  const x = tf.tensor(theirs, [FACTORS.length, ...inputShape]);
  const predicted = predict(source, x);
  const [outputs, ...others] = Array.isArray(predicted) ? predicted : [predicted];
  const expected = await outputs!.data();
  for (const tensor of [outputs!, ...others]) tensor.dispose();
  return largestDifference(await run({ model, params, stats }, ours), expected, model.classes, softmaxDropped);
}

/** Runs the model, and disposes of the input. */
function predict(source: LayersModelLike, x: Tensor): Tensor | Tensor[] {
  try {
    return source.predict(x);
  } catch (cause) {
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    throw new CertError(
      'bad-model',
      `The import could not be compared, because predict of the TensorFlow.js model fails: ${reason!.slice(0, 200)}`,
      'Repair the model. readLayersModel imports the files of a model without running it.',
      { cause },
    );
  } finally {
    x.dispose();
  }
}

/** The outputs of a network for rows of inputs. */
async function run(
  { model, params, stats }: { readonly model: Model; readonly params: HostParams; readonly stats: HostParams },
  rows: Float32Array,
): Promise<ArrayLike<number>> {
  const [own, running] = [toTensors(params), toTensors(stats)];
  const x = tf.tensor(rows, [FACTORS.length, ...model.inputShape]);
  const output = tf.tidy(() => naturalPass({ model, params: own, norm: runningNorm(running) }, x).output);
  const values = await output.data();
  tf.dispose([own, running, x, output]);
  return values;
}

/** Probabilities below which a logarithm has lost its digits. */
const LEAST = 1e-30;

function largestDifference(
  ours: ArrayLike<number>,
  theirs: ArrayLike<number>,
  outputs: number,
  isSoftmax: boolean,
): number {
  if (ours.length !== theirs.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let row = 0; row < ours.length; row += outputs) {
    const logits = Array.from({ length: outputs }, (_, j) => ours[row + j]!);
    const top = Math.max(...logits);
    const sum = Math.log(logits.reduce((total, logit) => total + Math.exp(logit - top), 0)) + top;
    const scale = logits.reduce((most, logit) => Math.max(most, Math.abs(logit)), 1);
    for (let j = 0; j < outputs; j++) {
      const value = theirs[row + j]!;
      if (isSoftmax && value < LEAST) {
        // It is that small here too.
        if (!(logits[j]! - sum < Math.log(LEAST) + 1)) return Number.POSITIVE_INFINITY;
        continue;
      }
      const difference = isSoftmax ? Math.log(value) - (logits[j]! - sum) : value - logits[j]!;
      // NaN is no small difference.
      if (!Number.isFinite(difference)) return Number.POSITIVE_INFINITY;
      largest = Math.max(largest, Math.abs(difference) / scale);
    }
  }
  return largest;
}

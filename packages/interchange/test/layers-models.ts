/** Small LayersModels of TensorFlow.js with seeded random weights, and their files. */
import { createRng, type Tensor, tf } from '@cert/core';
import * as tfl from '@tensorflow/tfjs-layers';

/** Layers of TensorFlow.js. */
export const { layers } = tfl;

type Apply = (x: tfl.SymbolicTensor) => tfl.SymbolicTensor;

/** A layer on one input. */
export const on = (layer: tfl.layers.Layer, x: tfl.SymbolicTensor | tfl.SymbolicTensor[]): tfl.SymbolicTensor =>
  layer.apply(x) as tfl.SymbolicTensor;

/** Sets every weight from a seed: variances positive, all others of both signs. */
function randomize(model: tfl.LayersModel, seed = 0): tfl.LayersModel {
  for (const weight of model.weights) {
    const rng = createRng(seed, weight.originalName);
    const isVariance = weight.originalName.endsWith('variance');
    const size = weight.shape.reduce<number>((product, n) => product * n!, 1);
    const values = Float32Array.from({ length: size }, () =>
      isVariance ? 0.5 + rng.uniform() : 1.2 * (rng.uniform() - 0.5),
    );
    const tensor = tf.tensor(values, weight.shape as number[]);
    weight.write(tensor);
    tensor.dispose();
  }
  return model;
}

/** A chain of layers, with random weights. The first layer needs no shape. */
export function chain(inputShape: number[], given: readonly tfl.layers.Layer[]): tfl.LayersModel {
  const model = tfl.sequential();
  model.add(layers.inputLayer({ inputShape }));
  for (const layer of given) model.add(layer);
  return randomize(model);
}

/** A model of a function, with random weights. */
export function functional(inputShape: number[], build: Apply): tfl.LayersModel {
  const inputs = tfl.input({ shape: inputShape });
  return randomize(tfl.model({ inputs, outputs: build(inputs) }));
}

/** What `model.save()` writes. */
export interface SavedModel {
  readonly json: {
    readonly modelTopology: unknown;
    readonly weightsManifest: { readonly paths: string[]; readonly weights: object[] }[];
  };
  readonly weights: Uint8Array;
}

/** The files of a model, with all weights in one. */
export async function saved(model: tfl.LayersModel): Promise<SavedModel> {
  let found: SavedModel | undefined;
  await model.save({
    async save({ modelTopology, weightSpecs, weightData }) {
      const parts = Array.isArray(weightData) ? weightData : [weightData!];
      const weights = Buffer.concat(parts.map((part) => new Uint8Array(part)));
      // Files are text, in which undefined settings are lost.
      const json = JSON.parse(
        JSON.stringify({
          format: 'layers-model',
          modelTopology,
          weightsManifest: [{ paths: ['weights.bin'], weights: weightSpecs }],
        }),
      );
      found = { json, weights: new Uint8Array(weights) };
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    },
  });
  return found!;
}

/** Loads files, as `tf.loadLayersModel` does of a folder. */
export const loaded = (json: SavedModel['json'], weights: Uint8Array): Promise<tfl.LayersModel> =>
  tfl.loadLayersModel(
    tf.io.fromMemory({
      modelTopology: JSON.parse(JSON.stringify(json.modelTopology)),
      weightSpecs: JSON.parse(JSON.stringify(json.weightsManifest[0]!.weights)),
      weightData: weights.slice().buffer,
    }),
  );

/** The outputs of a model for a batch, without the tensors. */
export function predicted(model: tfl.LayersModel, x: Tensor): Float32Array {
  const output = model.predict(x) as Tensor;
  const values = output.dataSync() as Float32Array;
  output.dispose();
  return values;
}

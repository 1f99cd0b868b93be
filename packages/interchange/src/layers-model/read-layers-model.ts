import { describeValue, parseJson } from '@cert/core';
import { isJson, type Json } from './config.js';
import { badModel } from './errors.js';
import { type ImportedLayersModel, importGraph, type LayersImportOptions } from './import-graph.js';
import { readTopology } from './topology.js';
import { decodeWeights, pathsIn, type WeightFiles } from './weight-files.js';
import { weightSource } from './weights.js';

/**
 * Imports a network from the files of a TensorFlow.js LayersModel: what `model.save()` writes, and what `tensorflowjs_converter` makes of a
 * Keras model. TensorFlow.js is not needed, and the network is not run: compare outputs with `predict` if that matters, or use
 * `fromLayersModel`, which does.
 *
 * @param json the content of `model.json`, as text or parsed
 * @param weights the bytes of the weight files, see {@link weightPathsOf}
 * @throws CertError `bad-file` for files that are damaged or do not fit each other, and for weights that are not finite; `missing-rule`
 * naming the layer whose class or setting is not supported; `bad-model` for layers that do not fit
 */
export function readLayersModel(
  json: unknown,
  weights: WeightFiles,
  options: LayersImportOptions = {},
): ImportedLayersModel {
  const content = readJson(json);
  const container = readTopology(content.modelTopology);
  const decoded = decodeWeights(content, weights);
  const imported = importGraph(container, weightSource(decoded.weights), options);
  return { ...imported, notes: [...decoded.notes, ...imported.notes] };
}

/**
 * Returns the paths of the weight files that `model.json` names, relative to its folder, in order.
 *
 * @param json the content of `model.json`, as text or parsed
 * @throws CertError `bad-file` for content that is no LayersModel
 */
export const weightPathsOf = (json: unknown): readonly string[] => pathsIn(readJson(json));

function readJson(json: unknown): Json {
  const content = typeof json === 'string' ? parsed(json) : json;
  if (!isJson(content)) throw badModel(`is ${describeValue(content ?? null)} instead of an object`);
  if (content.format === 'graph-model') {
    throw badModel(
      'is a graph model, whose layers were turned into single operations',
      'Convert the Keras model to the layers format (--output_format tfjs_layers_model), or export it to ONNX.',
    );
  }
  if (content.modelTopology === undefined) {
    throw badModel('has no "modelTopology"', 'Give the model.json that model.save() or the converter wrote.');
  }
  return content;
}

function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw badModel(`is not JSON: ${error instanceof Error ? error.message.slice(0, 200) : 'unreadable'}`);
  }
}

export { inputInFile, propertyInModel } from './align.js';
export {
  type ComparedLayersModel,
  type FromLayersModelOptions,
  fromLayersModel,
  type LayersModelLike,
} from './layers-model/from-layers-model.js';
export type { ImportedLayersModel, LayersImportOptions } from './layers-model/import-graph.js';
export { readLayersModel, weightPathsOf } from './layers-model/read-layers-model.js';
export {
  type ExportedLayersModel,
  type LayersModelJson,
  type LayersWeightSpec,
  type ToLayersModelOptions,
  toLayersModel,
} from './layers-model/to-layers-model.js';
export type { WeightFiles } from './layers-model/weight-files.js';
export { onnxInitializers } from './onnx/initializers.js';
export { type ImportedNetwork, type ImportedRelu, readOnnx } from './onnx/read-onnx.js';
export { type Instance, readInstances } from './vnncomp/instances.js';
export { type VnncompVerdict, type Witness, writeVnncompResult } from './vnncomp/result.js';
export { readVnnlib } from './vnnlib/read-vnnlib.js';

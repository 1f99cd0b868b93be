export { inputInFile, propertyInFile, propertyInModel } from './align.js';
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
export { exportedInputOrder } from './onnx-out/input-order.js';
export type { TableColumn } from './onnx-out/table-columns.js';
export { type ImageLayout, type ToOnnxOptions, toOnnx } from './onnx-out/to-onnx.js';
export { fromStateDict, type ModelWeights, type StateDictOptions } from './pytorch/from-state-dict.js';
export type { LayerNames } from './pytorch/match-names.js';
export { readStateDict } from './pytorch/read-state-dict.js';
export { toStateDict } from './pytorch/to-state-dict.js';
export type { FlattenOrder } from './pytorch/vector-order.js';
export { type Instance, readInstances } from './vnncomp/instances.js';
export { type VnncompVerdict, type Witness, writeVnncompResult } from './vnncomp/result.js';
export { writeInstances } from './vnncomp/write-instances.js';
export { readVnnlib } from './vnnlib/read-vnnlib.js';
export { writeVnnlib } from './vnnlib/write-vnnlib.js';

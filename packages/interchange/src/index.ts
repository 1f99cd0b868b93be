export { inputInFile, propertyInModel } from './align.js';
export { onnxInitializers } from './onnx/initializers.js';
export { type ImportedNetwork, type ImportedRelu, readOnnx } from './onnx/read-onnx.js';
export { exportedInputOrder } from './onnx-out/input-order.js';
export { type ImageLayout, type ToOnnxOptions, toOnnx } from './onnx-out/to-onnx.js';
export { type Instance, readInstances } from './vnncomp/instances.js';
export { type VnncompVerdict, type Witness, writeVnncompResult } from './vnncomp/result.js';
export { readVnnlib } from './vnnlib/read-vnnlib.js';

export { inputInFile, propertyInModel } from './align.js';
export { type ImportedNetwork, readOnnx } from './onnx/read-onnx.js';
export { type Instance, readInstances } from './vnncomp/instances.js';
export { type VnncompVerdict, type Witness, writeVnncompResult } from './vnncomp/result.js';
export { readVnnlib } from './vnnlib/read-vnnlib.js';

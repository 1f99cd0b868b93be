export { type ImportedNetwork, readOnnx } from './onnx/read-onnx.js';
export { readVnnlib } from './vnnlib/read-vnnlib.js';

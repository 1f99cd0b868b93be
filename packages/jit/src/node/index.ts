export type { CompiledOptions } from '../devices/compiled-device.js';
export { type CpuOptions, cpuDevice } from '../devices/cpu.js';
export { type CudaOptions, cudaDevice } from '../devices/cuda.js';
export { type OnnxModel, openOnnxModel } from '../devices/onnx-model.js';
export { type DeviceEntry, deviceNames, devices, openDevice } from '../devices/open.js';
export { telemetry } from '../devices/telemetry.js';
export { type TfjsNodeOptions, tfjsNodeDevice, tfjsNodeGpuDevice } from '../devices/tfjs-node.js';
export { type WebgpuOptions, webgpuDevice } from '../devices/webgpu.js';

export type { CompiledOptions } from './compiled-device.js';
export { type CpuOptions, cpuDevice } from './cpu.js';
export { type CudaOptions, cudaDevice } from './cuda.js';
export {
  type Device,
  type DeviceArray,
  type DeviceFunction,
  type DType,
  disposeTree,
  type HostArray,
  type OnDevice,
  readTree,
} from './device.js';
export { type EagerOptions, eagerDevice } from './eager.js';
export { type DeviceEntry, deviceNames, devices, openDevice } from './open.js';
export {
  type ArrayTree,
  type HostBatch,
  type HostLeaf,
  type HostRecord,
  putBatch,
  putParams,
  putScalars,
  putTree,
} from './put.js';
export { telemetry } from './telemetry.js';
export { type TfjsNodeOptions, tfjsNodeDevice, tfjsNodeGpuDevice } from './tfjs-node.js';
export { turn } from './turn.js';
export { type WebgpuOptions, webgpuDevice } from './webgpu.js';

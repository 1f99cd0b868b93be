export { type CpuOptions, cpuDevice } from './cpu.js';
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
export { eagerDevice } from './eager.js';
export { deviceNames, openDevice } from './open.js';

export {
  type Device,
  type DeviceArray,
  type DeviceFunction,
  type DType,
  disposeTree,
  type HostArray,
  type OnDevice,
  readTree,
} from './devices/device.js';
export { type EagerOptions, eagerDevice } from './devices/eager.js';
export { putBatch, putParams, putScalars, putTree } from './put.js';
export { turn } from './turn.js';

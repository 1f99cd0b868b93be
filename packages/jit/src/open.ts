import { CertError } from '@cert/core';
import { cpuDevice } from './cpu.js';
import type { Device } from './device.js';
import { eagerDevice } from './eager.js';

/** The devices by name. */
const DEVICES: { readonly [name: string]: () => Promise<Device> } = {
  cpu: () => cpuDevice(),
  tfjs: async () => eagerDevice(),
};

/** The names that {@link openDevice} knows. */
export const deviceNames: readonly string[] = Object.keys(DEVICES);

/**
 * Opens a device: `cpu` compiles for ONNX Runtime, `tfjs` runs eagerly on the current TensorFlow.js backend.
 *
 * @throws CertError `missing-device` for an unknown name, `missing-package` when what it needs is not installed
 */
export async function openDevice(name: string): Promise<Device> {
  const open = DEVICES[name];
  if (open !== undefined) return open();
  throw new CertError('missing-device', `There is no device "${name}".`, `Devices: ${deviceNames.join(', ')}.`);
}

import { CertError } from '@cert/core';
import { cpuDevice } from './cpu.js';
import { cudaDevice } from './cuda.js';
import type { Device } from './device.js';
import { eagerDevice } from './eager.js';
import { mayHaveNvidia, softwareAdapter } from './hardware.js';
import { tfjsNodeDevice, tfjsNodeGpuDevice } from './tfjs-node.js';
import { webgpuDevice } from './webgpu.js';

/** A device that can be opened by name. */
export interface DeviceEntry {
  /** Name of the device. */
  readonly name: string;
  /** Description for help texts. */
  readonly about: string;
  /**
   * Opens it with its default settings.
   *
   * @throws CertError `missing-package`, `missing-device`; `in-use` for a device that this process cannot open beside one that it has opened
   */
  open(): Promise<Device>;
  /** Whether this machine has no hardware for the device, so that `auto` need not try it. */
  readonly hopeless?: () => boolean;
}

/** All devices, fastest first. */
export const devices: readonly DeviceEntry[] = [
  {
    name: 'cuda',
    about: 'NVIDIA GPU, compiled',
    open: () => cudaDevice(),
    hopeless: () => !mayHaveNvidia(),
  },
  {
    name: 'webgpu',
    about: 'any GPU, compiled',
    open: () => webgpuDevice(),
    hopeless: () => softwareAdapter() !== undefined,
  },
  {
    name: 'tfjs-node-gpu',
    about: 'NVIDIA GPU, eager',
    open: () => tfjsNodeGpuDevice(),
    hopeless: () => !mayHaveNvidia(),
  },
  { name: 'cpu', about: 'compiled', open: () => cpuDevice() },
  { name: 'tfjs-node', about: 'CPU, eager', open: () => tfjsNodeDevice() },
  { name: 'tfjs', about: 'plain JavaScript, eager, slow', open: async () => eagerDevice() },
];

/** Names for {@link openDevice}. */
export const deviceNames: readonly string[] = devices.map(({ name }) => name);

/**
 * Opens a device of {@link devices} by its name.
 *
 * @throws CertError `missing-device` for an unknown name or missing hardware, `missing-package` if a required package is not installed,
 * `in-use` for a device that this process cannot open beside one that it has opened
 */
export async function openDevice(name: string): Promise<Device> {
  const entry = devices.find((one) => one.name === name);
  if (entry !== undefined) return entry.open();
  throw new CertError('missing-device', `There is no device "${name}".`, `Devices: ${deviceNames.join(', ')}.`);
}

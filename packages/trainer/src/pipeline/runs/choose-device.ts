import { CertError, tf } from '@cert/core';
import type { Device } from '@cert/jit';
import { cpuDevice, type DeviceEntry, devices, openDevice } from '@cert/jit/node';

/** A device and the reason for choosing it. */
export interface ChosenDevice {
  /** The open device; the caller disposes it. */
  readonly device: Device;
  /** Human-readable reason for the choice, including skipped devices. */
  readonly reason: string;
}

/**
 * Opens a device by name; `auto` chooses the first available candidate, skipping GPU devices that actually run on the CPU and devices
 * without hardware on this machine.
 *
 * @param name of one of {@link devices}, or `auto`
 * @param candidates of `auto`, fastest first; a named device is looked for among them first
 * @throws CertError `missing-device` for an unknown name, missing hardware, or no available candidate; `missing-package` if a package of
 * the named device is not installed
 */
export async function chooseDevice(name: string, candidates: readonly DeviceEntry[] = devices): Promise<ChosenDevice> {
  await tf.ready();
  if (name !== 'auto') {
    const entry = candidates.find((candidate) => candidate.name === name);
    return { device: await (entry === undefined ? openDevice(name) : entry.open()), reason: 'requested' };
  }
  const passedOver: string[] = [];
  for (const { name: candidate, hopeless, open } of candidates) {
    if (hopeless?.()) continue;
    try {
      const device = await open();
      if (device.warning === undefined) return { device, reason: reasonOf(passedOver) };
      passedOver.push(`${candidate}: ${device.warning}`);
      await device.dispose();
    } catch (error) {
      if (!(error instanceof CertError)) throw error;
      passedOver.push(`${candidate}: ${error.problem.replace(/\.$/, '')}`);
    }
  }
  throw new CertError('missing-device', 'No device is available.', `Tried: ${passedOver.join('; ')}.`);
}

const reasonOf = (passedOver: readonly string[]): string =>
  passedOver.length === 0 ? 'fastest available' : `fastest available; ${passedOver.join('; ')}`;

/** The devices, the compiled CPU device with so many threads; undefined for one per core. */
export const devicesWith = (threads: number | undefined): readonly DeviceEntry[] =>
  devices.map((entry) =>
    entry.name === 'cpu' && threads !== undefined ? { ...entry, open: () => cpuDevice({ threads }) } : entry,
  );

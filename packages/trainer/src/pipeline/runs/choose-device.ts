import { CertError, tf } from '@cert/core';
import type { Device } from '@cert/jit';
import { type DeviceEntry, devices, openDevice } from '@cert/jit/node';

/** A device and why it was taken. */
export interface ChosenDevice {
  /** The open device, the caller's to dispose. */
  readonly device: Device;
  /** Why it was taken, and which others were passed over and why. For people. */
  readonly reason: string;
}

/**
 * Opens a device by name; `auto` takes the first of the candidates that is there and is what it promises: no GPU device that runs on
 * the processor. It does not try what this machine shows no hardware for.
 *
 * @param name of one of {@link devices}, or `auto`
 * @param candidates of `auto`, the fastest first
 * @throws CertError `missing-device` for an unknown name, missing hardware, or when no candidate is there; `missing-package` when what a
 * named device needs is not installed
 */
export async function chooseDevice(name: string, candidates: readonly DeviceEntry[] = devices): Promise<ChosenDevice> {
  await tf.ready();
  if (name !== 'auto') return { device: await openDevice(name), reason: 'asked for' };
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
  throw new CertError('missing-device', 'No device is there.', `Tried: ${passedOver.join('; ')}.`);
}

const reasonOf = (passedOver: readonly string[]): string =>
  passedOver.length === 0 ? 'the fastest available' : `the fastest available (${passedOver.join('; ')})`;

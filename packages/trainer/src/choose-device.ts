import { CertError, tf } from '@cert/core';
import { type Device, openDevice } from '@cert/jit';

/** A device and why it was taken. */
export interface ChosenDevice {
  readonly device: Device;
  readonly reason: string;
}

/** Fastest first. */
const PREFERRED = ['cpu', 'tfjs'] as const;

/**
 * Opens a device by name; `auto` takes the fastest that is there.
 *
 * @throws CertError `missing-device`, `missing-package`
 */
export async function chooseDevice(name: string): Promise<ChosenDevice> {
  await tf.ready();
  if (name !== 'auto') return { device: await openDevice(name), reason: 'asked for' };
  const missing: string[] = [];
  for (const candidate of PREFERRED) {
    try {
      const device = await openDevice(candidate);
      return {
        device,
        reason: missing.length === 0 ? 'the fastest' : `the fastest that is there (${missing.join('; ')})`,
      };
    } catch (error) {
      if (!(error instanceof CertError)) throw error;
      missing.push(`${candidate}: ${error.problem}`);
    }
  }
  throw new CertError('missing-device', 'No device is there.', `Tried: ${missing.join('; ')}`);
}

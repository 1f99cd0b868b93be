import type { Device } from '@cert/jit';
import { canonicalName, chooseDevice, FIELDS } from '@cert/trainer/pipeline';
import type { Terminal } from '../terminal.js';

/** Opens the device of a command, and says aloud when it is not what its name promises. */
export async function openDeviceFor(terminal: Terminal, name: string): Promise<Device> {
  const { device } = await chooseDevice(canonicalName(name, FIELDS.device.of));
  if (device.warning !== undefined) terminal.err(`warning: ${device.warning}`);
  return device;
}

import { CertError, tf } from '@cert/core';
import { type DeviceEntry, devices, telemetry } from '@cert/jit/node';
import { chooseDevice } from '@cert/trainer/pipeline';
import type { Command } from 'commander';
import { formatTable } from '../show/format-table.js';
import { painter } from '../show/paint.js';
import type { Look } from '../show/table.js';
import { widthOf } from '../show/width.js';
import type { Terminal } from '../terminal.js';
import { ownVersion } from '../version.js';
import { addOutputOptions, type OutputOptions } from './output-options.js';

/** Makes `cert doctor`: what this machine can compute on. */
export function addDoctor(command: Command, terminal: Terminal): void {
  addOutputOptions(command, 'the report').action(async ({ json = false }: OutputOptions) => {
    await tf.ready();
    const { device, reason } = await chooseDevice('auto');
    await device.dispose();
    if (json) return terminal.out(JSON.stringify(await doctorReport(device.name, reason)));
    terminal.out(await doctorTable(devices, terminal));
    terminal.out(`\n--device auto selects ${device.name}: ${reason}.`);
  });
}

/** What the table says, as data. */
async function doctorReport(selected: string, reason: string) {
  const states = [];
  for (const entry of devices) {
    const [state, detail] = await probe(entry);
    states.push({ name: entry.name, state, detail });
  }
  return {
    cert: ownVersion(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    telemetry: telemetry(),
    devices: states,
    auto: { device: selected, reason },
  };
}

/**
 * What is installed, and for each device whether it is available, what it runs on, and the cure where something is wrong.
 *
 * @param look the terminal that it is for; default a pipe, without a width
 */
export async function doctorTable(entries: readonly DeviceEntry[], look: Look = { screen: null }): Promise<string> {
  const rows = [
    ['cert', ownVersion(), ''],
    ['Node.js', process.version, `${process.platform} ${process.arch}`],
    ['telemetry', telemetry(), 'of ONNX Runtime; set ORT_DISABLE_TELEMETRY=0 to leave it on'],
  ];
  for (const entry of entries) rows.push([`device ${entry.name}`, ...(await probe(entry))]);
  const paint = painter(look);
  const colours = { available: 'good', degraded: 'warning' } as const;
  return formatTable(rows, { width: widthOf(look), keys: 2, left: true }).replaceAll(
    /^(device \S+ +)(available|degraded)/gm,
    (_, device: string, state: keyof typeof colours) => `${device}${paint(colours[state], state)}`,
  );
}

async function probe({ open }: DeviceEntry): Promise<[state: string, detail: string]> {
  try {
    const { description, warning, dispose } = await open();
    await dispose();
    return warning === undefined ? ['available', description] : ['degraded', `${description}. ${warning}`];
  } catch (error) {
    if (!(error instanceof CertError)) throw error;
    // Two devices that a process cannot open together: nothing is known about the second one.
    return [error.code === 'in-use' ? 'not tested' : 'missing', `${error.problem} ${error.cure}`];
  }
}

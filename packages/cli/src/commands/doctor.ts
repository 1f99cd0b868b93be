import { CertError, tf } from '@cert/core';
import { type DeviceEntry, devices, telemetry } from '@cert/jit/node';
import { chooseDevice } from '@cert/trainer/pipeline';
import type { Command } from 'commander';
import type { Terminal } from '../terminal.js';
import { ownVersion } from '../version.js';

/** Makes `cert doctor`: what this machine can compute on. */
export function addDoctor(command: Command, terminal: Terminal): void {
  command
    .option('--json', 'print one line of JSON (default: a table)')
    .action(async ({ json = false }: { json?: boolean }) => {
      await tf.ready();
      const { device, reason } = await chooseDevice('auto');
      await device.dispose();
      if (json) return terminal.out(JSON.stringify(await doctorReport(device.name, reason)));
      terminal.out(await doctorTable(devices));
      terminal.out(`\n--device auto takes ${device.name}: ${reason}.`);
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

/** A line for each device: whether it is there, what it runs on, and the cure where something is wrong. */
export async function doctorTable(entries: readonly DeviceEntry[]): Promise<string> {
  const rows = [
    ['cert', ownVersion(), ''],
    ['Node.js', process.version, `${process.platform} ${process.arch}`],
    ['telemetry', telemetry(), 'of ONNX Runtime; ORT_DISABLE_TELEMETRY=0 in the environment leaves it on'],
  ];
  for (const entry of entries) rows.push([`device ${entry.name}`, ...(await probe(entry))]);
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map(([what, state, detail]) => `${what!.padEnd(widths[0]!)}  ${state!.padEnd(widths[1]!)}  ${detail}`)
    .join('\n');
}

async function probe({ open }: DeviceEntry): Promise<[state: string, detail: string]> {
  try {
    const { description, warning, dispose } = await open();
    await dispose();
    return warning === undefined ? ['there', description] : ['degraded', `${description}. ${warning}`];
  } catch (error) {
    if (!(error instanceof CertError)) throw error;
    return ['missing', `${error.problem} ${error.cure}`];
  }
}

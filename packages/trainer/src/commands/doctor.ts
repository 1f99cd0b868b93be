import { CertError, tf } from '@cert/core';
import { deviceNames, openDevice } from '@cert/jit';
import type { Command } from 'commander';
import { chooseDevice } from '../choose-device.js';
import type { Terminal } from '../terminal.js';

/** Adds `cert doctor`: what this machine can compute on. */
export function addDoctor(program: Command, terminal: Terminal): void {
  program
    .command('doctor')
    .description('list the devices that are there, and say which one is taken')
    .action(async () => {
      await tf.ready();
      const rows = [['Node.js', process.version, `${process.platform} ${process.arch}`]];
      for (const name of deviceNames) rows.push([`device ${name}`, ...(await probe(name))]);
      const { device, reason } = await chooseDevice('auto');
      terminal.out(
        rows.map(([what, state, detail]) => `${what!.padEnd(14)} ${state!.padEnd(10)} ${detail}`).join('\n'),
      );
      terminal.out(`\n--device auto takes ${device.name}: ${reason}.`);
      await device.dispose();
    });
}

async function probe(name: string): Promise<[state: string, detail: string]> {
  try {
    const device = await openDevice(name);
    const { description } = device;
    await device.dispose();
    return ['there', description];
  } catch (error) {
    if (!(error instanceof CertError)) throw error;
    return ['missing', `${error.problem} ${error.cure}`];
  }
}

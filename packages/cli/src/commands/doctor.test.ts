import { PassThrough } from 'node:stream';
import { CertError } from '@cert/core';
import { type Device, eagerDevice } from '@cert/jit';
import type { DeviceEntry } from '@cert/jit/node';
import { chooseDevice } from '@cert/trainer/pipeline';
import { describe, expect, it } from 'vitest';
import { doctorTable } from './doctor.js';

const disposed: string[] = [];
const entry = (name: string, device: Partial<Device> | CertError, hopeless = false): DeviceEntry => ({
  name,
  about: '',
  hopeless: () => hopeless,
  async open() {
    if (device instanceof CertError) throw device;
    const dispose = async () => {
      disposed.push(name);
    };
    return { ...eagerDevice({ name, description: `${name} itself` }), dispose, ...device };
  },
});
const missing = new CertError('missing-package', 'It is not installed.', 'Install it.');

describe('auto', () => {
  it('takes the first that is what it promises, and says what it passed over', async () => {
    const { device, reason } = await chooseDevice('auto', [
      entry('hopeless', {}, true),
      entry('absent', missing),
      entry('slow', { warning: 'It is slow.' }),
      entry('good', {}),
      entry('late', {}),
    ]);
    expect(device.name).toBe('good');
    expect(reason).toBe('fastest available; absent: It is not installed; slow: It is slow.');
    expect(disposed).toEqual(['slow']);
  });

  it('says when there is none', async () => {
    await expect(chooseDevice('auto', [entry('absent', missing)])).rejects.toMatchObject({
      code: 'missing-device',
      message: expect.stringContaining('absent: It is not installed.'),
    });
  });
});

it('doctor lists every device with its state and cure', async () => {
  const table = await doctorTable([
    entry('absent', missing),
    entry('slow', { warning: 'It is slow.' }),
    entry('good', {}),
  ]);
  expect(table.split('\n').slice(3)).toEqual([
    'device absent  missing    It is not installed. Install it.',
    'device slow    degraded   slow itself. It is slow.',
    'device good    available  good itself',
  ]);
});

it('doctor calls nothing missing that the process cannot open beside another device', async () => {
  const beside = new CertError('in-use', 'It shares a name with another one.', 'Use a separate process.');
  const table = await doctorTable([entry('good', {}), entry('beside', beside)]);
  expect(table.split('\n').at(-1)).toBe(
    'device beside  not tested  It shares a name with another one. Use a separate process.',
  );
});

it('doctor wraps long cures to the width of the screen, and colours what is available', async () => {
  const cure = 'Install the driver of the graphics card, and restart the machine. '.repeat(2).trim();
  const entries = [entry('absent', new CertError('missing-device', 'No adapter.', cure)), entry('good', {})];
  const screen = Object.assign(new PassThrough(), { columns: 60 });
  const lines = (await doctorTable(entries, { screen })).split('\n');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60);
  expect(lines.slice(-6)).toEqual([
    'device absent  missing    No adapter. Install the driver of',
    '                          the graphics card, and restart the',
    '                          machine. Install the driver of the',
    '                          graphics card, and restart the',
    '                          machine.',
    'device good    available  good itself',
  ]);
  const coloured = await doctorTable(entries, { screen: null, colors: true });
  expect(coloured).toContain('device good    \u001b[32mavailable\u001b[39m  good itself');
});

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
    expect(reason).toBe('the fastest available (absent: It is not installed.; slow: It is slow.)');
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
    'device absent  missing   It is not installed. Install it.',
    'device slow    degraded  slow itself. It is slow.',
    'device good    there     good itself',
  ]);
});

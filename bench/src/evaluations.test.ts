import { dense, flatten, relu, sequential } from '@cert/core';
import { cpuDevice } from '@cert/jit/node';
import { expect, it } from 'vitest';
import { attackWith } from './evaluations.js';

it('an attack runs again and again, and leaves no arrays on the device', async () => {
  const device = await cpuDevice({ threads: 1 });
  const model = sequential([3, 3, 1], [flatten(), dense(4), relu(), dense(10)]);
  const work = attackWith(3)({ device, model, batch: 5, epsilon: 0.1 });
  await (await work.ready())();
  const live = device.live;
  await (await work.ready())();
  expect(device.live).toBe(live);
  await work.dispose();
  await device.dispose();
});

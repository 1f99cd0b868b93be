import { expect, it } from 'vitest';
import { duration, radius, radiusInFull } from './quantities.js';

it('writes times and radii as people do', () => {
  expect([0, 59.6, 3600, 100 * 3600 + 62].map(duration)).toEqual(['0:00:00', '0:01:00', '1:00:00', '100:01:02']);
  expect([8 / 255, 2 / 255, 0.1, 0.2, 0.0123456, 0, 1].map((epsilon) => radius(epsilon))).toEqual([
    ...['8/255', '2/255', '0.1', '0.2', '0.01235', '0', '1'],
  ]);
  expect([8 / 255, 0.3].map(radiusInFull)).toEqual(['8/255 (0.0314)', '0.3']);
});

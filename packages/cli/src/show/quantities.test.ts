import { duration } from '@cert/trainer/pipeline';
import { expect, it } from 'vitest';
import { radius, radiusInFull, shortTime } from './quantities.js';

it('writes times and radii as people do', () => {
  expect([0, 59.6, 3600, 100 * 3600 + 62].map(duration)).toEqual(['0:00:00', '0:01:00', '1:00:00', '100:01:02']);
  expect([0, 0.2561, 9.99, 9.996, 59.94, 59.96, 3725].map(shortTime)).toEqual([
    ...['0.00 s', '0.26 s', '9.99 s', '10.0 s', '59.9 s', '0:01:00', '1:02:05'],
  ]);
  expect([8 / 255, 2 / 255, 0.1, 0.2, 0.0123456, 0, 1].map((epsilon) => radius(epsilon))).toEqual([
    ...['8/255', '2/255', '0.1', '0.2', '0.01235', '0', '1'],
  ]);
  expect([8 / 255, 0.3].map(radiusInFull)).toEqual(['8/255 (0.0314)', '0.3']);
});

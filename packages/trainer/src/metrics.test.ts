import { tf } from '@cert/core';
import { eagerDevice } from '@cert/jit';
import { expect, it } from 'vitest';
import { packMetrics, readMetrics } from './metrics.js';

const one = (x: number) => tf.scalar(x);

it.each([true, false])('metrics come back from one vector as they went in (bounds: %s)', async (bounds) => {
  const { values, layout } = packMetrics({
    ...{ loss: one(0.5), naturalLoss: one(0.25), gradNorm: one(3), errors: tf.scalar(3, 'int32') },
    ...(bounds && { robustLoss: one(0.75), unverified: one(6) }),
    // A plug-in may call its term as a count is called.
    terms: { tightness: one(0.125), errors: one(7) },
  });
  const device = eagerDevice();
  const packed = device.put(values.dataSync() as Float32Array, values.shape);
  expect(await readMetrics(packed, layout, 12)).toEqual({
    ...{ loss: 0.5, naturalLoss: 0.25, gradNorm: 3, error: 0.25, tightness: 0.125, errors: 7 },
    ...(bounds && { robustLoss: 0.75, verifiedError: 0.5 }),
  });
  await device.dispose();
});

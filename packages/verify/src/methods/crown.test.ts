import { crown, marginSpec, runningNorm } from '@cert/bounds';
import {
  conv2d,
  dense,
  flatten,
  initialStats,
  leakyRelu,
  linfBall,
  maxPool,
  sequential,
  tf,
  toHost,
  toTensors,
} from '@cert/core';
import { xavierInit } from '@cert/init';
import { disposeTree, putBatch, putParams, putScalars } from '@cert/jit';
import { cpuDevice } from '@cert/jit/node';
import { smallConv, wideResnet8 } from '@cert/models';
import { describe, expect, it } from 'vitest';
import { crownVerifier } from './crown.js';

const models = {
  'a small net': smallConv({ inputShape: [8, 8, 1], classes: 4, filters: [3, 4], dense: 10 }),
  'a net of windows': smallConv({ inputShape: [14, 13, 2], classes: 3, filters: [3, 4], dense: 6 }),
  'a net whose first op is not linear': sequential(
    [8, 8, 1],
    [maxPool(2), conv2d(3), leakyRelu(0.1), flatten(), dense(4)],
  ),
  'a residual net': wideResnet8({ inputShape: [8, 8, 2], classes: 3, stem: 2, widths: [3, 4], dense: 6 }),
};

describe('CROWN driven from the host', () => {
  it.each(Object.entries(models))('is that of @cert/bounds on %s', async (_name, model) => {
    const params = toTensors(xavierInit(model, 1));
    const stats = toTensors(initialStats(model));
    const pixels = tf.randomUniform([3, ...model.inputShape], 0, 1, 'float32', 5);
    const labels = Int32Array.of(2, 0, 1);
    const spec = marginSpec(tf.tensor1d(labels, 'int32'), model.classes);
    const expected = tf.tidy(
      () =>
        crown({ intersect: true })
          .bound({ network: { model, params, norm: runningNorm(stats) }, box: linfBall(pixels, 0.03), spec })
          .output.lower.arraySync() as number[][],
    );
    const device = await cpuDevice({ threads: 1 });
    const method = crownVerifier().on({ device, model });
    const host = await toHost({ params, stats });
    const network = { params: putParams(device, host.params), stats: putParams(device, host.stats) };
    const hyper = putScalars(device, { epsilon: 0.03 });
    const values = pixels.dataSync<'float32'>();
    const size = values.length / 3;
    const before = device.live;
    for (const [i, row] of expected.entries()) {
      const images = values.slice(i * size, (i + 1) * size);
      const batch = putBatch(device, model, { images, labels: labels.slice(i, i + 1) });
      const lower = await method.lowerMargins(network, batch, hyper);
      expect([...lower]).toEqual(row.map((margin) => expect.closeTo(margin, 4)));
      disposeTree(batch);
    }
    // All at once: images differ in how many neurons are unstable.
    const together = putBatch(device, model, { images: values, labels });
    const all = await method.lowerMargins(network, together, hyper);
    expect([...all]).toEqual(expected.flat().map((margin) => expect.closeTo(margin, 4)));
    disposeTree(together);
    // A batch that is filled up with its last image has that image's margins each time.
    const filled = Float32Array.from([...values.slice(0, 2 * size), ...values.slice(size, 2 * size)]);
    const repeated = putBatch(device, model, { images: filled, labels: Int32Array.of(2, 0, 0) });
    const [first, second] = expected as [number[], number[]];
    const margins = await method.lowerMargins(network, repeated, hyper);
    expect([...margins]).toEqual([...first, ...second, ...second].map((margin) => expect.closeTo(margin, 4)));
    disposeTree(repeated);
    expect(device.live).toBe(before);
    await method.dispose();
    await device.dispose();
  });
});

import { crown, ibp, naturalPass, runningNorm } from '@cert/bounds';
import { type HostParams, linfBall, type Model, type Tensor3D, tf, toTensors } from '@cert/core';
import { expect } from 'vitest';

/** Expects bounds of the outputs by IBP and CROWN, on small balls, to contain the outputs at random points of the balls. */
export function checkBounds({
  model,
  params,
  stats,
}: {
  readonly model: Model;
  readonly params: HostParams;
  readonly stats: HostParams;
}): void {
  tf.tidy(() => {
    const network = { model, params: toTensors(params), norm: runningNorm(toTensors(stats)) };
    const x = tf.randomUniform([2, ...model.inputShape], 0, 1, 'float32', 1);
    const box = linfBall(x, 0.05);
    const matrix: Tensor3D = tf.tile(tf.expandDims(tf.eye(model.classes), 0) as Tensor3D, [2, 1, 1]);
    for (const method of [ibp, crown()]) {
      const { lower, upper } = method.bound({ network, box, spec: { matrix } }).output;
      for (let trial = 0; trial < 20; trial++) {
        const t = tf.randomUniform(x.shape, 0, 1, 'float32', trial);
        const point = tf.add(box.lower, tf.mul(t, tf.sub(box.upper, box.lower)));
        const { output } = naturalPass(network, point);
        const slack = tf.add(1e-4, tf.mul(1e-5, tf.abs(output)));
        expect(tf.all(tf.greaterEqual(output, tf.sub(lower, slack))).dataSync()[0]).toBe(1);
        expect(tf.all(tf.lessEqual(output, tf.add(upper, slack))).dataSync()[0]).toBe(1);
      }
    }
  });
}

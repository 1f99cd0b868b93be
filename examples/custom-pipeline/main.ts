/** Certified training from parts: a model, its initialization, interval bounds, regularizers, and TensorFlow.js's own optimizer. */
import { ibp, marginSpec, naturalPass } from '@cert/bounds';
import { linfBall, mapParams, type Scalar, type Tensor2D, tf } from '@cert/core';
import { ibpInit } from '@cert/init';
import { mlp } from '@cert/models';
import { reluBalance, tightness, weightedSum } from '@cert/regularizers';

// Points of the unit square; the class is the side of the diagonal, so that those near it cannot be certified.
const images: Tensor2D = tf.randomUniform([128, 2], 0, 1, 'float32', 7);
const labels = tf.tidy(() => tf.argMax(images, 1));

const model = mlp({ inputShape: [2], classes: 2, hidden: [16, 16], batchNorm: true });
const params = mapParams((tensor) => tf.variable(tensor), ibpInit(model, 1));
const penalty = weightedSum([
  [0.5, tightness()],
  [0.5, reluBalance()],
]);
const optimizer = tf.train.adam(0.02);

for (let step = 0; step <= 60; step++) {
  const epsilon = Math.max(1e-6, 0.05 * Math.min(1, step / 30));
  let verified = 0;
  const loss = optimizer.minimize(() => {
    const { norm } = naturalPass(model, params, images, 'batch');
    const input = linfBall(images, epsilon);
    const bounds = ibp.bound(model, params, norm, input, marginSpec(labels, 2));
    const margins = bounds.output.lower;
    verified = tf.mean(tf.cast(tf.greaterEqual(margins, 0), 'float32')).dataSync()[0]!;
    const robust = tf.mean(tf.softplus(tf.neg(margins))); // With two classes there is one margin for each point.
    const warmup = tf.mul(penalty.term({ model, params, input, bounds }), 1 - epsilon / 0.05);
    return tf.add(robust, warmup) as Scalar;
  }, true);
  if (step % 20 === 0) {
    const numbers = [loss!.dataSync()[0]!.toFixed(3), (100 * verified).toFixed(1), epsilon.toFixed(3)];
    process.stdout.write(`step ${step}: loss ${numbers[0]}, verified ${numbers[1]} % at radius ${numbers[2]}\n`);
  }
  tf.dispose(loss!);
}

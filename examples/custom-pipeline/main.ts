/** Certified training from parts, without the trainer: points of the unit square, the class is the side of the diagonal. */
import { ibp, marginSpec, naturalPass } from '@cert/bounds';
import { linfBall, mapParams, type Scalar, tf, toTensors } from '@cert/core';
import { ibpInit } from '@cert/init';
import { mlp } from '@cert/models';
import { reluBalance, tightness } from '@cert/regularizers';

const images = tf.randomUniform([128, 2], 0, 1, 'float32', 7);
const labels = tf.argMax(images, 1);
const model = mlp({ inputShape: [2], classes: 2, hidden: [16, 16], batchNorm: true });
const params = mapParams((tensor) => tf.variable(tensor), toTensors(ibpInit(model, 1)));
const optimizer = tf.train.adam(0.02);

for (let step = 0; step <= 60; step++) {
  const epsilon = Math.max(1e-6, 0.05 * Math.min(1, step / 30)); // the ramp
  optimizer.minimize(() => {
    const { norm } = naturalPass({ model, params, norm: 'batch' }, images);
    const input = linfBall(images, epsilon);
    const bounds = ibp.bound({ network: { model, params, norm }, box: input, spec: marginSpec(labels, 2) });
    const context = { model, params, input, bounds };
    const penalty = tf.add(tightness().term(context), reluBalance().term(context));
    const robust = tf.mean(tf.softplus(tf.neg(bounds.output.lower))); // one margin for each point
    const verified = tf.mean(tf.cast(tf.greaterEqual(bounds.output.lower, 0), 'float32')).arraySync();
    if (step % 20 === 0)
      console.log(`step ${step}: loss ${robust.arraySync()}, verified ${verified} at radius ${epsilon}`);
    return tf.add(robust, tf.mul(penalty, 0.5 * (1 - epsilon / 0.05))) as Scalar;
  });
}

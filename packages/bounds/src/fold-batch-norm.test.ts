import {
  add,
  batchNorm,
  buildParams,
  conv2d,
  createRng,
  dense,
  flatten,
  graph,
  linfBall,
  paramSpecs,
  relu,
  sizeOf,
  statSpecs,
  type Tensor,
  tf,
} from '@cert/core';
import { describe, expect, it } from 'vitest';
import { foldBatchNorm, ibp, marginSpec, naturalPass, runningNorm } from './index.js';

const rng = createRng(5, 'fold');
const random = (shape: readonly number[], f = rng.normal) =>
  tf.tensor(Float32Array.from({ length: sizeOf(shape) }, f), [...shape]);

/** A residual net: the first convolution is read twice (not foldable), the dense kernel is larger than its output at batch 1. */
function net() {
  const b = graph([6, 6, 2]);
  const first = b.add(conv2d(3), ['input'], 'first');
  const bn1 = b.add(batchNorm(), [first], 'bn1');
  const act = b.add(relu(), [bn1], 'act1');
  b.add(conv2d(3, { stride: 1 }), [act], 'second');
  b.add(batchNorm(), ['second'], 'bn2');
  b.add(add(), ['bn2', first], 'sum');
  b.add(relu(), ['sum'], 'act2');
  b.add(flatten(), ['act2'], 'flat');
  b.add(dense(4), ['flat'], 'hidden');
  b.add(batchNorm(), ['hidden'], 'bn3');
  b.add(relu(), ['bn3'], 'act3');
  b.add(dense(3), ['act3'], 'logits');
  return b.build();
}

const model = net();
const params = buildParams(paramSpecs(model), ({ shape }) => random(shape));
const norm = runningNorm(
  buildParams(statSpecs(model), ({ shape, name }) =>
    random(shape, name === 'variance' ? () => 0.5 + rng.uniform() : rng.normal),
  ),
);

const close = (got: ArrayLike<number>, expected: ArrayLike<number>) => {
  const want = Array.from(expected);
  const scale = want.reduce((m, x) => Math.max(m, Math.abs(x)), 1);
  want.forEach((w, i) => {
    expect(Math.abs(got[i]! - w) / scale).toBeLessThan(1e-5);
  });
};

describe('foldBatchNorm', () => {
  for (const batch of [1, 128]) {
    it(`gives the bounds of the network as it was, batch ${batch}`, () => {
      const box = linfBall(random([batch, 6, 6, 2], rng.uniform), 0.05);
      const spec = marginSpec(
        tf.tensor1d(
          Array.from({ length: batch }, (_, i) => i % 3),
          'int32',
        ),
        3,
      );
      const foldedNetwork = foldBatchNorm({ model, params, norm }, batch);
      const [plain, folded] = [{ model, params, norm }, foldedNetwork].map((network) =>
        ibp.bound({ network, box, spec }),
      );
      close(folded!.output.lower.dataSync(), plain!.output.lower.dataSync());
      close(folded!.output.upper.dataSync(), plain!.output.upper.dataSync());
      const folds = batch === 1 ? ['second'] : ['second', 'hidden'];
      expect(Object.keys(plain!.at).filter((name) => !(name in folded!.at))).toEqual(folds);
      for (const name of Object.keys(folded!.at)) {
        close(folded!.at[name]!.lower.dataSync(), plain!.at[name]!.lower.dataSync());
      }
    });
  }

  it('has the gradients of the network as it was, statistics of the batch included', () => {
    const images = random([64, 6, 6, 2], rng.uniform);
    const [plain, folded] = [false, true].map((fold) => {
      const loss = (kernel: Tensor, gamma: Tensor) => {
        const changed = { ...params, second: { ...params.second!, kernel }, bn2: { ...params.bn2!, gamma } };
        const pass = naturalPass({ model, params: changed, norm: 'batch' }, images);
        const original = { model, params: changed, norm: pass.norm };
        const network = fold ? foldBatchNorm(original, 64) : original;
        const { output } = ibp.bound({ network, box: linfBall(images, 0.05) });
        return tf.mean(tf.mul(output.lower, output.upper)).asScalar();
      };
      return tf
        .grads(loss)([params.second!.kernel!, params.bn2!.gamma!])
        .map((g) => g.dataSync());
    });
    for (const [i, want] of plain!.entries()) close(folded![i]!, want);
  });
});

import { type Params, type Tensor, tf, zipTree } from '@cert/core';

/**
 * Applies `f` to the kernels of two trees of parameters. All other tensors (biases, BatchNorm, parameters of plug-in ops with another name)
 * are those of the first tree.
 */
export const zipKernels = (f: (a: Tensor, b: Tensor) => Tensor, first: Params, second: Params): Params =>
  zipTree<Tensor, Tensor, Tensor>((a, b, path) => (path.endsWith('.kernel') ? f(a, b) : a), first, second) as Params;

/**
 * Adds the gradient of an L2 penalty on the kernels, `decay * kernel`, to the gradients: weight decay as the optimizers of PyTorch other than
 * AdamW define it. Gradients are clipped before the penalty is added.
 *
 * @param decay factor >= 0; 0 returns the gradients unchanged
 */
export const withL2 = (grads: Params, params: Params, decay: number): Params =>
  decay === 0 ? grads : zipKernels((g, p) => tf.add(g, tf.mul(p, decay)), grads, params);

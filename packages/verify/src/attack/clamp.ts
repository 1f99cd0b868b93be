import { type Tensor, tf } from '@cert/core';

/** `x` clipped to a box of its shape, elementwise; `lower` where `x` is NaN, so that no point of an attack is ever undefined. */
export const clampTo = (x: Tensor, { lower, upper }: { readonly lower: Tensor; readonly upper: Tensor }): Tensor =>
  tf.where(tf.greaterEqual(x, lower), tf.minimum(x, upper), lower);

/** Numbers [batch] so that they broadcast against tensors [batch, ...] of the same rank as `like`. */
export const perImage = (numbers: Tensor, like: Tensor): Tensor =>
  tf.reshape(numbers, [numbers.shape[0]!, ...Array<number>(like.shape.length - 1).fill(1)]);

/** `a` where the numbers [batch] are > 0 and `b` elsewhere, image by image; both [batch, ...]. */
export const choose = (when: Tensor, a: Tensor, b: Tensor): Tensor =>
  tf.where(tf.greater(tf.mul(tf.onesLike(a), perImage(when, a)), 0), a, b);

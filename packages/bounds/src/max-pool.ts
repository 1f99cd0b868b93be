/** Linear bounds of a maximum over windows. */
import { type IntervalTensor, mask, type NodeOf, type Shape, type Tensor, tf, windowOf } from '@cert/core';
import { LOWEST } from './linear.js';
import { type BackwardStep, coefficientsOf, type Rows, toRows } from './rows.js';
import { addAtWindows, windowElements } from './windows.js';

const { add, maximum, mul, sub } = tf;

const largest = (xs: readonly Tensor[]): Tensor => xs.reduce((a, b) => maximum(a, b));

/** What is chosen in every window of a box: see {@link maxPoolBack}. */
interface Choice {
  /**
   * For each element of a window 1 where it is a pixel of the image with the largest lower bound, as the first of those; all NaN where there
   * is none.
   */
  readonly chosen: readonly Tensor[];
  /** 1 where the lower bound of the chosen element is not below the upper bounds of all others. */
  readonly wins: Tensor;
  /** The largest upper bound. */
  readonly top: Tensor;
}

function choiceOf(node: NodeOf<'maxPool'>, { lower, upper }: IntervalTensor): Choice {
  const window = windowOf(node);
  const [lowers, uppers] = [windowElements(window, lower, LOWEST), windowElements(window, upper, LOWEST)];
  const [, height, width] = lower.shape as [number, number, number, number];
  const inside = windowElements(window, tf.ones([1, height, width, 1]), 0);
  const bottom = largest(lowers);
  let free: Tensor = tf.onesLike(bottom);
  const firsts = lowers.map((end, k) => {
    const first = mask(() => mul(tf.cast(tf.greaterEqual(end, bottom), 'float32'), mul(free, inside[k]!)));
    free = sub(free, first);
    return first;
  });
  // Where bounds are NaN, or not above the value of padding, no element is the first, and 0 / 0 says so.
  const taken = sub(1, free);
  const chosen = firsts.map((first) => mask(() => tf.div(first, taken)));
  const others = largest(uppers.map((end, k) => tf.where(tf.greater(firsts[k]!, 0), tf.fill(end.shape, LOWEST), end)));
  return { chosen, wins: mask(() => tf.greaterEqual(bottom, others)), top: largest(uppers) };
}

/**
 * Rows on the maxima of windows to rows on their input. Where one element's lower bound is at least the upper bounds of all others the
 * maximum is that element. Elsewhere it is at least the element with the largest lower bound, and at most the largest upper bound.
 *
 * @param box bounds of the input, [batch, height, width, channels]
 * @param input its shape, without the batch axis
 */
export function maxPoolBack(node: NodeOf<'maxPool'>, box: IntervalTensor, input: Shape, rows: Rows): BackwardStep {
  const { chosen, wins, top } = choiceOf(node, box);
  const own = coefficientsOf(rows);
  const perRow = (x: Tensor) => tf.expandDims(x, 1);
  const positive = tf.relu(own);
  const negative = sub(own, positive);
  const passed = add(positive, mul(negative, perRow(wins)));
  const parts = chosen.map((element) => toRows(mul(passed, perRow(element))).coefficients);
  const constants = mul(negative, perRow(mul(top, sub(1, wins))));
  return {
    inputs: [{ coefficients: addAtWindows(windowOf(node), parts, input), count: rows.count }],
    bias: tf.sum(constants, [2, 3, 4]),
  };
}

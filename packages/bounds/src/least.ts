/** The minimum of linear functions of the input over a box. */
import {
  centerOf,
  type IntervalTensor,
  sizeOf,
  soundRadiusOf,
  stopGradient,
  type Tensor,
  type Tensor2D,
  type Tensor3D,
  tf,
} from '@cert/core';
import { magnitude } from './linear.js';
import { imagesOf, type Rows } from './rows.js';

const { add, matMul, mul, reshape, sub } = tf;

/** Linear lower bounds in terms of the input, which {@link leastOf} minimizes over the box. */
export interface LinearBound {
  /** Coefficients of the input: rows with `images` the batch, or 1 where all images have the same. */
  readonly rows: Rows;
  /** Constants, [images, count] or [1, count]; undefined means 0. */
  readonly bias: Tensor | undefined;
  /** Rows on the outputs of the requested nodes, by name; nodes that no row reaches are missing. */
  readonly at: { readonly [node: string]: Rows };
}

/**
 * Returns the minimum of a linear bound over a box of inputs.
 *
 * @returns [batch, count]
 */
export function leastOf(box: IntervalTensor, { rows, bias }: LinearBound): Tensor {
  const least = minimumOver(box, rows);
  // The constants come first: operands are computed in order, so that the rows of a layer are freed before those of the next one are made.
  return bias === undefined ? least : add(bias, least);
}

/** Lower bounds below this are none: the box is empty or undefined. */
const NONE = -3e38;

/** Smaller coefficients are rounded up to this for a norm. */
const SMALLEST = 1e-30;

/**
 * The minimum of rows . x over a box: rows . center - |rows| . radius; [batch, count]. Over a Euclidean ball in the box: the larger one of
 * this and rows . center - ||rows|| radius with the center and radius of the ball (dual norm).
 */
function minimumOver(box: IntervalTensor, rows: Rows): Tensor {
  const [center, radius] = [centerOf(box), soundRadiusOf(box)];
  const batch = center.shape[0]!;
  const size = sizeOf(center.shape.slice(1));
  const dot = (coefficients: Tensor, x: Tensor): Tensor => {
    if (imagesOf(rows) === 1) {
      const shared = reshape(coefficients, [rows.count, size]) as Tensor2D;
      return matMul(reshape(x, [batch, size]) as Tensor2D, shared, false, true);
    }
    const each = reshape(coefficients, [batch, rows.count, size]) as Tensor3D;
    return reshape(matMul(each, reshape(x, [batch, size, 1]) as Tensor3D), [batch, rows.count]);
  };
  const least = sub(dot(rows.coefficients, center), dot(magnitude(rows.coefficients), radius));
  const { ball } = box;
  if (ball === undefined) return least;
  // Inputs that the box fixes do not take part, such as padding of a receptive field.
  const moves = tf.greater(radius, 0);
  const moving = tf.cast(moves, 'float32');
  // Scaled by the largest coefficient of each row, so that no square underflows. The scale cancels, in gradients too.
  const largest = stopGradient(() =>
    tf.maximum(tf.max(reshape(magnitude(rows.coefficients), [-1, size]), 1), SMALLEST),
  );
  const perRow = reshape(largest, [largest.shape[0]!, ...rows.coefficients.shape.slice(1).map(() => 1)]);
  // The root of 0, for a row of zeros, would have the gradient NaN.
  const shares = tf.sqrt(tf.maximum(dot(tf.square(tf.div(rows.coefficients, perRow)), moving), SMALLEST));
  const norms = mul(mul(shares, reshape(largest, [-1, rows.count])), 1 + 2 ** -20);
  const from = tf.where(moves, ball.center, center);
  const inBall = sub(dot(rows.coefficients, from), mul(norms, ball.radius));
  const some = stopGradient(() => tf.greater(least, NONE));
  return tf.where(some, tf.maximum(least, inBall), least);
}

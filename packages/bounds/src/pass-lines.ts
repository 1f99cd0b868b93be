/** From rows on the output of an elementwise op to rows on its input, by the lines of the op. */
import { sizeOf, type Tensor, type Tensor2D, type Tensor3D, tf } from '@cert/core';
import type { Line, Lines } from './lines.js';
import { type BackwardStep, coefficientsOf, type Rows, toRows } from './rows.js';

const { add, matMul, mul, reshape, sub } = tf;

/**
 * Rows on the output of an elementwise op to rows on its input: where a coefficient is positive the lower line bounds from below, where
 * it is negative the upper line.
 *
 * @param mixture which lower line of the family, for each row
 */
export function passLines(lines: Lines, rows: Rows, mixture: Tensor | undefined): BackwardStep {
  const single = rows.count === 1;
  const own = single ? rows.coefficients : coefficientsOf(rows);
  const perRow = (x: Tensor) => (single ? x : tf.expandDims(x, 1));
  const chosen = single && mixture !== undefined ? tf.squeeze(mixture, [1]) : mixture;
  const below = lowerLine(lines, perRow, chosen);
  const { upperSlope, upperIntercept } = lines;
  const positive = tf.relu(own);
  // Those of the upper line, and what the lower line has in addition where it counts.
  const back = add(mul(own, perRow(upperSlope)), mul(positive, sub(below.slope, perRow(upperSlope))));
  const inputs = [single ? { coefficients: back, count: 1 } : toRows(back)];
  const parts = [
    ...(below.intercept === undefined ? [] : [constantOf(positive, below.intercept, single)]),
    ...(upperIntercept === undefined ? [] : [constantOf(sub(own, positive), perRow(upperIntercept), single)]),
  ];
  return parts.length === 0 ? { inputs } : { inputs, bias: parts.reduce((a, b) => add(a, b)) };
}

/** Rows times intercepts, summed over the neurons: [images, count]. Intercepts that all rows share are a matrix product. */
function constantOf(rows: Tensor, intercept: Tensor, single: boolean): Tensor {
  if (single || intercept.shape[1] !== 1) {
    const products = mul(rows, intercept);
    const sums = tf.sum(products, products.shape.map((_, axis) => axis).slice(single ? 1 : 2));
    return single ? tf.expandDims(sums, 1) : sums;
  }
  const [images, count, ...shape] = rows.shape as [number, number, ...number[]];
  const [batch, size] = [intercept.shape[0]!, sizeOf(shape)];
  const column = reshape(intercept, [batch, size, 1]) as Tensor3D;
  if (images === batch) {
    return tf.squeeze(matMul(reshape(rows, [images, count, size]) as Tensor3D, column), [2]);
  }
  // The rows are the same for all images.
  return reshape(
    matMul(reshape(intercept, [batch, size]) as Tensor2D, reshape(rows, [count, size]) as Tensor2D, false, true),
    [batch, count],
  );
}

/** The line below, one for all rows or a mixture for each. */
function lowerLine(
  { lowerSlope, lowerIntercept, family }: Lines,
  perRow: (x: Tensor) => Tensor,
  mixture: Tensor | undefined,
): Line {
  if (mixture === undefined || family === undefined) {
    return { slope: perRow(lowerSlope), ...(lowerIntercept && { intercept: perRow(lowerIntercept) }) };
  }
  const [from, to] = family;
  const mixed = (a: Tensor, b: Tensor) => add(perRow(a), mul(mixture, perRow(sub(b, a))));
  const slope = mixed(from.slope, to.slope);
  if (from.intercept === undefined && to.intercept === undefined) return { slope };
  const or0 = (x: Tensor | undefined) => x ?? tf.zerosLike(from.slope);
  return { slope, intercept: mixed(or0(from.intercept), or0(to.intercept)) };
}

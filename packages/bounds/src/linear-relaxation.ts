import {
  type IntervalTensor,
  mask,
  type NodeOf,
  type Shape,
  sizeOf,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  tf,
  type Window,
  windowOf,
  withGradient,
} from '@cert/core';
import type { BackwardRules, BackwardTable } from './backward.js';
import { countsOf, denseKernel, geometryOf, perElement, permuteBatch, rectify, reshapeBatch } from './linear.js';
import { boundsAt, type LineRules, type Lines } from './lines.js';
import { maxPoolBack } from './max-pool.js';
import { normAffine } from './natural.js';
import type { Rows } from './rows.js';
import { SIGMOID, sShapedLines, TANH } from './s-shaped.js';
import { addAtWindows } from './windows.js';

const { add, mul, reshape, sub } = tf;

/** What a shift per channel [channels], or per element [...shape], leaves over: rows . shift, [images, count]. */
function constant({ coefficients, count }: Rows, shift: Tensor): Tensor {
  const [n, ...shape] = coefficients.shape as [number, ...number[]];
  if (shift.shape.length > 1) {
    const flat = (x: Tensor, lead: number) => reshape(x, [lead, sizeOf(shape)]) as Tensor2D;
    return reshape(tf.matMul(flat(coefficients, n), flat(shift, 1), false, true), [n / count, count]);
  }
  const perChannel =
    shape.length === 1
      ? coefficients
      : tf.sum(
          coefficients,
          shape.slice(1).map((_, axis) => axis + 1),
        );
  const sums = tf.matMul(perChannel as Tensor2D, reshape(shift, [shape.at(-1)!, 1]) as Tensor2D);
  return reshape(sums, [n / count, count]);
}

/** x to scale * x + shift, per channel or per element. */
const affineStep = (rows: Rows, scale: Tensor, shift: Tensor) => ({
  inputs: [{ coefficients: mul(rows.coefficients, scale), count: rows.count }],
  bias: constant(rows, shift),
});

/** Most channels of the input of a convolution that count as few. */
const FEW_CHANNELS = 4;

/** The transpose of a convolution: coefficients [n, h', w', filters] on its output to [n, h, w, channels] on its input. */
function convolveBack(node: NodeOf<'conv2d'>, rows: Tensor, kernel: Tensor, input: Shape): Tensor {
  const { groups } = node.attrs;
  const window = windowOf(node);
  const { strides, pad } = geometryOf(window);
  const weights = denseKernel(window, kernel);
  const [h, w, channels] = input as [number, number, number];
  // Convolutions to few channels are slow everywhere; a product with sums at the windows is not.
  if (groups === 1 && channels <= FEW_CHANNELS) return convolveToFew(window, rows, kernel, input);
  const one = (dy: Tensor, filter: Tensor): Tensor =>
    tf.conv2dTranspose(dy as Tensor4D, filter as Tensor4D, [dy.shape[0]!, h, w, channels / groups], strides, pad);
  if (groups === 1) return one(rows, weights);
  const parts = tf.split(rows, groups, 3);
  const filters = tf.split(weights, groups, 3);
  return tf.concat(
    parts.map((part, g) => one(part, filters[g]!)),
    3,
  );
}

/** The transpose of a convolution for few channels: for each of them and each element of a window one image, whose sum is taken. */
function convolveToFew(window: Window, rows: Tensor, kernel: Tensor, [h, w, channels]: Shape): Tensor {
  const [n, high, wide, filters] = rows.shape as [number, number, number, number];
  const size = sizeOf(window.size);
  const weights = reshape(kernel, [size * channels!, filters]) as Tensor2D;
  const products = tf.matMul(weights, reshape(rows, [n * high * wide, filters]) as Tensor2D, false, true);
  const parts = Array.from({ length: size }, (_, k) =>
    reshape(tf.slice(products, [k * channels!, 0], [channels!, n * high * wide]), [channels! * n, high, wide, 1]),
  );
  const sum = reshape(addAtWindows(window, parts, [h!, w!, 1]), [channels!, n, h!, w!]);
  return channels === 1 ? reshape(sum, [n, h!, w!, 1]) : tf.transpose(sum, [1, 2, 3, 0]);
}

/** Every number `times` times in a row along an axis. */
const repeated = (x: Tensor, times: number, axis: number): Tensor => {
  const copies = tf.concat(Array<Tensor>(times).fill(tf.expandDims(x, axis + 1)), axis + 1);
  return reshape(
    copies,
    x.shape.map((n, i) => (i === axis ? n * times : n)),
  );
};

/** The transpose of a mean over windows: coefficients [n, h', w', c] on its output to [n, h, w, c] on its input. */
function meanBack(node: NodeOf<'avgPool'>, coefficients: Tensor, input: Shape): Tensor {
  const window = windowOf(node);
  const { size, stride, padding } = window;
  const counts = countsOf(node, input);
  const [rows, columns] = coefficients.shape.slice(1, 3) as [number, number];
  const each =
    counts === undefined
      ? mul(coefficients, 1 / sizeOf(size))
      : mul(
          coefficients,
          tf.tensor(
            counts.map((n) => 1 / n),
            [rows, columns, 1],
          ),
        );
  const sideBySide = size.every((n, i) => n === stride[i]) && padding.every((n) => n === 0);
  if (!sideBySide) return addAtWindows(window, Array<Tensor>(sizeOf(size)).fill(each), input);
  // What no window covers has no influence.
  const rest: [number, number][] = [[0, 0], [0, input[0]! - size[0] * rows], [0, input[1]! - size[1] * columns], [0, 0]]; // biome-ignore format: one line a shape
  return tf.pad(repeated(repeated(each, size[0], 1), size[1], 2), rest);
}

/** Widths below this are treated as this: a line through two points that coincide has no slope. */
const NARROWEST = 1e-8;

/**
 * The slope u / (u - l) of the line above a ReLU, from above = max(u, 0) and below = max(-l, 0). Its gradients are written out: reverse mode would pass
 * over memory some ten times more.
 */
const chordSlope = withGradient((above: Tensor, below: Tensor) => {
  // Halves: the width itself may overflow between finite ends, and a slope of 0 would put the line below the ReLU.
  const [halfAbove, halfBelow] = [mul(above, 0.5), mul(below, 0.5)];
  const halfWidth = add(halfAbove, halfBelow);
  // A missing width goes to the upper end, which keeps the line above the ReLU.
  const raised = add(halfAbove, tf.relu(sub(NARROWEST / 2, halfWidth)));
  const width = tf.maximum(halfWidth, NARROWEST / 2);
  const slope = tf.div(raised, width);
  return {
    value: slope,
    saved: [slope, width],
    // (1 - slope) / (u - l) by above, -slope / (u - l) by below; 0 where the sign is certain.
    gradient: (dy, kept, halves) => {
      const rest = sub(1, kept!);
      const open = tf.cast(tf.greater(tf.minimum(kept!, rest), 0), 'float32');
      const perWidth = tf.div(mul(dy, open), mul(halves!, 2));
      const byBelow = mul(perWidth, kept!);
      return [sub(perWidth, byBelow), tf.neg(byBelow)];
    },
  };
});

/** The lines of a ReLU on [l, u]. */
function reluLines({ lower, upper }: IntervalTensor): Required<Omit<Lines, 'lowerIntercept'>> {
  const [above, below] = [rectify(upper), rectify(tf.neg(lower))];
  const upperSlope = chordSlope(above, below);
  return {
    lowerSlope: mask(() => tf.greater(upperSlope, 0.5)),
    ...{ upperSlope, upperIntercept: mul(upperSlope, below) },
    family: [
      { slope: mask(() => tf.greaterEqual(lower, 0)) },
      { slope: mask(() => tf.logicalOr(tf.greater(upper, 0), tf.greaterEqual(lower, 0))) },
    ],
  };
}

/** The lines of a leaky ReLU: slope x + (1 - slope) relu(x). */
function leakyLines({ attrs: { slope } }: NodeOf<'leakyRelu'>, box: IntervalTensor): Lines {
  const { lowerSlope, upperSlope, upperIntercept, family } = reluLines(box);
  const leaky = (part: Tensor) => add(mul(part, 1 - slope), slope);
  const [first, second] = family;
  return {
    lowerSlope: leaky(lowerSlope),
    upperSlope: leaky(upperSlope),
    upperIntercept: mul(upperIntercept, 1 - slope),
    family: [{ slope: leaky(first.slope) }, { slope: leaky(second.slope) }],
  };
}

const lines: LineRules = {
  relu: (_node, _params, box) => reluLines(box),
  leakyRelu: (node, _params, box) => leakyLines(node, box),
  sigmoid: (_node, _params, box) => sShapedLines(SIGMOID, box),
  tanh: (_node, _params, box) => sShapedLines(TANH, box),
};

const rules: BackwardRules = {
  dense: (_node, { kernel, bias }, _, rows) => ({
    inputs: [
      { coefficients: tf.matMul(rows.coefficients as Tensor2D, kernel as Tensor2D, false, true), count: rows.count },
    ],
    bias: constant(rows, bias),
  }),
  conv2d(node, { kernel, bias }, { shapeOf }, rows) {
    const input = shapeOf(node.inputs[0]!);
    return {
      inputs: [{ coefficients: convolveBack(node, rows.coefficients, kernel, input), count: rows.count }],
      bias: constant(rows, bias),
    };
  },
  batchNorm(node, params, { norm }, rows) {
    const { scale, shift } = normAffine(params, norm[node.name]!, node.attrs.epsilon);
    return affineStep(rows, scale, shift);
  },
  add: (_node, _params, _, rows) => ({ inputs: [rows, rows] }),
  flatten(node, _params, { shapeOf }, { coefficients, count }) {
    return { inputs: [{ coefficients: reshapeBatch(shapeOf(node.inputs[0]!), coefficients), count }] };
  },
  globalAvgPool(node, _params, { shapeOf }, { coefficients, count }) {
    const [h, w] = shapeOf(node.inputs[0]!) as [number, number];
    const [n, c] = coefficients.shape as [number, number];
    const each = mul(reshape(coefficients, [n, 1, 1, c]), tf.fill([1, h, w, 1], 1 / (h * w)));
    return { inputs: [{ coefficients: each, count }] };
  },
  avgPool(node, _params, { shapeOf }, { coefficients, count }) {
    return { inputs: [{ coefficients: meanBack(node, coefficients, shapeOf(node.inputs[0]!)), count }] };
  },
  maxPool(node, _params, { at, shapeOf }, rows) {
    const name = node.inputs[0]!;
    return maxPoolBack(node, boundsAt(at, node), shapeOf(name), rows);
  },
  reshape(node, _params, { shapeOf }, { coefficients, count }) {
    return { inputs: [{ coefficients: reshapeBatch(shapeOf(node.inputs[0]!), coefficients), count }] };
  },
  transpose(node, _params, _, { coefficients, count }) {
    const { perm } = node.attrs;
    const inverse = perm.map((_axis, i) => perm.indexOf(i));
    return { inputs: [{ coefficients: permuteBatch(inverse, coefficients), count }] };
  },
  concat(node, _params, { shapeOf }, { coefficients, count }) {
    const { axis } = node.attrs;
    const lengths = node.inputs.map((name) => shapeOf(name)[axis]!);
    return { inputs: tf.split(coefficients, lengths, axis + 1).map((part) => ({ coefficients: part, count })) };
  },
  crop: (node, _params, { shapeOf }, { coefficients, count }) => ({
    inputs: [{ coefficients: padBack(node, coefficients, shapeOf(node.inputs[0]!)), count }],
  }),
  affine: (node, _params, _, rows) =>
    affineStep(rows, perElement(node.attrs.scale, node.shape), perElement(node.attrs.shift, node.shape)),
};

/** Zeros around rows on a part of an image. */
function padBack(node: NodeOf<'crop'>, coefficients: Tensor, input: Shape): Tensor {
  const { top, left } = node.attrs;
  const [height, width] = coefficients.shape.slice(1) as [number, number];
  const around: [number, number][] = [[0, 0], [top, input[0]! - top - height], [left, input[1]! - left - width], [0, 0]]; // biome-ignore format: one line a shape
  return tf.pad(coefficients, around);
}

/**
 * Linear relaxation (CROWN, Zhang et al. 2018): exact backward rules for linear ops, lines for ReLU, leaky ReLU, sigmoid and tanh, and a
 * backward rule for max pooling, which reads the bounds at its input. An unstable ReLU on [l, u] lies below the line u / (u - l) * (x - l)
 * and above the line through 0 with slope 1 where u / (u - l) > 1/2, else slope 0; a stable one is exact. Which slope an unstable one gets
 * carries no gradient; its upper line does. A leaky ReLU is a part of a ReLU and a part of its input. Lines of sigmoid and tanh are chords
 * and tangents.
 */
export const linearRelaxation: BackwardTable = { name: 'linearRelaxation', rules, lines };

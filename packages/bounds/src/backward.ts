import {
  type BatchNormStats,
  type Bounds,
  centerOf,
  INPUT,
  type IntervalTensor,
  type Network,
  type Node,
  type NodeOf,
  type Op,
  type Shape,
  sizeOf,
  soundRadiusOf,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  tf,
} from '@cert/core';
import { magnitude } from './linear.js';
import { type Line, type LineRules, type Lines, linesAt } from './lines.js';
import { checkRuleShape, checkStatistics, contextOf, type ParamsOf, paramsOf, wrongRule } from './method.js';

const { add, matMul, mul, reshape, sub } = tf;

/** Linear functions of one node: `count` rows of coefficients for every image. See {@link coefficientsOf}. */
export interface Rows {
  /**
   * [images * count, ...shape of the node], with the rows of an image adjacent. `images` is the batch size, or 1 if all images have the
   * same rows (before the first nonlinear op).
   */
  readonly coefficients: Tensor;
  /** Number of linear functions per image. */
  readonly count: number;
}

/** Input of backward bounds. */
export interface BackwardSetting {
  /** The network. */
  readonly network: Network;
  /** The box, [batch, ...inputShape]. */
  readonly box: IntervalTensor;
  /** Bounds [batch, ...shape] by node, at every node that a nonlinear op reads. */
  readonly at: Bounds['at'];
  /** Lines of nonlinear nodes by name; missing lines are computed from `at`. */
  readonly lines?: { readonly [node: string]: Lines };
  /**
   * Lower line of an op for each row, by node: [images, count, ...shape] in [0, 1], from the first to the second line of {@link
   * Lines.family} (alpha-CROWN; Xu et al. 2021). Other nodes use the default line.
   */
  readonly mixtures?: { readonly [node: string]: Tensor };
  /**
   * Subtracted from the rows on a node's output: [images, count, ...shape]. With s beta, beta >= 0, the bound holds where s z >= 0 for the
   * node's values z (beta-CROWN; Wang et al. 2021): there rows . z >= rows . z - s beta . z.
   */
  readonly multipliers?: { readonly [node: string]: Tensor };
}

/** Linear lower bounds in terms of the input, which {@link lowerBound} minimizes over the box. */
export interface LinearBound {
  /** Coefficients of the input: rows with `images` the batch, or 1 where all images have the same. */
  readonly rows: Rows;
  /** Constants, [images, count] or [1, count]; undefined means 0. */
  readonly bias: Tensor | undefined;
  /** Rows on the outputs of the requested nodes, by name; nodes that no row reaches are missing. */
  readonly at: { readonly [node: string]: Rows };
}

/** Context of a backward rule. */
export interface BackwardContext {
  /** Statistics for every batchNorm node. */
  readonly norm: BatchNormStats;
  /** Bounds [batch, ...shape] by node, at every node that a nonlinear op reads. */
  readonly at: Bounds['at'];
  /** The shape of one example at a node, or at `input`, without the batch axis. */
  shapeOf(node: string): Shape;
}

/** Result of a backward rule. */
export interface BackwardStep {
  /** Rows on each input of the node, in order, with the same `count`. */
  readonly inputs: readonly Rows[];
  /** Constant term, [images, count]; default 0. */
  readonly bias?: Tensor;
}

/**
 * Maps rows on a node's output to rows on its inputs such that, for every value that the inputs can take,
 * rows(inputs) + bias <= rows(output). Exact for a linear op. For a nonlinear elementwise op, give a {@link LineRule} instead.
 */
export type BackwardRule<K extends Op> = (
  node: NodeOf<K>,
  params: ParamsOf<K>,
  context: BackwardContext,
  rows: Rows,
) => BackwardStep;

/** Backward rules by op. Using an op without a rule is an error that names the node. */
export type BackwardRules = { readonly [K in Op]?: BackwardRule<K> };

/** Named rules of linear relaxation, such as {@link linearRelaxation}: a backward rule or lines for each op. */
export interface BackwardTable {
  /** Name in errors. */
  readonly name: string;
  /** Backward rules by op. */
  readonly rules: BackwardRules;
  /** Lines by op, for elementwise ops with one input. A backward rule for the same op takes precedence. */
  readonly lines: LineRules;
}

/** Returns a new table with rules added or replaced; the given table is unchanged. `extendBackward(linearRelaxation, { gelu: rule })` */
export const extendBackward = (table: BackwardTable, rules: BackwardRules): BackwardTable => ({
  ...table,
  rules: { ...table.rules, ...rules },
});

/** Returns a new table with lines added or replaced; the given table is unchanged. `extendLines(linearRelaxation, { gelu: lines })` */
export const extendLines = (table: BackwardTable, lines: LineRules): BackwardTable => ({
  ...table,
  rules: Object.fromEntries(Object.entries(table.rules).filter(([op]) => !(op in lines))),
  lines: { ...table.lines, ...lines },
});

/** How many images the rows are for: the batch, or 1 where they are the same for all. */
const imagesOf = ({ coefficients, count }: Rows): number => coefficients.shape[0]! / count;

/** Returns the rows with a separate image axis: [images, count, ...shape]. */
export const coefficientsOf = (rows: Rows): Tensor =>
  reshape(rows.coefficients, [imagesOf(rows), rows.count, ...rows.coefficients.shape.slice(1)]);

/**
 * Returns lower bounds of linear functions of one node over a box of inputs: a backward pass replaces every node by linear lower bounds in
 * terms of its inputs, then the result is minimized over the box (CROWN, Zhang et al. 2018).
 *
 * @param start node that `rows` are coefficients of
 * @returns [batch, rows.count]
 * @throws CertError `missing-rule` naming the op, the node and the cure; `shape-mismatch` naming the op and the node whose rule
 * returned rows of another shape; `bad-argument` for a nonlinear op without bounds at its input
 */
export function lowerBound(table: BackwardTable, setting: BackwardSetting, start: string, rows: Rows): Tensor {
  return leastOf(setting.box, linearBound(table, setting, start, rows));
}

/**
 * Returns the minimum of a linear bound over a box of inputs.
 *
 * @returns [batch, count]
 */
export function leastOf(box: IntervalTensor, { rows, bias }: LinearBound): Tensor {
  const least = minimumOver(box, rows);
  return bias === undefined ? least : add(least, bias);
}

/**
 * The backward pass of {@link lowerBound} without the final minimization: returns linear functions of the input that are lower bounds of
 * the given functions of a node on the whole box.
 *
 * @param start node that `rows` are coefficients of
 * @param keep names of nodes whose rows are returned, such as ReLUs for a branching heuristic
 * @throws CertError as {@link lowerBound}
 */
export function linearBound(
  table: BackwardTable,
  setting: BackwardSetting,
  start: string,
  rows: Rows,
  keep: readonly string[] = [],
): LinearBound {
  const { model } = setting.network;
  const shapes = new Map([[INPUT, model.inputShape], ...model.nodes.map(({ name, shape }) => [name, shape] as const)]);
  const context: BackwardContext = {
    ...contextOf(setting.network),
    at: setting.at,
    shapeOf: (name) => shapes.get(name)!,
  };
  const pending = new Map<string, Rows>([[start, rows]]);
  const kept: { [node: string]: Rows } = {};
  let bias: Tensor | undefined;
  const from = model.nodes.findIndex((node) => node.name === start);
  for (let i = from; i >= 0; i--) {
    const node = model.nodes[i]!;
    const reached = pending.get(node.name);
    if (reached === undefined) continue;
    pending.delete(node.name);
    if (keep.includes(node.name)) kept[node.name] = reached;
    const multiplier = setting.multipliers?.[node.name];
    const own = multiplier === undefined ? reached : toRows(sub(coefficientsOf(reached), multiplier));
    const step = stepBack(table, setting, node, context, own);
    checkStep(table, node, context, own, step);
    if (step.bias !== undefined) bias = bias === undefined ? step.bias : add(bias, step.bias);
    for (const [k, name] of node.inputs.entries()) {
      const other = pending.get(name);
      pending.set(name, other === undefined ? step.inputs[k]! : sumRows(other, step.inputs[k]!));
    }
  }
  return { rows: pending.get(INPUT)!, bias, at: kept };
}

/** Rows on a node's output to rows on its inputs: by the backward rule of its op, or by lines. */
function stepBack(
  table: BackwardTable,
  { network, at, lines, mixtures }: BackwardSetting,
  node: Node,
  context: BackwardContext,
  rows: Rows,
): BackwardStep {
  const rule = table.rules[node.op] as BackwardRule<Op> | undefined;
  if (rule === undefined) {
    return passLines(lines?.[node.name] ?? linesAt(table, network, node, at), rows, mixtures?.[node.name]);
  }
  checkStatistics(table.name, node, context);
  return rule(node as NodeOf<Op>, paramsOf(table.name, node, network.params), context, rows);
}

/**
 * Rows on the output of an elementwise op to rows on its input: where a coefficient is positive the lower line bounds from below, where
 * it is negative the upper line.
 *
 * @param mixture which lower line of the family, for each row
 */
function passLines(lines: Lines, rows: Rows, mixture: Tensor | undefined): BackwardStep {
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

/** @throws CertError `shape-mismatch` naming the table, the op and the node */
function checkStep(
  { name }: BackwardTable,
  node: Node,
  context: BackwardContext,
  { count }: Rows,
  { inputs, bias }: BackwardStep,
): void {
  if (inputs.length !== node.inputs.length) {
    throw wrongRule(name, node, `rows on ${inputs.length} inputs instead of ${node.inputs.length}`);
  }
  for (const [i, input] of node.inputs.entries()) {
    const own = inputs[i]!;
    if (own.count !== count) throw wrongRule(name, node, `${own.count} rows on "${input}" instead of ${count}`);
    const images = Math.floor(imagesOf(own));
    checkRuleShape(name, node, `rows on "${input}"`, own.coefficients.shape, [
      images * count,
      ...context.shapeOf(input),
    ]);
  }
  if (bias === undefined) return;
  // Where the rows are the same for all images, so may the bias be.
  const images = bias.shape[0] === 1 ? 1 : Math.max(...inputs.map(imagesOf));
  checkRuleShape(name, node, 'a bias', bias.shape, [images, count]);
}

/** The sum of two rows on one node, of which one may be the same for all images. */
function sumRows(a: Rows, b: Rows): Rows {
  const { count } = a;
  if (imagesOf(a) === imagesOf(b)) return { coefficients: add(a.coefficients, b.coefficients), count };
  return toRows(add(coefficientsOf(a), coefficientsOf(b)));
}

/** Rows of coefficients [images, count, ...shape]: the inverse of {@link coefficientsOf}. */
export const toRows = (coefficients: Tensor): Rows => {
  const [images, count, ...shape] = coefficients.shape as [number, number, ...number[]];
  return { coefficients: reshape(coefficients, [images * count, ...shape]), count };
};

/**
 * Returns unit vectors as coefficients of a node: row i selects the neuron `indices[i]`.
 *
 * @param indices int32 [count], positions in the flattened shape
 * @param shape that of the node, without the batch axis
 * @returns [count, ...shape], the same for all images
 */
export function unitRows(indices: Tensor1D, shape: Shape): Tensor {
  const [count] = indices.shape;
  const size = sizeOf(shape);
  // TensorFlow.js has no one-hot vectors of length 1.
  if (size === 1) return tf.ones([count, ...shape]);
  return tf.reshape(tf.cast(tf.oneHot(indices, size), 'float32'), [count, ...shape]);
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
  // Scaled by the largest coefficient of each row, so that no square underflows.
  const largest = tf.maximum(tf.max(reshape(magnitude(rows.coefficients), [-1, size]), 1), SMALLEST);
  const perRow = reshape(largest, [largest.shape[0]!, ...rows.coefficients.shape.slice(1).map(() => 1)]);
  const shares = tf.sqrt(dot(tf.square(tf.div(rows.coefficients, perRow)), moving));
  const norms = mul(mul(shares, reshape(largest, [-1, rows.count])), 1 + 2 ** -20);
  const from = tf.where(moves, ball.center, center);
  const inBall = sub(dot(rows.coefficients, from), mul(norms, ball.radius));
  return tf.where(tf.greater(least, NONE), tf.maximum(least, inBall), least);
}

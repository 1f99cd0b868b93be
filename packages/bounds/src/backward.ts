import {
  type BatchNormStats,
  CertError,
  centerOf,
  INPUT,
  type IntervalTensor,
  type Model,
  type Node,
  type NodeOf,
  type Op,
  type Params,
  type Shape,
  soundRadiusOf,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  tf,
} from '@cert/core';
import { magnitude } from './linear.js';
import { checkRuleShape, type ParamsOf, paramsOf, wrongRule } from './method.js';

const { add, matMul, reshape, sub } = tf;

/** Linear functions of one node: for every image `count` rows of coefficients. See {@link coefficientsOf}. */
export interface Rows {
  /**
   * [images * count, ...shape of the node], the rows of an image next to each other. `images` is the batch, or 1 where all images have
   * the same rows (nothing nonlinear has been passed yet).
   */
  readonly coefficients: Tensor;
  /** How many linear functions there are for each image. */
  readonly count: number;
}

/** What backward bounds depend on besides the network: statistics of batch normalizations, and bounds at earlier nodes. */
export interface BackwardSetting {
  /** Statistics for every batchNorm node. */
  readonly norm: BatchNormStats;
  /** Bounds [batch, ...shape] by node, at every node that a nonlinear op reads. */
  readonly at: { readonly [node: string]: IntervalTensor };
}

/** What a backward rule may use besides its node. */
export interface BackwardContext extends BackwardSetting {
  /** The shape of one example at a node, or at `input`, without the batch axis. */
  shapeOf(node: string): Shape;
}

/** What a backward rule returns. */
export interface BackwardStep {
  /** Rows on each input of the node, in order, with the same `count`. */
  readonly inputs: readonly Rows[];
  /** The constant that is left over, [images, count]; the default is 0. */
  readonly bias?: Tensor;
}

/**
 * Maps rows on a node's output to rows on its inputs such that, for every value that the inputs can take,
 * rows(inputs) + bias <= rows(output). Exact for a linear op. A nonlinear one bounds from below: with its lower line where a
 * coefficient is positive, with its upper line where it is negative.
 */
export type BackwardRule<K extends Op> = (
  node: NodeOf<K>,
  params: ParamsOf<K>,
  context: BackwardContext,
  rows: Rows,
) => BackwardStep;

/** Backward rules, one per op. A missing op is an error that names the node, at the time of use. */
export type BackwardRules = { readonly [K in Op]?: BackwardRule<K> };

/** A table of backward rules with a name, such as {@link linearRelaxation}. */
export interface BackwardTable {
  /** The name that errors give it. */
  readonly name: string;
  /** The rules by op. */
  readonly rules: BackwardRules;
}

/** A new table with rules added or replaced; the given one is unchanged. `extendBackward(linearRelaxation, { gelu: rule })` */
export const extendBackward = (table: BackwardTable, rules: BackwardRules): BackwardTable => ({
  ...table,
  rules: { ...table.rules, ...rules },
});

/** How many images the rows are for: the batch, or 1 where they are the same for all. */
const imagesOf = ({ coefficients, count }: Rows): number => coefficients.shape[0]! / count;

/** The rows with their image axis apart: [images, count, ...shape]. */
export const coefficientsOf = (rows: Rows): Tensor =>
  reshape(rows.coefficients, [imagesOf(rows), rows.count, ...rows.coefficients.shape.slice(1)]);

/**
 * Lower bounds of linear functions of one node over a box of inputs: one walk from the node back to the input, replacing every node
 * by linear lower bounds in terms of its own inputs, then the minimum over the box (CROWN, Zhang et al. 2018).
 *
 * @param setting `at` holds bounds at every node that a nonlinear op up to `start` reads
 * @param input the box, [batch, ...inputShape]
 * @param start the node that `rows` are coefficients of
 * @returns [batch, rows.count]
 * @throws CertError `missing-rule` naming the op, the node and the cure; `shape-mismatch` naming the op and the node whose rule
 * returned rows of another shape; `bad-argument` for a ReLU at whose input there are no bounds
 */
export function lowerBound(
  table: BackwardTable,
  model: Model,
  params: Params,
  setting: BackwardSetting,
  input: IntervalTensor,
  start: string,
  rows: Rows,
): Tensor {
  const shapes = new Map([[INPUT, model.inputShape], ...model.nodes.map(({ name, shape }) => [name, shape] as const)]);
  const context: BackwardContext = { ...setting, shapeOf: (name) => shapes.get(name)! };
  const pending = new Map<string, Rows>([[start, rows]]);
  let bias: Tensor | undefined;
  const from = model.nodes.findIndex((node) => node.name === start);
  for (let i = from; i >= 0; i--) {
    const node = model.nodes[i]!;
    const own = pending.get(node.name);
    if (own === undefined) continue;
    pending.delete(node.name);
    const step = applyBackwardRule(table, node, params, context, own);
    if (step.bias !== undefined) bias = bias === undefined ? step.bias : add(bias, step.bias);
    for (const [k, name] of node.inputs.entries()) {
      const other = pending.get(name);
      pending.set(name, other === undefined ? step.inputs[k]! : sumRows(other, step.inputs[k]!));
    }
  }
  const least = minimumOver(input, pending.get(INPUT)!);
  return bias === undefined ? least : add(least, bias);
}

function applyBackwardRule(
  table: BackwardTable,
  node: Node,
  params: Params,
  context: BackwardContext,
  rows: Rows,
): BackwardStep {
  const rule = table.rules[node.op] as BackwardRule<Op> | undefined;
  if (rule === undefined) {
    throw new CertError(
      'missing-rule',
      `${table.name} has no backward rule for "${node.op}" (node "${node.name}").`,
      `Add one: extendBackward(${table.name}, { ${node.op}: rule }).`,
    );
  }
  const step = rule(node as NodeOf<Op>, paramsOf(table.name, node, params), context, rows);
  checkStep(table, node, context, rows, step);
  return step;
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
 * Unit vectors as coefficients of a node: row i picks the neuron `indices[i]`.
 *
 * @param indices int32 [count], positions in the flattened shape
 * @param shape that of the node, without the batch axis
 * @returns [count, ...shape], the same for all images
 */
export function unitRows(indices: Tensor1D, shape: Shape): Tensor {
  const [count] = indices.shape;
  const size = shape.reduce((a, b) => a * b, 1);
  // TensorFlow.js has no one-hot vectors of length 1.
  if (size === 1) return tf.ones([count, ...shape]);
  return tf.reshape(tf.cast(tf.oneHot(indices, size), 'float32'), [count, ...shape]);
}

/** The minimum of rows . x over a box: rows . center - |rows| . radius; [batch, count]. */
function minimumOver(box: IntervalTensor, rows: Rows): Tensor {
  const [center, radius] = [centerOf(box), soundRadiusOf(box)];
  const batch = center.shape[0]!;
  const size = center.shape.slice(1).reduce((a, b) => a * b, 1);
  const dot = (coefficients: Tensor, x: Tensor): Tensor => {
    if (imagesOf(rows) === 1) {
      const shared = reshape(coefficients, [rows.count, size]) as Tensor2D;
      return matMul(reshape(x, [batch, size]) as Tensor2D, shared, false, true);
    }
    const each = reshape(coefficients, [batch, rows.count, size]) as Tensor3D;
    return reshape(matMul(each, reshape(x, [batch, size, 1]) as Tensor3D), [batch, rows.count]);
  };
  return sub(dot(rows.coefficients, center), dot(magnitude(rows.coefficients), radius));
}

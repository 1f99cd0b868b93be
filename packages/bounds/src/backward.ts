import {
  type BatchNormStats,
  type Bounds,
  INPUT,
  type IntervalTensor,
  type Network,
  type Node,
  type NodeOf,
  type Op,
  type Shape,
  type Tensor,
  tf,
} from '@cert/core';
import { type LinearBound, leastOf } from './least.js';
import { type LineRules, type Lines, linesAt } from './lines.js';
import { checkRuleShape, checkStatistics, contextOf, type ParamsOf, paramsOf, wrongRule } from './method.js';
import { passLines } from './pass-lines.js';
import { type BackwardStep, coefficientsOf, imagesOf, type Rows, sumRows, toRows } from './rows.js';

const { add, sub } = tf;

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

/** Context of a backward rule. */
export interface BackwardContext {
  /** Statistics for every batchNorm node. */
  readonly norm: BatchNormStats;
  /** Bounds [batch, ...shape] by node, at every node that a nonlinear op reads. */
  readonly at: Bounds['at'];
  /** The shape of one example at a node, or at `input`, without the batch axis. */
  shapeOf(node: string): Shape;
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

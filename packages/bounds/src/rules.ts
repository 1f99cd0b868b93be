import type { Op, Tensor } from '@cert/core';
import { type BackwardRule, type BackwardTable, extendBackward, extendLines } from './backward.js';
import { type CenterRadius, ibp, monotone } from './ibp.js';
import { linearRelaxation } from './linear-relaxation.js';
import type { LineRule } from './lines.js';
import { extend, type ForwardRule, type RuleTable } from './method.js';
import { natural } from './natural.js';

/** The rules of one op in each of the tables of {@link Rules}. Where one is missing, that method has no rule for the op. */
export interface OpRules<K extends Op> {
  /** The plain forward pass. */
  readonly natural: ForwardRule<K, Tensor>;
  /** Interval bounds. */
  readonly ibp?: ForwardRule<K, CenterRadius>;
  /** Lines below and above an elementwise op: for CROWN-IBP, CROWN and loss fusion. */
  readonly lines?: LineRule<K>;
  /** Linear bounds, backwards, for an op that is linear or has several inputs; instead of `lines`. */
  readonly linearRelaxation?: BackwardRule<K>;
}

/**
 * The rules of the plain pass and of interval bounds for an elementwise op that never decreases: the ends of an interval go to the ends.
 * `{ ...increasing((x) => tf.sigmoid(x)), lines }`
 *
 * @param f a function of tensors that keeps their shape and reads no value
 */
export const increasing = (f: (x: Tensor) => Tensor) => ({
  natural: (_node: unknown, _params: unknown, _context: unknown, x: Tensor): Tensor => f(x),
  ibp: (_node: unknown, _params: unknown, _context: unknown, x: CenterRadius): CenterRadius => monotone(f, x),
});

/** Rules by op: what a plug-in that adds ops brings. */
export type RulesByOp = { readonly [K in Op]?: OpRules<K> };

/** The tables that training and evaluation walk a model with. */
export interface Rules {
  /** The plain forward pass. */
  readonly natural: RuleTable<Tensor>;
  /** Interval bound propagation. */
  readonly ibp: typeof ibp;
  /** Linear bounds, backwards: for CROWN-IBP, CROWN and loss fusion. */
  readonly linearRelaxation: BackwardTable;
}

/** The rules of the built-in ops. */
export const standardRules: Rules = { natural, ibp, linearRelaxation };

/** New tables with the rules of further ops; the given ones are unchanged. `extendRules(standardRules, { gelu: { natural, ibp } })` */
export function extendRules(rules: Rules, ops: RulesByOp): Rules {
  const entries = Object.entries(ops) as [Op, OpRules<Op>][];
  const column = (table: keyof OpRules<Op>): object =>
    Object.fromEntries(entries.flatMap(([op, { [table]: rule }]) => (rule === undefined ? [] : [[op, rule]])));
  return {
    natural: extend(rules.natural, column('natural')),
    ibp: extend(rules.ibp, column('ibp')),
    linearRelaxation: extendBackward(extendLines(rules.linearRelaxation, column('lines')), column('linearRelaxation')),
  };
}

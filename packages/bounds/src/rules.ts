import type { Op, Tensor } from '@cert/core';
import { type BackwardRule, type BackwardTable, extendBackward, extendLines } from './backward.js';
import { type CenterRadius, ibp, monotone } from './ibp.js';
import { linearRelaxation } from './linear-relaxation.js';
import type { LineRule } from './lines.js';
import { extend, type ForwardRule, type RuleTable } from './method.js';
import { natural } from './natural.js';

/** Rules of one op for the tables of {@link Rules}. A method whose rule is missing does not support the op. */
export interface OpRules<K extends Op> {
  /** The plain forward pass. */
  readonly natural: ForwardRule<K, Tensor>;
  /** Interval bounds. */
  readonly ibp?: ForwardRule<K, CenterRadius>;
  /** Lower and upper lines of an elementwise op, for CROWN-IBP, CROWN and loss fusion. */
  readonly lines?: LineRule<K>;
  /** Backward rule instead of `lines`, for an op that is linear or has several inputs. */
  readonly linearRelaxation?: BackwardRule<K>;
}

/**
 * Returns the rules of the plain pass and of interval bounds for a non-decreasing elementwise op, which maps the ends of an interval to the
 * ends of the result. `{ ...increasing((x) => tf.sigmoid(x)), lines }`
 *
 * @param f a function of tensors that preserves the shape and reads no value
 */
export const increasing = (f: (x: Tensor) => Tensor) => ({
  natural: (_node: unknown, _params: unknown, _context: unknown, x: Tensor): Tensor => f(x),
  ibp: (_node: unknown, _params: unknown, _context: unknown, x: CenterRadius): CenterRadius => monotone(f, x),
});

/** Rules by op, as a plug-in provides them. */
export type RulesByOp = { readonly [K in Op]?: OpRules<K> };

/** The tables of rules for training and evaluation. */
export interface Rules {
  /** The plain forward pass. */
  readonly natural: RuleTable<Tensor>;
  /** Interval bound propagation. */
  readonly ibp: typeof ibp;
  /** Backward linear bounds, for CROWN-IBP, CROWN and loss fusion. */
  readonly linearRelaxation: BackwardTable;
}

/** The rules of the built-in ops. */
export const standardRules: Rules = { natural, ibp, linearRelaxation };

/**
 * Returns new tables with rules of additional ops; the given tables are unchanged. `extendRules(standardRules, { gelu: { natural, ibp } })`
 */
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

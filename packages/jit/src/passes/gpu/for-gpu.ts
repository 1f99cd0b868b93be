import type { Graph } from '../../graph/ir.js';
import { rewrite } from '../../graph/rewrite.js';
import { joinElementwise, scalarsTogether } from './join-elementwise.js';
import { leadingSums } from './leading-sums.js';
import { splitProducts } from './split-products.js';
import { joinTotals, longTotals } from './totals.js';

/** A graph for a GPU, after all other passes: fewer ops, each with work for many threads. */
export function forGpu(graph: Graph): Graph {
  const scaled = rewrite(graph, scalarsTogether);
  const totals = rewrite(scaled, joinTotals(scaled));
  const joined = joinElementwise(totals);
  return [splitProducts, longTotals, leadingSums].reduce((now, rule) => rewrite(now, rule), joined);
}

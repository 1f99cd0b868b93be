import type { Graph } from '../graph/ir.js';
import { type Rule, rewrite, schedule } from '../graph/rewrite.js';
import { absoluteViews } from './absolute-views.js';
import { algebra } from './algebra.js';
import { combinations } from './blocked/combine.js';
import { blockedConvolutions } from './blocked/convolutions.js';
import { blockedFusion, spreadChannels } from './blocked/fuse.js';
import { blockedLayout } from './blocked/layout.js';
import { convBias } from './conv-bias.js';
import { filterGradient } from './filter-gradient.js';
import { forGpu } from './gpu/for-gpu.js';
import { gatheredFilterGradient } from './gpu/gathered-filter-gradient.js';
import { inputGradient } from './input-gradient.js';
import { layout } from './layout.js';
import { mergeProducts, sumOfProducts } from './merge-products.js';
import { squeeze } from './squeeze.js';

export { algebra, convBias, filterGradient, gatheredFilterGradient, inputGradient, layout, squeeze };

/** Applies rules, the first that fits, over and over until nothing changes. */
export function untilStable(graph: Graph, ...rules: readonly Rule[]): Graph {
  let before = '';
  let now = graph;
  for (let round = 0; round < 20; round++) {
    now = rewrite(now, (build, value, original) => {
      for (const rule of rules) {
        const better = rule(build, value, original);
        if (better !== undefined) return better;
      }
      return undefined;
    });
    const shape = fingerprint(now);
    if (shape === before) return now;
    before = shape;
  }
  return now;
}

/** The graph's structure: equal for equal graphs. */
const fingerprint = (graph: Graph): string => {
  const order = schedule(graph);
  const number = new Map(order.map((value, i) => [value, i]));
  return order
    .map((v) => `${v.op}${JSON.stringify(v.attrs)}${v.shape}:${v.inputs.map((x) => number.get(x))}`)
    .join(';');
};

/** What is known about the device that a graph is compiled for. */
export interface Target {
  /** Channels in a block of the blocked form that its convolutions know; without, they know [N, C, H, W] alone. */
  readonly block?: number | undefined;
  /** Starting an op takes longer than many ops take: the graph gets as few as possible. */
  readonly gpu?: boolean;
}

/** The standard sequence of passes. */
export function optimize(graph: Graph, { block, gpu = false }: Target = {}): Graph {
  const blocked = block === undefined ? graph : rewrite(graph, blockedConvolutions(block));
  const simple = untilStable(blocked, algebra, blockedLayout, layout);
  const merged = mergeProducts(rewrite(simple, sumOfProducts(simple)));
  const filters = gpu ? rewrite(merged, gatheredFilterGradient()) : merged;
  const lowered = untilStable(rewrite(rewrite(filters, inputGradient), filterGradient), algebra, blockedLayout, layout);
  const tidy = untilStable(rewrite(lowered, convBias(lowered)), squeeze, absoluteViews, algebra);
  if (gpu) return forGpu(tidy);
  if (block === undefined) return tidy;
  const combined = rewrite(tidy, combinations(tidy, block));
  return rewrite(rewrite(combined, blockedFusion(combined)), spreadChannels);
}

import type { Model, Node } from '@cert/core';
import { fanIn, paramShapes } from './fan.js';
import { initializer, normal, uniform } from './initialize.js';

/** How the IBP initialization draws one kernel. */
export interface IbpPlanEntry {
  /** Inputs that one output sees, per group. */
  readonly fanIn: number;
  /** Standard deviation of the normal distribution, after halving; null if the kernel keeps its default. */
  readonly std: number | null;
  /** Whether a residual sum, which has twice the radius, feeds the layer. */
  readonly halved: boolean;
  /** Whether this is the last kernel of the model, which keeps the default uniform +-1/sqrt(fan_in). */
  readonly kept: boolean;
}

/**
 * Returns the distributions of {@link ibpInit} by node name: N(0, (sqrt(2 pi) / fan_in)^2), for which the expected
 * gain of the mean radius per layer, fan_in / 2 * E|W|, is 1 ("Fast Certified Robust Training with Short Warmup", its
 * IBP initialization); half of it where a residual sum feeds the layer directly or through ReLU.
 */
export function ibpPlan(model: Model): { readonly [node: string]: IbpPlanEntry } {
  const nodes = new Map<string, Node>(model.nodes.map((node) => [node.name, node]));
  const afterSum = (name: string): boolean => {
    const node = nodes.get(name);
    return node?.op === 'add' || (node?.op === 'relu' && afterSum(node.inputs[0]!));
  };
  const weighted = model.nodes.flatMap((node) => {
    const kernel = paramShapes(node).kernel;
    return kernel === undefined || kernel.length < 2 ? [] : [{ node, fan: fanIn(kernel) }];
  });
  return Object.fromEntries(
    weighted.map(({ node, fan }, i) => {
      const kept = i === weighted.length - 1;
      const halved = !kept && node.inputs.some(afterSum);
      const std = kept ? null : Math.sqrt(2 * Math.PI) / fan / (halved ? 2 : 1);
      return [node.name, { fanIn: fan, std, halved, kept }];
    }),
  );
}

/**
 * The IBP initialization ("Fast Certified Robust Training with Short Warmup"), which keeps interval widths from exploding or vanishing:
 * kernels as in {@link ibpPlan}, biases uniform in +-1/sqrt(fan_in), gamma 1, beta 0.
 */
export const ibpInit = initializer((model) => {
  const plan = ibpPlan(model);
  return ({ node, fanIn, fanOut, rng }) => {
    const { std } = plan[node]!;
    return std === null ? uniform(rng, fanIn * fanOut, 1 / Math.sqrt(fanIn)) : normal(rng, fanIn * fanOut, std);
  };
});

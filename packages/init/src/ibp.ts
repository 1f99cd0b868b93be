import type { Model, Node } from '@cert/core';
import { fanIn, paramShapes } from './fan.js';
import { initializer, normal, uniform } from './initialize.js';

/** What the IBP initialization does with one kernel. */
export interface IbpPlanEntry {
  /** Inputs that one output sees, per group. */
  readonly fanIn: number;
  /** Standard deviation of the normal distribution, halving included; null when the kernel is kept at its default. */
  readonly std: number | null;
  /** Fed by a residual sum, which has twice the radius. */
  readonly halved: boolean;
  /** The last kernel of the model, which stays at the default uniform +-1/sqrt(fan_in). */
  readonly kept: boolean;
}

/**
 * What {@link ibpInit} draws each kernel from, by the name of its node: N(0, (sqrt(2 pi) / fan_in)^2), for which the expected
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
 * The IBP initialization ("Fast Certified Robust Training with Short Warmup"), with which interval widths neither explode nor
 * vanish: kernels as {@link ibpPlan} says, biases uniform in +-1/sqrt(fan_in), gamma 1, beta 0.
 */
export const ibpInit = initializer((model) => {
  const plan = ibpPlan(model);
  return ({ node, fanIn, fanOut, rng }) => {
    const { std } = plan[node]!;
    return std === null ? uniform(rng, fanIn * fanOut, 1 / Math.sqrt(fanIn)) : normal(rng, fanIn * fanOut, std);
  };
});

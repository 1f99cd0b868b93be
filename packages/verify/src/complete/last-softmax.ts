import { CertError, type Property } from '@cert/core';
import type { HostNetwork } from './host-network.js';

/**
 * A network without a softmax at its end, which keeps the order of the outputs. What is proved of the rest is a statement about the network only
 * where a property compares outputs: see {@link comparesOutputs}.
 */
export function withoutSoftmax(network: HostNetwork): HostNetwork {
  const { nodes } = network.model;
  if (nodes.at(-1)!.op !== 'softmax' || nodes.length === 1) return network;
  return { ...network, model: { ...network.model, nodes: nodes.slice(0, -1) } };
}

/**
 * A lower bound of how much larger the probability of a class is than that of every other one, from such a bound of its logit. For L > 0, the
 * probability p is at least 1 / (1 + (classes - 1) exp(-L)), and every other one at most p exp(-L). For L <= 0, another one is at most
 * 1 / (1 + exp(L)), and the difference is smallest where only these two are not 0.
 */
export const marginOfSoftmax = (lower: number, classes: number): number =>
  lower > 0 ? -Math.expm1(-lower) / (1 + (classes - 1) * Math.exp(-lower)) : Math.tanh(lower / 2);

/** Whether every inequality says that one output is at most another. */
export const comparesOutputs = ({ cases }: Property): boolean =>
  cases.every(({ outputs }) =>
    outputs.every(({ coefficients, bound }) => {
      const others = coefficients.filter((c) => c !== 0);
      return bound === 0 && (others.length === 0 || (others.length === 2 && others[0] === -others[1]!));
    }),
  );

/** The error for another property of a network that ends in a softmax. */
export const valuesOfSoftmax = () =>
  new CertError(
    'missing-rule',
    'The network ends in a softmax, but the property constrains values of its outputs.',
    'State the property about the order of two outputs, or about the inputs of the softmax.',
  );

import type { Model, Node, NodeOf } from '@cert/core';

/** The roundings that a batch normalization in another form than the one written may add to the layer before. */
const FORMS = 14;

/** How many batch normalizations follow a node directly, one behind the other: an execution may fold all of them into it. */
function following(model: Model, name: string): number {
  const next = model.nodes.filter(({ op, inputs }) => op === 'batchNorm' && inputs.includes(name));
  return Math.max(0, ...next.map((node) => 1 + following(model, node.name)));
}

/** The number of products that each output of a convolution or dense layer sums. */
export function termsOf(node: NodeOf<'conv2d'> | NodeOf<'dense'>): number {
  const kernel = node.params.kernel;
  return kernel.slice(0, -1).reduce((product, n) => product * n, 1);
}

/**
 * How many roundings of a float32 execution lie between the products of a convolution or dense layer and its result: those of its sums in any
 * order, and what it takes to fold the batch normalizations that follow.
 */
export const roundingsOf = (model: Model, node: NodeOf<'conv2d'> | NodeOf<'dense'>): number =>
  termsOf(node) + 1 + FORMS * following(model, node.name);

/**
 * How many roundings lie between the numbers that make the shift of a batch normalization and its result: folded into the layer before, the
 * shift takes part in that layer's sums.
 */
export function shiftRoundingsOf(model: Model, node: NodeOf<'batchNorm'>): number {
  const [name] = node.inputs;
  const before: Node | undefined = model.nodes.find((other) => other.name === name);
  const later = FORMS * (1 + following(model, node.name));
  if (before?.op === 'conv2d' || before?.op === 'dense') return termsOf(before) + 2 + later;
  return before?.op === 'batchNorm' ? shiftRoundingsOf(model, before) + later : later;
}

import type { Model, Node, Shape } from '@cert/core';

/** What a forward pass over one image costs at least, and what the net itself holds. */
export interface Work {
  /** Multiply-adds of convolutions and dense layers. */
  readonly multiplyAdds: number;
  /** Numbers in the outputs of all nodes; `flatten` has none of its own. */
  readonly activations: number;
  readonly parameters: number;
}

const size = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

/** Each element of the output is a product with all of the kernel that leads to its channel. */
const multiplyAdds = (node: Node): number =>
  node.op === 'conv2d' || node.op === 'dense' ? (size(node.shape) * size(node.params.kernel)) / node.shape.at(-1)! : 0;

export function workOf({ nodes }: Model): Work {
  const total = (of: (node: Node) => number) => nodes.reduce((sum, node) => sum + of(node), 0);
  return {
    multiplyAdds: total(multiplyAdds),
    activations: total((node) => (node.op === 'flatten' ? 0 : size(node.shape))),
    parameters: total((node) => Object.values<Shape>(node.params).reduce((sum, shape) => sum + size(shape), 0)),
  };
}

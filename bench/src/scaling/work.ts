import { type Model, type Node, type Shape, sizeOf } from '@cert/core';

/** What a forward pass over one image costs at least, and what the net itself holds. */
export interface Work {
  /** Multiply-adds of convolutions and dense layers. */
  readonly multiplyAdds: number;
  /** Numbers in the outputs of all nodes; `flatten` has none of its own. */
  readonly activations: number;
  readonly parameters: number;
}

/** Each element of the output is a product with all of the kernel that leads to its channel. */
const multiplyAdds = (node: Node): number =>
  node.op === 'conv2d' || node.op === 'dense'
    ? (sizeOf(node.shape) * sizeOf(node.params.kernel)) / node.shape.at(-1)!
    : 0;

export function workOf({ nodes }: Model): Work {
  const total = (of: (node: Node) => number) => nodes.reduce((sum, node) => sum + of(node), 0);
  return {
    multiplyAdds: total(multiplyAdds),
    activations: total((node) => (node.op === 'flatten' ? 0 : sizeOf(node.shape))),
    parameters: total((node) => Object.values<Shape>(node.params).reduce((sum, shape) => sum + sizeOf(shape), 0)),
  };
}

import type { Model, Node, NodeOf } from '@cert/core';

/** One or more nodes that are computed at once; the result is that of `node`. */
export interface Step {
  readonly node: Node;
  /** The value that the op reads; for a fused residual addition, what is added comes second. */
  readonly inputs: readonly string[];
  /** The convolution or dense layer, where there is one. */
  readonly linear?: NodeOf<'conv2d'> | NodeOf<'dense'>;
  /** The batch normalization that is folded into it. */
  readonly norm?: NodeOf<'batchNorm'>;
  /** Whether the second input begins its sums. */
  readonly residual?: true;
}

/** Which nodes are computed when, and which at once. */
export function scheduleSteps(model: Model, folds: boolean, fuses: boolean): readonly Step[] {
  const readers = (name: string) => model.nodes.filter(({ inputs }) => inputs.includes(name)).length;
  const steps = new Map<string, Step>();
  for (const node of model.nodes) {
    if (node.op === 'conv2d' || node.op === 'dense') {
      steps.set(node.name, { node, inputs: node.inputs, linear: node });
      continue;
    }
    if (node.op === 'batchNorm' && folds) {
      const before = steps.get(node.inputs[0]!);
      if (before?.linear !== undefined && before.norm === undefined && readers(before.node.name) === 1) {
        steps.delete(before.node.name);
        steps.set(node.name, { ...before, node, norm: node });
        continue;
      }
    }
    if (node.op === 'add' && fuses) {
      const [left, right] = node.inputs as [string, string];
      const takes = (name: string) => readers(name) === 1 && steps.get(name)?.linear !== undefined && left !== right;
      const branch = [right, left].find((name) => takes(name) && steps.get(name)!.residual === undefined);
      if (branch !== undefined) {
        const { linear, norm, inputs } = steps.get(branch)!;
        steps.delete(branch);
        const other = branch === right ? left : right;
        const fused: Step = { node, inputs: [inputs[0]!, other], residual: true, linear: linear! };
        steps.set(node.name, norm === undefined ? fused : { ...fused, norm });
        continue;
      }
    }
    steps.set(node.name, { node, inputs: node.inputs });
  }
  return [...steps.values()];
}

import type { Model, Op } from '@cert/core';

/** The built-in ops that are linear in their inputs: a linear relaxation passes them exactly and reads no bounds. */
const LINEAR: ReadonlySet<Op> = new Set<Op>([
  'add',
  'affine',
  'avgPool',
  'batchNorm',
  'concat',
  'conv2d',
  'dense',
  'flatten',
  'globalAvgPool',
  'reshape',
  'transpose',
]);

/**
 * The names of the nodes whose bounds a linear relaxation may read, in order and each once: those that feed a built-in op that is not linear
 * or any op that is not built in.
 */
export const nonlinearInputs = (model: Model): string[] => [
  ...new Set(model.nodes.filter(({ op }) => !LINEAR.has(op)).flatMap(({ inputs }) => inputs)),
];

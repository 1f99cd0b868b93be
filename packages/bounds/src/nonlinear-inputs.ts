import type { Model, Op } from '@cert/core';

/** Ops whose backward rules read no bounds. */
const LINEAR: readonly Op[] = ['conv2d', 'dense', 'batchNorm', 'add', 'flatten', 'globalAvgPool', 'avgPool', 'affine'];

/**
 * The names of the nodes whose bounds a linear relaxation may read, in order and each once: those that feed a ReLU or any op that is
 * not built in.
 */
export const nonlinearInputs = (model: Model): string[] => [
  ...new Set(model.nodes.filter(({ op }) => !LINEAR.includes(op)).flatMap(({ inputs }) => inputs)),
];

import type { Model } from '@cert/core';
import { linearRelaxation } from './linear-relaxation.js';

/**
 * The names of the nodes whose bounds a linear relaxation may read, in order and each once: those that feed a ReLU or any op that is
 * not built in.
 */
export const nonlinearInputs = (model: Model): string[] => [
  // The built-in backward rules are those of linear ops, which read no bounds.
  ...new Set(model.nodes.filter(({ op }) => !(op in linearRelaxation.rules)).flatMap(({ inputs }) => inputs)),
];

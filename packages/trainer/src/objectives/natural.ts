import { crossEntropy } from '../loss.js';
import type { UnboundedObjective } from './objective.js';

/** Natural training: the cross-entropy. Named `natural`. */
export const naturalObjective: UnboundedObjective = {
  name: 'natural',
  bounded: false,
  weighted: true,
  loss: ({ logits, labels, weights }) => crossEntropy(logits, labels, weights),
};

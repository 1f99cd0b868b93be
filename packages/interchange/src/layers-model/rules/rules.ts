import { activations } from './activation.js';
import { linear } from './linear.js';
import { merging } from './merge.js';
import { normalization } from './normalization.js';
import { pooling } from './pooling.js';
import type { Rules } from './rule.js';
import { shapes } from './shape.js';

/** The classes of layers that can be imported. */
export const RULES: Rules = { ...linear, ...activations, ...normalization, ...pooling, ...merging, ...shapes };

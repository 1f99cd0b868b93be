import { elementwise } from './elementwise.js';
import { linear } from './linear.js';
import { pooling } from './pooling.js';
import type { Rules } from './rule.js';
import { shapes } from './shape.js';

/** Every op that is imported. */
export const RULES: Rules = { ...linear, ...elementwise, ...pooling, ...shapes };

import { regularizerSuite } from '@cert/testing';
import { describe, it } from 'vitest';
import { reluBalance } from './relu-balance.js';
import { tightness } from './tightness.js';
import { weightedSum } from './weighted-sum.js';

const all = [
  tightness(),
  reluBalance(),
  reluBalance({ tolerance: 1.5 }),
  weightedSum([
    [1, tightness({ tolerance: 0.9 })],
    [0.25, reluBalance()],
  ]),
];

describe.each(all)('conformance of $name', (regularizer) => {
  for (const { name, run } of regularizerSuite({ regularizer })) it(name, run);
});

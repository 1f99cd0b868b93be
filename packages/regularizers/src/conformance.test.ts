import { regularizerSuite } from '@cert/testing';
import { describe, it } from 'vitest';
import { l1 } from './l1.js';
import { reluBalance } from './relu-balance.js';
import { reluStability } from './relu-stability.js';
import { tightness } from './tightness.js';
import { volume } from './volume.js';
import { weightedSum } from './weighted-sum.js';

const all = [
  tightness(),
  reluBalance(),
  reluBalance({ tolerance: 1.5 }),
  reluStability(),
  volume(),
  l1(),
  weightedSum([
    [1, tightness({ tolerance: 0.9 })],
    [0.25, reluBalance()],
  ]),
];

describe.each(all)('conformance of $name', (regularizer) => {
  for (const { name, run } of regularizerSuite({ regularizer })) it(name, run);
});

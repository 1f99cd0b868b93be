import { boundedOps, boundMethodSuite } from '@cert/testing';
import { describe, it } from 'vitest';
import { naturalPass, soundIbp } from '../index.js';

describe.each(['real', 'deployed'] as const)('soundIbp at the level %s conforms', (level) => {
  const method = soundIbp({ level });
  // Libraries differ in how they round these.
  const ops = boundedOps.filter((op) => op !== 'sigmoid' && op !== 'tanh');
  const cases = boundMethodSuite({
    ...{ method, forward: naturalPass, ops, differentiable: false, exactOn: 'nothing', tightMargins: false },
  });
  // A point has an interval as wide as rounding, which is wider than the suite's tolerance for a point.
  for (const { name, run } of cases.filter((one) => !one.name.includes('single points'))) it(name, run);
});

import { boundedOps, boundMethodSuite } from '@cert/testing';
import { describe, it } from 'vitest';
import { crown, crownIbp, naturalPass } from './index.js';

const methods = [
  { name: 'crownIbp', method: crownIbp, differentiable: true },
  { name: 'crown', method: crown(), differentiable: false },
];

for (const { name, method, differentiable } of methods) {
  describe(`${name} conforms`, () => {
    const suite = boundMethodSuite({
      method,
      forward: naturalPass,
      ops: boundedOps,
      exactOn: 'output',
      differentiable,
    });
    for (const { name: check, run } of suite) it(check, run);
  });
}

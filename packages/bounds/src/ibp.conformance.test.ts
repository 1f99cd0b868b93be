import { boundedOps, boundMethodSuite } from '@cert/testing';
import { describe, it } from 'vitest';
import { ibp, naturalPass } from './index.js';

describe('ibp conforms', () => {
  for (const { name, run } of boundMethodSuite({ method: ibp, forward: naturalPass, ops: boundedOps })) it(name, run);
});

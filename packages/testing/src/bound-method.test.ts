import { describe, it } from 'vitest';
import { forward, intervalMethod } from '../test/interval-method.js';
import { boundMethodSuite } from './index.js';

describe('a correct interval method passes', () => {
  for (const { name, run } of boundMethodSuite({ method: intervalMethod(), forward })) it(name, run);
});

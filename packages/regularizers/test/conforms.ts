import type { Regularizer } from '@cert/core';
import { openDevice } from '@cert/jit/node';
import { regularizerSuite } from '@cert/testing';
import { afterAll, describe, it } from 'vitest';

/** The conformance suite of regularizers, eagerly and compiled. */
export function conforms(...regularizers: readonly Regularizer[]): void {
  describe.each(regularizers)('conformance of $name', async (regularizer) => {
    const device = await openDevice('cpu');
    afterAll(() => device.dispose());
    for (const { name, run } of regularizerSuite({ regularizer, device })) it(name, run);
  });
}

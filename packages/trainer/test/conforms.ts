import { ibp, naturalPass } from '@cert/bounds';
import { openDevice } from '@cert/jit/node';
import { objectiveSuite } from '@cert/testing';
import { afterAll, describe, it } from 'vitest';
import type { Objective } from '../src/index.js';

/** The conformance suite of objectives, eagerly and compiled. */
export function conforms(...objectives: readonly Objective[]): void {
  describe.each(objectives)('conformance of $name', async (objective) => {
    const device = await openDevice('cpu');
    afterAll(() => device.dispose());
    for (const { name, run } of objectiveSuite({ objective, method: ibp, forward: naturalPass, device })) it(name, run);
  });
}

import { ibp, naturalPass } from '@cert/bounds';
import { type Device, openDevice } from '@cert/jit';
import { objectiveSuite } from '@cert/testing';
import { describe, it } from 'vitest';
import { crownIbpObjective } from './crown-ibp.js';
import { naturalObjective, robustObjective } from './objective.js';
import { pgdObjective } from './pgd.js';

const device: Device = await openDevice('cpu');

const all = [
  naturalObjective,
  pgdObjective(),
  robustObjective(),
  robustObjective({ naturalWeight: 0.5 }),
  crownIbpObjective(),
  crownIbpObjective({ fusion: false }),
];

describe.each(all)('conformance of $name', (objective) => {
  for (const { name, run } of objectiveSuite({ objective, method: ibp, forward: naturalPass, device })) it(name, run);
});

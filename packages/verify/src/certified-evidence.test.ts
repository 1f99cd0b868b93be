import { expect, it } from 'vitest';
import type { TreeEvidence } from './certificate.js';
import { evidenceInFile } from './certified-evidence.js';

it('writes slopes in the order in which readers find the neurons: names that are whole numbers first', () => {
  const evidence: TreeEvidence = {
    kind: 'tree',
    intermediate: 'ibp',
    neurons: [
      { relu: 'first', neurons: [4] },
      { relu: '20', neurons: [0, 7] },
      { relu: '10', neurons: [3, 1] },
    ],
    cases: [
      [
        { relu: '20', neuron: 7 },
        { row: 0, slopes: btoa('abcde'), multipliers: [1] },
        { row: 0, slopes: btoa('vwxyz'), multipliers: [2] },
      ],
    ],
  };
  const [written] = evidenceInFile(evidence);
  const read = JSON.parse(JSON.stringify(written));
  expect(Object.entries(read.neurons)).toEqual([
    ['10', [3, 1]],
    ['20', [0, 7]],
    ['first', [4]],
  ]);
  expect(read.cases).toEqual([
    {
      ...{ relu: '20', neuron: 7 },
      sides: [
        { row: 0, slopes: btoa('debca'), multipliers: [1] },
        { row: 0, slopes: btoa('yzwxv'), multipliers: [2] },
      ],
    },
  ]);
});

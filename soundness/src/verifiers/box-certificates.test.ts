/** Certificates of perturbation sets with a radius per feature: a box, proved again by the independent checker. */
import { checkCertificate } from '@cert/check';
import { dense, linf, type Perturbation, sequential } from '@cert/core';
import { encodeCheckpoint } from '@cert/models';
import { certificateText, certifiedNetwork, createCertificate } from '@cert/verify';
import { expect, it } from 'vitest';

/** Two classes whose margin is x + 10 y - 5 z for class 0. */
const net = {
  model: sequential([3], [dense(2)]),
  params: {
    dense1: {
      kernel: { shape: [3, 2], data: Float32Array.of(1, 0, 10, 0, -5, 0) },
      bias: { shape: [2], data: new Float32Array(2) },
    },
  },
  stats: {},
};
const set = linf({ epsilon: 0.5, up: [1, 0, 0], down: [1, 0, 1], range: null });

it('are accepted, and refused where the set holds a misclassified point', async () => {
  const bytes = encodeCheckpoint(net);
  const certified = (perturbation: Perturbation) =>
    createCertificate({
      ...{ network: certifiedNetwork(bytes, 'net'), level: 'deployed', method: 'ibp', evidence: { kind: 'ibp' } },
      ...{ margin: 0.25, pixels: Float32Array.of(0.75, 0, 0), shape: [3], label: 0, classes: 2, perturbation },
    });
  const check = (perturbation: Perturbation) =>
    checkCertificate(certificateText(certified(perturbation)), async () => bytes);
  expect(certified(set).perturbation.kind).toBe('boxes');
  expect(await check(set)).toMatchObject({ holds: true, property: 'label 0 within a box' });
  expect(await check({ ...set, epsilon: 0.8 })).toMatchObject({ holds: false });
  // Without the one-sided feature there is a misclassified point.
  expect(await check({ ...set, up: [1, 0, 1] })).toMatchObject({ holds: false });
});

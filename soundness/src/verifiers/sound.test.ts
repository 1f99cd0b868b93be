/** What accounts for rounding refuses every network that is built to fool verifiers, at each level that its counterexample refutes. */

import { crownIbp, epsilonUp, ibp, type SoundLevel } from '@cert/bounds';
import { checkCertificate } from '@cert/check';
import { linf } from '@cert/core';
import { type Device, disposeTree, eagerDevice, putBatch, putParams, putScalars } from '@cert/jit';
import { cpuDevice } from '@cert/jit/node';
import { encodeCheckpoint } from '@cert/models';
import {
  alphaCrownVerifier,
  babVerifier,
  boundVerifier,
  certificateText,
  certifiedNetwork,
  createCertificate,
  crownVerifier,
  isVerified,
  soundCrownIbpSteps,
  soundCrownSteps,
  soundIbpSteps,
  soundVerifier,
} from '@cert/verify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AdversarialNetwork } from '../kinds/adversarial-network.js';
import { adversarialNetworks } from '../kinds/adversarial-networks.js';
import { accepts } from './on-device.js';

const NETWORKS = adversarialNetworks({ seed: 0 });
const LEVELS: readonly SoundLevel[] = ['real', 'deployed'];
const VERIFIERS = [
  soundVerifier(boundVerifier(ibp), soundIbpSteps),
  soundVerifier(boundVerifier(crownIbp), soundCrownIbpSteps),
  soundVerifier(crownVerifier(), soundCrownSteps),
];

/** The networks that a level must refuse. */
const refuted = (level: SoundLevel): readonly AdversarialNetwork[] =>
  NETWORKS.filter(({ refutesReal }) => level === 'deployed' || refutesReal);

let devices: readonly Device[];
beforeAll(async () => {
  devices = [eagerDevice(), await cpuDevice({ threads: 1 })];
});
afterAll(async () => {
  for (const device of devices) await device.dispose();
});

/** Whether a verifier calls the image verified at a level. */
async function proves(
  device: Device,
  verifier: (typeof VERIFIERS)[number],
  net: AdversarialNetwork,
  level: SoundLevel,
) {
  const { model, range, epsilon, label, image } = net;
  const weights = { params: putParams(device, net.params), stats: putParams(device, net.stats) };
  const batch = putBatch(device, model, { images: image, labels: Int32Array.of(label) });
  const hyper = putScalars(device, { epsilon: epsilonUp(epsilon) });
  const prover = verifier.soundOn!({ device, model, perturbation: linf({ epsilon, range }), level });
  try {
    const [margins] = await prover.lowerMargins(weights, batch, hyper, 1);
    return isVerified({ lower: margins?.[level], found: 1 });
  } finally {
    await prover.dispose();
    disposeTree([weights, batch, hyper]);
  }
}

/** What the checker says of a certificate that claims the property, whatever a verifier thinks of it. */
async function checks(net: AdversarialNetwork, level: SoundLevel, kind: 'ibp' | 'linear' | 'crown'): Promise<boolean> {
  const { model, params, stats, image, label, epsilon, range } = net;
  const bytes = encodeCheckpoint({ model, params, stats });
  const certificate = createCertificate({
    ...{
      network: certifiedNetwork(bytes, 'network'),
      level,
      method: kind,
      margin: 1,
      pixels: image,
      label,
      perturbation: linf({ epsilon, range }),
    },
    evidence: kind === 'ibp' ? { kind } : { kind: 'linear', intermediate: kind === 'linear' ? 'ibp' : 'crown' },
    ...{ shape: model.inputShape, classes: model.classes },
  });
  const { holds, reason } = await checkCertificate(certificateText(certificate), async () => bytes);
  // Refused for what it claims, not for its form.
  if (!holds) expect(reason).not.toMatch(/unknown field|not JSON|SHA-256/);
  return holds;
}

it('the verifiers that round to nearest accept nearly all of them', async () => {
  const accepted = [];
  for (const net of NETWORKS) {
    if (await accepts(devices[0]!, boundVerifier(ibp), net, net, net.label)) accepted.push(net.name);
  }
  expect(NETWORKS.length).toBeGreaterThanOrEqual(12);
  expect(accepted.length).toBeGreaterThan(12);
});

describe.each(LEVELS)('at the level %s', (level) => {
  it.each(VERIFIERS)('$name verifies none of them', async (verifier) => {
    const verified = [];
    for (const device of devices) {
      for (const net of refuted(level)) {
        if (await proves(device, verifier, net, level)) verified.push(`${net.name} on ${device.name}`);
      }
    }
    expect(verified).toEqual([]);
  });

  it.each([alphaCrownVerifier({ timeout: 20 }), babVerifier({ timeout: 20 })])(
    '$name verifies none of them',
    async (verifier) => {
      const verified = [];
      const device = devices[1]!;
      for (const net of refuted(level)) {
        const weights = { params: putParams(device, net.params), stats: putParams(device, net.stats) };
        const search = verifier.searchOn!(
          { device, model: net.model, perturbation: linf({ epsilon: net.epsilon, range: net.range }) },
          level,
        );
        const image = { pixels: net.image, label: net.label };
        const { margins, found } = await search.search(weights, image, net.epsilon);
        if (found === undefined && isVerified({ lower: margins[level], found: 1 })) verified.push(net.name);
        await search.dispose();
        disposeTree(weights);
      }
      expect(verified).toEqual([]);
    },
    300_000,
  );

  it.each(['ibp', 'linear', 'crown'] as const)('no certificate of them holds, evidence %s', async (kind) => {
    const held = [];
    for (const net of refuted(level)) if (await checks(net, level, kind)) held.push(net.name);
    expect(held).toEqual([]);
  });
});

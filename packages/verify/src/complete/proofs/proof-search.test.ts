import { dense, leakyRelu, type Property, relu, sequential } from '@cert/core';
import type { Device } from '@cert/jit';
import { cpuDevice } from '@cert/jit/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CertificateEvidence, TreeEvidence } from '../../certificate.js';
import type { HostNetwork } from '../host-network.js';
import type { ProofOptions } from './proof.js';
import { createProofSearch } from './proof-search.js';

let device: Device;
beforeAll(async () => {
  device = await cpuDevice({ threads: 1 });
});
afterAll(() => device.dispose());

const weights = (rows: number, ...data: number[]) => ({
  kernel: { shape: [rows, data.length / rows], data: Float32Array.from(data) },
  bias: { shape: [data.length / rows], data: new Float32Array(data.length / rows) },
});

/** 2 relu(z) - relu(2 z) for z = x - y, which is 0: no bound without splits is near. */
const nothing: HostNetwork = {
  model: sequential([2], [dense(2), relu(), dense(1)]),
  params: { dense1: weights(2, 1, 2, -1, -2), dense2: weights(2, 2, -1) },
  stats: {},
};

/** Never output <= bound on a box. */
const above = (bound: number, ...boxes: readonly (readonly [number, number])[]): Property => ({
  inputs: 2,
  outputs: 1,
  cases: boxes.map(([lower, upper]) => ({
    lower: Float64Array.of(lower, lower),
    upper: Float64Array.of(upper, upper),
    outputs: [{ coefficients: Float64Array.of(1), bound }],
  })),
});

async function proved(
  network: HostNetwork,
  property: Property,
  { split = 'relus', ...options }: Partial<ProofOptions> & { readonly split?: 'inputs' | 'relus' | 'default' } = {},
) {
  const search = createProofSearch({ device, network, ...(split !== 'default' && { split }) });
  try {
    return await search.prove(property, { level: 'deployed', timeout: 20, ...options });
  } finally {
    await search.dispose();
  }
}

function treeOf(evidence: CertificateEvidence | undefined): TreeEvidence {
  if (evidence?.kind !== 'tree') throw new Error(`The evidence is ${evidence?.kind}.`);
  return evidence;
}

describe('a proof search', () => {
  it.each(['real', 'deployed'] as const)('has a tree for what needs splits, at level %s', async (level) => {
    const { decision, lower, evidence, missing } = await proved(nothing, above(-0.5, [-1, 1]), { level });
    expect(decision).toMatchObject({ verdict: 'verified', arithmetic: level });
    expect(missing).toBeUndefined();
    expect(lower[level]).toBeGreaterThan(0);
    expect(lower[level]).toBeLessThanOrEqual(0.5);
    const [tree] = treeOf(evidence[level]).cases;
    expect(tree!.filter((entry) => 'row' in entry).length).toBe(tree!.filter((entry) => 'relu' in entry).length + 1);
    expect(tree!.length).toBeGreaterThanOrEqual(3);
    for (const entry of tree!) {
      if ('relu' in entry) expect(entry).toEqual({ relu: 'relu1', neuron: expect.any(Number) });
      else
        expect('row' in entry && entry.multipliers.every((m) => m >= 0 && Number(m.toPrecision(4)) === m)).toBe(true);
    }
  });

  it.each(['real', 'deployed'] as const)('splits few inputs, at level %s', async (level) => {
    const { decision, lower, evidence } = await proved(nothing, above(-0.5, [-1, 1]), { level, split: 'inputs' });
    expect(decision).toMatchObject({ verdict: 'verified', arithmetic: level });
    expect(lower[level]).toBeGreaterThan(0);
    expect(lower[level]).toBeLessThanOrEqual(0.5);
    const [tree] = treeOf(evidence[level]).cases;
    expect(tree!.filter((entry) => 'row' in entry).length).toBe(tree!.filter((entry) => 'input' in entry).length + 1);
    expect(tree!.length).toBeGreaterThan(3);
    const by = await proved(nothing, above(-0.5, [-1, 1]), { level, split: 'default' });
    expect(by.evidence).toEqual(evidence);
  });

  it('has no evidence of few inputs where there is none', async () => {
    const violated = await proved(nothing, above(0.5, [-1, 1]), { split: 'inputs' });
    expect(violated).toMatchObject({ decision: { verdict: 'falsified' }, evidence: {} });
    const several = await proved(nothing, above(-0.5, [-1, 1], [2, 3]), { split: 'inputs' });
    expect(several).toMatchObject({
      decision: { verdict: 'verified', arithmetic: 'deployed' },
      evidence: { deployed: { kind: 'boxes', boxes: [{ kind: 'tree' }, { kind: 'tree' }] } },
    });
    const half = await proved(nothing, above(-0.5, [-1, 1], [2, 3]), { split: 'inputs', timeout: 0 });
    expect(half).toMatchObject({ decision: { verdict: 'unknown' }, evidence: {} });
    const one = await proved(nothing, above(0.5, [-1, 1], [2, 3]), { split: 'inputs' });
    expect(one).toMatchObject({ decision: { verdict: 'falsified' }, evidence: {} });
    const close = await proved(nothing, above(-1e-12, [-1, 1]), { split: 'inputs', timeout: 5 });
    expect(close.evidence).toEqual({});
  });

  it('has one leaf for what needs none', async () => {
    const { evidence } = await proved(nothing, above(-10, [-1, 1]));
    expect(evidence.deployed).toMatchObject({ cases: [[{ row: 0, multipliers: [] }]] });
  });

  it('has no evidence for what is violated or undecided', async () => {
    const violated = await proved(nothing, above(0.5, [-1, 1]));
    expect(violated).toMatchObject({ decision: { verdict: 'falsified' }, evidence: {} });
    expect(violated.missing).toBeUndefined();
    const late = await proved(nothing, above(-0.5, [-1, 1]), { timeout: 0 });
    expect(late).toMatchObject({ decision: { verdict: 'unknown', reason: 'timeout' }, evidence: {} });
  });

  it('says why something that is verified has no evidence', async () => {
    const [one, two] = [above(-0.01, [-1, 1]), above(-0.02, [2, 3])];
    const several = await proved(nothing, { ...one, cases: [...one.cases, ...two.cases] });
    expect(several).toMatchObject({ decision: { verdict: 'verified', arithmetic: 'nearest' }, missing: 'boxes' });
    const leaky = { ...nothing, model: sequential([2], [dense(2), leakyRelu(0.1), dense(1)]) };
    const other = await proved(leaky, above(-20, [-1, 1]));
    expect(other).toMatchObject({ decision: { verdict: 'verified', arithmetic: 'nearest' }, missing: 'op' });
    expect([several.evidence, other.evidence]).toEqual([{}, {}]);
  });

  it('is about a property of the network', async () => {
    const [one] = above(-10, [-1, 1]).cases;
    for (const coefficients of [[1, -100], []]) {
      const odd = {
        inputs: 2,
        outputs: 1,
        cases: [{ ...one!, outputs: [{ coefficients: Float64Array.from(coefficients), bound: -10 }] }],
      };
      await expect(proved(nothing, odd)).rejects.toMatchObject({ code: 'shape-mismatch' });
    }
  });

  it('proves nothing that rounding may undo', async () => {
    // Exactly 0 is never below -1e-12, and float32 executions are.
    const { evidence, lower } = await proved(nothing, above(-1e-12, [-1, 1]), { timeout: 10 });
    expect(evidence).toEqual({});
    expect(lower.deployed ?? -1).toBeLessThanOrEqual(0);
  });
});

import { cpuDevice, openDevice } from '@cert/jit/node';
import { describe, expect, it } from 'vitest';
import { contains } from '../box.js';
import { execute } from '../execute/execute.js';
import { PLAIN } from '../execute/execution.js';
import { measureKinds } from '../verifiers/measure-kinds.js';
import { adversarialNetworks } from './adversarial-networks.js';
import { misclassifiedExactly } from './build.js';

const networks = adversarialNetworks();
const byName = new Map(networks.map((network) => [network.name, network]));

describe.each(networks.map((network) => [network.name, network] as const))('%s', (_, network) => {
  const { counterexample, label, image, range } = network;
  const { point, execution } = counterexample;

  it('has a point in its ball that an execution misclassifies', () => {
    expect(contains(network, image)).toBe(true);
    expect(contains(network, point)).toBe(true);
    if (range !== null) for (const x of point) expect(x >= range.min && x <= range.max).toBe(true);
    expect(Float32Array.from(point)).toEqual(point);
    const logits = execute(network, point, execution);
    expect(logits.every(Number.isFinite)).toBe(true);
    expect(logits.some((logit, j) => j !== label && logit >= logits[label]!)).toBe(true);
    expect(misclassifiedExactly(network, point, label)).toBe(network.refutesReal);
  });

  it('is plain data', () => {
    const { model, epsilon } = JSON.parse(JSON.stringify(network));
    expect({ model, epsilon }).toEqual({ model: network.model, epsilon: network.epsilon });
    for (const { data } of Object.values(network.params).flatMap((own) => Object.values(own))) {
      expect(data.every(Number.isFinite)).toBe(true);
    }
  });
});

it('there are kinds of each sort, and the same for the same seed', () => {
  expect(byName.size).toBe(24);
  expect(networks.filter(({ refutesReal }) => refutesReal).length).toBeGreaterThanOrEqual(10);
  // Other orders than the plain one, and other forms.
  const executions = networks.map(({ counterexample }) => counterexample.execution);
  for (const key of ['sum', 'bias', 'fma', 'underflow', 'batchNorm', 'residual'] as const) {
    expect(executions.some((execution) => JSON.stringify(execution[key]) !== JSON.stringify(PLAIN[key]))).toBe(true);
  }
  expect(JSON.stringify(adversarialNetworks())).toBe(JSON.stringify(networks));
});

it('every seed gives every kind', () => {
  for (let seed = 1; seed <= 10; seed++) expect(adversarialNetworks({ seed })).toHaveLength(24);
});

/** Misclassified by every execution that is tried here, the plain one included. */
const ALWAYS = ['absorbed-radius', 'lost-threshold', 'residual-add', 'end-of-range', 'tie', 'fused-margin'];

describe('verifiers that round to nearest', () => {
  it('TensorFlow.js: IBP accepts every kind but the tie, CROWN-IBP and CROWN accept most', async () => {
    const device = await openDevice('tfjs');
    const rows = await measureKinds(device, networks);
    await device.dispose();
    const accepted = (verifier: string) =>
      rows.filter((row) => row.accepted.includes(verifier)).map(({ name }) => name);
    expect(accepted('ibp')).toEqual(networks.map(({ name }) => name).filter((name) => name !== 'tie'));
    const crown = [
      ...['absorbed-radius', 'lost-threshold', 'average-pooling', 'residual-add', 'residual-fused'],
      ...['variance-near-zero', 'huge-gamma', 'folded-batch-norm', 'large-weights'],
      ...['normalization-constants', 'one-ulp', 'denormal-weights', 'denormal-slope'],
      ...['rounded-epsilon', 'fused-margin'],
    ];
    expect(accepted('crown-ibp')).toEqual(crown);
    expect(accepted('crown')).toEqual(crown);
    // The counterexample shows on TensorFlow.js itself.
    const errs = rows.filter(({ misclassified }) => misclassified).map(({ name }) => name);
    expect(errs).toEqual(expect.arrayContaining([...ALWAYS, 'rounded-epsilon']));
  });

  it('ONNX Runtime: IBP accepts those that do not depend on the order of its kernels, and errs on some of them', async () => {
    const device = await cpuDevice();
    const rows = await measureKinds(device, networks);
    await device.dispose();
    const accepted = rows.filter((row) => row.accepted.includes('ibp')).map(({ name }) => name);
    const certain = [
      'lost-center',
      'absorbed-radius',
      'lost-threshold',
      'residual-add',
      'end-of-range',
      'fused-margin',
    ];
    expect(accepted).toEqual(expect.arrayContaining(certain));
    expect(accepted).not.toContain('tie');
    expect(accepted.length).toBeGreaterThan(10);
    const errs = rows.filter(({ misclassified }) => misclassified).map(({ name }) => name);
    expect(errs).toEqual(expect.arrayContaining(ALWAYS));
  });
});

/**
 * Nothing certifies an image with a hidden counterexample, whatever the method, the arithmetic and the budget. `npm run fuzz` tries 6 networks and longer searches; FUZZ_SEED
 * begins another sequence.
 */
import { linf } from '@cert/core';
import { type Device, disposeTree, putParams } from '@cert/jit';
import { cpuDevice } from '@cert/jit/node';
import { searchVerifiers, VERIFIERS } from '@cert/trainer/pipeline';
import { certify, createDecider, type DecideOptions, type DeciderOptions, type Decision } from '@cert/verify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { float32Ends } from '../box.js';
import type { AdversarialNetwork } from '../kinds/adversarial-network.js';
import { hideCounterexample, plantedMargin } from './hidden-counterexample.js';

const FIRST = Number(process.env.FUZZ_SEED ?? 0);
const LONG = process.env.FUZZ !== undefined;
const seeds = Array.from({ length: LONG ? 6 : 1 }, (_, i) => FIRST + i);
/** Seconds for each image. */
const TIMEOUTS = LONG ? [0, 0.05, 0.5, 5] : [0.05, 0.3];

/** What the float32 of bounds and of the planted margin may differ by. */
const ROUNDING = 1e-4;

let device: Device;
beforeAll(async () => {
  device = await cpuDevice({ threads: 1 });
});
afterAll(() => device.dispose());

describe.each(seeds)('a hidden counterexample, seed %i', (seed) => {
  let network: AdversarialNetwork;
  beforeAll(async () => {
    network = await hideCounterexample({ device, seed });
  });

  it.each(['nearest', 'real', 'deployed'] as const)(
    'is certified by no method at the arithmetic %s',
    async (arithmetic) => {
      const { model, image: pixels, label, epsilon, range } = network;
      const weights = { params: putParams(device, network.params), stats: {} };
      // A method on its own, and the cascade of all.
      for (const complete of [true, false]) {
        for (const timeout of complete ? TIMEOUTS : TIMEOUTS.slice(0, 1)) {
          const verifiers = Object.values({ ...VERIFIERS, ...searchVerifiers({ timeout }) });
          const images = [{ index: 0, pixels, label }];
          const perturbation = linf({ epsilon, range });
          const setting = { device, model, weights, perturbation, images, verifiers, arithmetic, complete };
          for await (const result of certify({ ...setting, attack: null, batchSize: 1 })) {
            expect(result.verifiedBy).toBeNull();
            expect(Object.keys(result.lower).length).toBeGreaterThan(2);
            // No bound exceeds the margin of the planted point.
            for (const [method, lower] of Object.entries(result.lower)) {
              expect(lower ?? Number.NEGATIVE_INFINITY, method).toBeLessThan(plantedMargin(network) + ROUNDING);
            }
          }
        }
      }
      disposeTree(weights);
    },
  );

  /** Settings of the search over ReLUs that give up early. */
  const hasty = { rootIterations: 0, caseIterations: 0, iterations: 0, candidates: 1 };
  it.each<[string, Partial<DeciderOptions>]>([
    ['splits of inputs', { split: 'inputs' }],
    ['splits of ReLUs', { split: 'relus' }],
    ['splits of ReLUs without optimization', { split: 'relus', relus: hasty }],
    ['alpha-CROWN', { split: 'relus', relus: { splits: false } }],
    ['an attack of one step', { attack: { steps: 1, restarts: 1 } }],
  ])('is proved absent by no decision with %s', async (_name, options) => {
    const few = LONG ? 2 : 0.1;
    const budgets: DecideOptions[] = [
      ...TIMEOUTS.map((timeout) => ({ timeout })),
      { mostOpen: 1, timeout: few },
      { mostOpen: 40, timeout: few },
      { least: 0.1, timeout: few },
    ];
    // Linear bounds are often least at the planted point. Where no witness counts, a search has to continue, and ends with nothing.
    const replay = async () => [1, 0];
    for (const witnesses of [{}, { replay }]) {
      const decider = createDecider({ device, network, attack: null, ...options, ...witnesses });
      for (const budget of budgets) {
        const decision = await decider.decide(robustness(network), budget);
        checkRefused(network, decision);
        if ('replay' in witnesses) expect(decision.verdict).toBe('unknown');
      }
      await decider.dispose();
    }
  });
});

/** That class 1 is nowhere at least class 0. */
function robustness(network: AdversarialNetwork) {
  const { lower, upper } = float32Ends(network);
  const box = { lower: Float64Array.from(lower), upper: Float64Array.from(upper) };
  const outputs = [{ coefficients: Float64Array.of(1, -1), bound: 0 }];
  return { inputs: lower.length, outputs: 2, cases: [{ ...box, outputs }] };
}

/** A counterexample or nothing was found, and no bound exceeds the margin of the planted point. */
function checkRefused(network: AdversarialNetwork, decision: Decision): void {
  expect(decision.verdict).not.toBe('verified');
  if (decision.verdict === 'falsified') {
    const { input, output } = decision.witness;
    const { lower, upper } = float32Ends(network);
    expect(input.every((x, i) => x >= lower[i]! && x <= upper[i]!)).toBe(true);
    expect(output[0]! - output[1]!).toBeLessThanOrEqual(0);
  }
  if (decision.verdict === 'unknown' && !Number.isNaN(decision.lower)) {
    expect(decision.lower).toBeLessThan(plantedMargin(network) + ROUNDING);
  }
}

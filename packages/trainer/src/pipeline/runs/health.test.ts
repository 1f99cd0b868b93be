import { describe, expect, it } from 'vitest';
import { standardCatalog } from '../catalog/catalog.js';
import { makeEntry } from '../catalog/entry.js';
import { RAMPS } from '../catalog/schedules.js';
import { type Choices, resolveConfig } from '../config/preset.js';
import { scheduleWarnings, verdict } from './health.js';

/** A configuration, and what {@link scheduleWarnings} looks at of its experiment. */
function setting(stepsPerEpoch: number, choices: Choices) {
  const config = resolveConfig(choices);
  const { rampStart: start, rampLength: length, epsilon: target } = config;
  const objective = makeEntry(standardCatalog.objectives[config.objective]!, (_, field) => field.default, {
    backward: standardCatalog.rules.linearRelaxation,
    ibp: standardCatalog.rules.ibp,
  });
  const epsilon = RAMPS[config.schedule]({ start, length, target, stepsPerEpoch });
  const rest = { learningRate: () => 0, regWeight: () => 0, regularizedSteps: 0 };
  return [config, { stepsPerEpoch, plan: { objective, epsilon, targetEpsilon: target, ...rest } }] as const;
}

describe('before the first step', () => {
  it('nothing is said of a preset as it is, of a schedule without a ramp, or of a method without bounds', () => {
    for (const choices of [{}, { epochs: 4 }, { rampLength: 0, epochs: 1 }, { method: 'natural' }, { method: 'pgd' }]) {
      expect(scheduleWarnings(...setting(125, choices))).toEqual([]);
    }
    expect(scheduleWarnings(...setting(391, { preset: 'cifar10/cnn7/fast', epochs: 16 }))).toEqual([]);
  });

  it('a ramp of few steps is short, and one of few epochs beside those of the preset', () => {
    expect(scheduleWarnings(...setting(16, { limit: 500 }))).toEqual([
      'The ramp is short: the radius grows to 0.1 within 80 steps (5 epochs). The bounds may explode, or the network may predict a single class. To avoid this, raise --limit, or raise --epochs, or lower --epsilon.',
    ]);
    const [short] = scheduleWarnings(...setting(391, { preset: 'cifar10/cnn7/fast', epochs: 15, rampLength: 7 }));
    expect(short).toContain('within 2737 steps (7 epochs); the preset cifar10/cnn7/fast uses 80 epochs');
  });

  it('a radius that no step trains at is named', () => {
    expect(scheduleWarnings(...setting(125, { epochs: 1 }))).toEqual([
      'The radius 0.1 is reached only after the last step: the ramp begins in epoch 1 and lasts 1 epoch of 1. No epoch can become the best one. Raise --epochs, or lower --ramp-length.',
    ]);
    expect(scheduleWarnings(...setting(125, { epochs: 2 }))).toEqual([]);
  });
});

describe('an average that early stopping may prevent', () => {
  // The radius reaches its target in epoch 20, and can first be the best one there.
  const choices = { preset: 'digits/quick', epochs: 40, rampStart: 1, rampLength: 19, validation: 0.1 } as const;
  const told = (more: Choices) => scheduleWarnings(...setting(125, { ...choices, ...more }));

  it('is named with the epochs, in one sentence and a cure', () => {
    const average = { average: 'swa', averageStart: 31, patience: 10 } as const;
    expect(told(average)).toEqual([
      'Training may stop before the average of the weights begins: --patience 10 can end it after epoch 30, and the average begins in epoch 31. Raise --patience, or lower --average-start.',
    ]);
    expect(told({ ...average, patience: 11 })).toEqual([]);
    expect(told({ ...average, averageStart: 30 })).toEqual([]);
    expect(told({ ...average, averageStart: null, average: 'ema' })).toHaveLength(1);
  });

  it('needs both', () => {
    expect(told({ patience: 1 })).toEqual([]);
    expect(told({ average: 'swa' })).toEqual([]);
  });
});

describe('at the end', () => {
  const test = { shape: [28, 28, 1], classes: 10, labels: Uint8Array.from({ length: 1000 }, (_, i) => i % 10) };
  const long = setting(125, {});

  it('a network that has learned something gets no verdict', () => {
    for (const standardError of [0.05, 0.87]) {
      expect(verdict(...long, { standardError, verifiedError: 0.99, images: 1000 }, test)).toBeUndefined();
    }
    const natural = setting(125, { method: 'natural' });
    expect(verdict(...natural, { standardError: 0.05, verifiedError: 1, images: 1000 }, test)).toBeUndefined();
  });

  it('one that guesses does, and one with no image verified', () => {
    expect(verdict(...long, { standardError: 0.89, verifiedError: 0.9, images: 1000 }, test)).toMatch(
      /^The network is no better than guessing: its standard error is 89\.00 %, and always predicting the most frequent class gives 90.00 %\. Likely reason: the radius is too large .* Try this: lower --epsilon, /,
    );
    expect(verdict(...long, { standardError: 0.3, verifiedError: 1, images: 1000 }, test)).toMatch(
      /^No test image is verified\. Likely reason: the radius/,
    );
    const natural = setting(125, { method: 'natural' });
    expect(verdict(...natural, { standardError: 0.9, verifiedError: 1, images: 1000 }, test)).toContain(
      'Likely reason: too few steps',
    );
    const short = setting(16, { limit: 500 });
    expect(verdict(...short, { standardError: 0.3, verifiedError: 1, images: 500 }, test)).toBe(
      'No test image is verified. Likely reason: the radius grows to 0.1 within 80 steps (5 epochs). Try this: raise --limit, or raise --epochs, or lower --epsilon.',
    );
  });

  it('guessing is judged by the most frequent class', () => {
    const uneven = { shape: [4], classes: 2, labels: Uint8Array.from({ length: 1000 }, (_, i) => (i < 900 ? 0 : 1)) };
    expect(verdict(...long, { standardError: 0.05, verifiedError: 0.1, images: 1000 }, uneven)).toBeUndefined();
    expect(verdict(...long, { standardError: 0.1, verifiedError: 0.1, images: 1000 }, uneven)).toContain('10.00 %');
  });

  it('a network without errors does not guess, however few examples there are', () => {
    const two = { shape: [4], classes: 2, labels: Uint8Array.of(0, 1) };
    expect(verdict(...long, { standardError: 0, verifiedError: 0, images: 2 }, two)).toBeUndefined();
    expect(verdict(...long, { standardError: 0.5, verifiedError: 0.5, images: 2 }, two)).toContain('no better');
  });
});

import { describe, expect, it } from 'vitest';
import { averageOf } from './averaging.js';
import { type Choices, resolveConfig } from './preset.js';

/** The epochs, from 1, whose steps take part in the average of a configuration. */
function averaged(choices: Choices): number[] {
  const config = resolveConfig(choices);
  const weight = averageOf(config, 1);
  return Array.from({ length: config.epochs }, (_, step) => step + 1).filter((epoch) => (weight?.(epoch - 1) ?? 0) > 0);
}

describe('the epochs of an average', () => {
  it.each<[string, Choices, number[]]>([
    ['none by default', {}, []],
    ['the last quarter', { average: 'swa' }, [10, 11, 12]],
    ['those from a start', { average: 'ema', averageStart: 8 }, [8, 9, 10, 11, 12]],
    ['none in the ramp', { average: 'swa', rampStart: 3, rampLength: 8 }, [11, 12]],
    ['the last one where the ramp takes all', { average: 'ema', rampStart: 1, rampLength: 12 }, [12]],
  ])('are %s', (_, choices, epochs) => {
    expect(averaged(choices)).toEqual(epochs);
  });

  it('have the decay of the configuration', () => {
    expect(averageOf(resolveConfig({ average: 'ema', averageStart: 1, emaDecay: 0.75 }), 5)?.(1)).toBe(0.25);
  });

  it.each<[Choices, string, string]>([
    [{ averageStart: 3 }, '--average-start is 3, but this run has no average of its weights.', '--average swa'],
    [{ average: 'swa', emaDecay: 0.9 }, '--ema-decay is 0.9, but this run has --average swa.', '--average ema'],
    [{ average: 'ema', averageStart: 13 }, '--average-start is 13, but training ends after epoch 12.', 'from 1 to 12'],
    [{ average: 'ema', emaDecay: 1 }, 'The decay of the exponential moving average is 1.', 'less than 1'],
    [{ average: 'ema', averageStart: 0 }, '--average-start is 0.', 'Give a whole number of at least 1, or none.'],
  ])('are refused in %j', (choices, problem, cure) => {
    expect(() => resolveConfig(choices)).toThrow(problem);
    expect(() => resolveConfig(choices)).toThrow(cure);
  });
});

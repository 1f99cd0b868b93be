/**
 * The check of a configuration on damaged ones: a CertError that names the field, or the configuration that the text says. `npm run fuzz`
 * tries 10,000 of each preset; FUZZ_SEED begins another sequence.
 */
import { parseJson } from '@cert/core';
import { arrayDataset } from '@cert/datasets';
import { describe, expect, it } from 'vitest';
import { mutateJson } from '../../../../../fuzz/mutate-json.js';
import { CASES, survives } from '../../../../../fuzz/survives.js';
import { buildExperiment } from '../runs/experiment.js';
import { BEFORE, checkConfig } from './config.js';
import { checkPerturbationSpec } from './perturbation-spec.js';
import { resolveConfig } from './preset.js';
import type { RunConfig } from './run-config.js';

const split = { shape: [28, 28, 1], classes: 2, images: new Uint8Array(2 * 28 * 28).fill(7), labels: [0, 1] };
const dataset = arrayDataset({ name: 'two', train: split, test: split });

/** What each field of every configuration may hold, looked at without the code under test. */
function checkTypes(config: RunConfig): void {
  const numbers = [
    'limit',
    'width',
    'dense',
    'clipNorm',
    'averageStart',
    'naturalShareEnd',
    'checkpointMinutes',
    'patience',
    'delta',
  ];
  const nullable = ['data', 'batchNorm', 'perturbation', 'warmStart', 'warmStartSha256', ...numbers];
  for (const [name, usual] of Object.entries(resolveConfig())) {
    const value: unknown = { ...config }[name];
    if (value === null && nullable.includes(name)) continue;
    if (!Object.hasOwn(config, name)) continue;
    if (name === 'plugins') expect(value).toEqual([]);
    else if (name === 'options') expect(value).toEqual({});
    else if (name === 'perturbation') expect(() => checkPerturbationSpec(value, name)).not.toThrow();
    else if (name === 'milestones') expect((value as unknown[]).every(Number.isFinite)).toBe(true);
    else if (name === 'regularizers') expect((value as unknown[]).every((item) => typeof item === 'string')).toBe(true);
    else if (typeof usual === 'number' || numbers.includes(name))
      expect([name, Number.isFinite(value)]).toEqual([name, true]);
    else expect([name, typeof value]).toEqual([name, typeof usual === 'boolean' ? 'boolean' : 'string']);
  }
}

describe(`a configuration survives ${CASES} kinds of damage`, { timeout: 60_000 + 100 * CASES }, () => {
  const presets = ['digits/quick', 'cifar10/cnn7/pgd', 'tiny-imagenet/resnext/stability', 'mnist/cnn7/crown-ibp'];
  it.each(presets)('%s', (preset) => {
    const good = resolveConfig({ preset, model: 'small-conv' });
    return survives(
      `config ${preset}`,
      (rng) => mutateJson(good, rng),
      (text) => {
        let content: unknown;
        try {
          content = parseJson(text);
        } catch {
          // As the reader of config.json says; the rest is about what is JSON.
          return;
        }
        const config = checkConfig(content, 'config.json');
        // The options of what a run does not use need not be there.
        expect({ ...BEFORE, ...config }).toEqual({ ...BEFORE, ...(content as object) });
        checkTypes(config);
        const { plan } = buildExperiment(config, dataset);
        expect(plan.epsilon(0)).toBeLessThanOrEqual(1);
      },
    );
  });
});

import { resolveConfig, standardCatalog } from '@cert/trainer/pipeline';
import { describe, expect, it } from 'vitest';
import { queuedSetup, readQueuedSetup } from './queued-setup.js';

const asked = {
  config: resolveConfig({ dataset: 'digits', limit: 7, epsilon: 0.03, evalBatchSize: 9, seed: 5 }),
  ...({ methods: ['ibp', 'bab'], attack: 'pgd', arithmetic: 'real', complete: false, timeout: 12 } as const),
};

/** As it comes out of the queue. */
const carried = (change: object = {}): { readonly [name: string]: unknown } =>
  JSON.parse(JSON.stringify({ ...queuedSetup(asked, standardCatalog), ...change }));

describe('what a queue carries', () => {
  it('comes to the same evaluation', () => {
    const { config, ...rest } = readQueuedSetup(carried(), standardCatalog);
    const { config: _, ...expected } = asked;
    expect(rest).toEqual(expected);
    expect(config).toMatchObject({ dataset: 'digits', limit: 7, epsilon: 0.03, evalBatchSize: 9, seed: 5 });
  });

  it('is looked up and checked: unknown names, values and plug-ins are refused', () => {
    const problem = (change: object) => {
      try {
        readQueuedSetup(carried(change), standardCatalog);
        return 'none';
      } catch (error) {
        return String(error);
      }
    };
    const { choices } = queuedSetup(asked, standardCatalog);
    expect(problem({})).toBe('none');
    expect(problem({ version: '9.9.9' })).toContain('submitted by cert "9.9.9", but this is version');
    expect(problem({ plugins: [{ name: 'zonotope', version: '1.0.0' }] })).toContain(
      'this worker has none of this name',
    );
    expect(problem({ methods: ['magic'] })).toContain('magic');
    expect(problem({ methods: 'ibp' })).toContain('is not one that cert queue submit writes');
    expect(problem({ attack: 'magic' })).toContain('magic');
    expect(problem({ arithmetic: 'exact' })).toContain('is not one that cert queue submit writes');
    expect(problem({ timeout: -1 })).toContain('is not one that cert queue submit writes');
    expect(problem({ choices: { ...choices, dataset: 'magic' } })).toContain('magic');
    expect(problem({ choices: { ...choices, epsilon: -1 } })).toContain('--epsilon');
    expect(problem({ choices: { ...choices, epochs: 3 } })).toContain('sets "epochs", which this worker does not know');
    expect(problem({ choices: { ...choices, constructor: 3 } })).toContain('sets "constructor"');
  });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { standardCatalog } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSpace, readSpaceFile } from './space.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-space-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** A space from the text of its file. */
async function spaceOf(text: string) {
  const file = join(place, 'space.json');
  await writeFile(file, text);
  return readSpace(await readSpaceFile(file), standardCatalog);
}
const withSearch = (search: object, base: object = { preset: 'digits/quick' }) =>
  spaceOf(JSON.stringify({ base, search }));

it('reads every distribution, with values as in a file of settings', async () => {
  const { base, search, configOf } = await withSearch({
    learningRate: { 'log-uniform': [1e-4, '1/100'] },
    regWeight: { uniform: [0, 1] },
    rampLength: { integer: [1, 5] },
    regularizers: { choice: [['tightness'], 'tightness,0.5*Relu-Balance', 'none'] },
    clipNorm: { choice: ['none', 5] },
    init: { constant: 'He' },
    method: { choice: ['fast', 'vanilla'] },
  });
  expect(search).toEqual({
    learningRate: { kind: 'log-uniform', from: 1e-4, to: 0.01 },
    regWeight: { kind: 'uniform', from: 0, to: 1 },
    rampLength: { kind: 'integer', from: 1, to: 5 },
    regularizers: { kind: 'choice', of: [['tightness'], ['tightness', '0.5*relu-balance'], []] },
    clipNorm: { kind: 'choice', of: [null, 5] },
    init: { kind: 'constant', value: 'kaiming' },
    method: { kind: 'choice', of: ['fast', 'vanilla'] },
  });
  expect(base).toMatchObject({ preset: 'digits/quick', validation: 0.1, seed: 0 });
  const values = { learningRate: 0.001, regularizers: ['tightness'], method: 'vanilla', init: 'kaiming' };
  expect(configOf(values)).toMatchObject({ ...values, epochs: 12, validation: 0.1, regWeight: 0 });
});

it('leaves out options of parts that a trial does not use', async () => {
  const { configOf } = await withSearch({
    objective: { choice: ['robust', 'pgd'] },
    pgdSteps: { integer: [1, 9] },
  });
  expect(configOf({ objective: 'robust', pgdSteps: 3 })).not.toHaveProperty('pgdSteps');
  expect(configOf({ objective: 'pgd', pgdSteps: 3 })).toMatchObject({ objective: 'pgd', pgdSteps: 3 });
});

it('takes the share of validation images that the base has', async () => {
  const { base } = await withSearch({ l1: { uniform: [0, 1] } }, { validation: 0.3 });
  expect(base.validation).toBe(0.3);
});

describe('says where a space is wrong, and what to do', () => {
  it.each([
    [{ learningRat: { uniform: [0, 1] } }, /line 1: "learningRat"\.\nDid you mean "learningRate"/],
    [{ learningRate: { unifrm: [0, 1] } }, /no distribution in .*line 1: "unifrm"\.\nDid you mean "uniform"/],
    [{ learningRate: [0, 1] }, /line 1: "learningRate" is \[0,1\]\.\nGive one distribution/],
    [{ learningRate: { uniform: [0, 1], choice: [1] } }, /Give one distribution/],
    [{ learningRate: { uniform: [1, 0] } }, /range of "learningRate" is \[1,0\]\.\nGive the smaller number first/],
    [{ learningRate: { uniform: [1] } }, /range of "learningRate" is \[1\]\.\nGive two numbers/],
    [{ learningRate: { 'log-uniform': [0, 1] } }, /begins at 0\.\nBegin a "log-uniform" range above 0/],
    [{ learningRate: { uniform: [-1, 1] } }, /line 1: --learning-rate is -1\.\nGive a finite number >= 0/],
    [{ learningRate: { integer: [1, 2] } }, /takes no "integer" distribution\.\nUse "uniform" or "log-uniform"/],
    [{ rampLength: { uniform: [1, 2] } }, /takes no "uniform" distribution\.\nUse "integer"/],
    [{ optimizer: { uniform: [1, 2] } }, /takes no "uniform" distribution\.\nUse "choice"/],
    [{ optimizer: { choice: ['adam', 'adm'] } }, /line 1: There is no optimizer "adm"\.\nDid you mean "adam"/],
    [{ optimizer: { choice: [] } }, /the choice of "optimizer" is \[\]/],
    [{ batchSize: { integer: [1.5, 4] } }, /--batch-size is 1\.5\.\nGive a whole number/],
    [{ epsilon: { uniform: [0, 1] } }, /"epsilon" cannot be searched: the errors of trials would not be comparable/],
    [{ seed: { integer: [0, 9] } }, /"seed" cannot be searched: .*\nSet it in "base"/],
    [{ csvTask: { choice: ['regression'] } }, /it is an option of the dataset csv, and the errors/],
    [{ attackSteps: { integer: [1, 9] } }, /it has no influence on the errors that decide/],
    [{ method: { choice: ['fst'] } }, /There is no method "fst"\.\nDid you mean "fast"/],
    [{}, /the space is empty: "search" names no field\.\nGive a JSON or YAML file such as/],
  ])('%j', async (search, message) => {
    await expect(withSearch(search)).rejects.toThrow(message);
  });

  it.each([
    [{ preset: 'digits/quik' }, /line 1: There is no preset "digits\/quik"\.\nDid you mean "digits\/quick"/],
    [{ validation: 0 }, /"validation" is 0, but a search chooses on validation images/],
    [{ epocs: 3 }, /There is no field in .*line 1: "epocs"\.\nDid you mean "epochs"/],
    [{ l1: 0.5 }, /line 1: "l1" is set twice: in "search", and in "base" \(.*line 1\)/],
    [{ epochs: 2, rampStart: 1, rampLength: 2 }, /so no epoch is at the full radius\.\nRaise "epochs"/],
  ])('in the base %j', async (base, message) => {
    await expect(withSearch({ l1: { uniform: [0, 1] } }, base)).rejects.toThrow(message);
  });

  it.each([
    ['{ "search": { "l1": { "uniform": [0, 1] } } }', /: "base" is missing\./],
    ['{ "base": {} }', /: "search" is missing\./],
    ['{ "base": {}, "serch": {} }', /There is no part in .*line 1: "serch"\.\nDid you mean "search"/],
    [
      '{ "base": {},\n "search": { "l1": { "choice": [1] },\n "l1": { "choice": [2] } } }',
      /line 3: Map keys must be unique/,
    ],
    ['[1, 2]', /contains no settings\.\nGive a JSON or YAML file such as/],
    ['{ "base": ', /line 1: /],
  ])('in the text %s', async (text, message) => {
    await expect(spaceOf(text)).rejects.toThrow(message);
  });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { cert } from '../../test/cert.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-config-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** What `--print-config` prints. */
async function printed(...args: readonly string[]) {
  const { status, out, err } = await cert('train', ...args, '--print-config');
  expect([status, err]).toEqual([0, '']);
  return JSON.parse(out);
}

async function write(name: string, content: string): Promise<string> {
  const file = join(place, name);
  await writeFile(file, content);
  return file;
}

const LINES = [
  [],
  ['--epsilon', '8/255', '--epochs', '5'],
  ['--method', 'crown-ibp', '--no-fusion', '--seed', '7'],
  ['--preset', 'tiny-imagenet/resnext/pgd', '--pgd-steps', '3', '--width', '4'],
  ['--dataset', 'mnist', '--epsilon', '0.1', '--data', '/files', '--limit', 'none'],
  ['--dataset', 'fashion-mnist', '--epsilon', '0.1', '--method', 'natural'],
  ['--no-init', '--no-reg', '--bn', 'none', '--milestones', 'none', '--clip-norm', 'none'],
];

describe('--config', () => {
  it.each(LINES)('gives the configuration that --print-config printed for %j', async (...args) => {
    const config = await printed(...args);
    expect(await printed('--config', await write('whole.json', JSON.stringify(config, null, 2)))).toEqual(config);
    expect(await printed('--config', await write('tabs.json', JSON.stringify(config, null, '\t')))).toEqual(config);
    expect(await printed('--config', await write('whole.yaml', stringify(config)))).toEqual(config);
  });

  it('reads a part as the command line reads options', async () => {
    const file = await write(
      'part.yaml',
      [
        ...['# Half the usual radius.', 'method: Vanilla', 'epsilon: 4/255', 'init: he', 'milestones: 8, 9'],
        ...['regularizers: [L1, 0.5*tightness]', 'limit: none', 'batchNorm: Full', ''],
      ].join('\n'),
    );
    expect(await printed('--config', file)).toEqual(
      await printed(
        ...['--method', 'vanilla', '--epsilon', '4/255', '--init', 'kaiming', '--milestones', '8,9', '--bn', 'full'],
        ...['--regularizers', 'l1,0.5*tightness'],
      ),
    );
  });

  it('is overridden by options', async () => {
    const file = await write('run.yaml', 'preset: mnist/cnn7/fast\nepsilon: 0.2\nseed: 3\n');
    expect(await printed('--config', file, '--epsilon', '0.3', '--no-reg')).toEqual(
      await printed('--preset', 'mnist/cnn7/fast', '--epsilon', '0.3', '--seed', '3', '--no-reg'),
    );
  });

  it('of a whole configuration lets another method, dataset or number of epochs bring its settings', async () => {
    const file = await write('base.json', JSON.stringify(await printed('--seed', '3', '--epochs', '20')));
    const same = async (...args: string[]) =>
      expect(await printed('--config', file, ...args)).toEqual(await printed('--seed', '3', '--epochs', '20', ...args));
    await same('--method', 'vanilla');
    await same('--epochs', '4');
    await same('--preset', 'cifar10/cnn7/fast');
    const { err } = await cert('train', '--config', file, '--dataset', 'mnist', '--print-config');
    expect(err).toContain('note: epsilon is 0.4, the usual radius for mnist;');
    const attack = await write('attack.json', JSON.stringify(await printed('--method', 'pgd', '--pgd-steps', '3')));
    expect(await printed('--config', attack, '--objective', 'natural')).not.toHaveProperty('pgdSteps');
  });

  it.each([
    ['a.yaml', 'seed: 1\nepslon: 0.1\n', 'There is no field in FILE, line 2: "epslon".\nDid you mean "epsilon"'],
    ['a.json', '{\n  "seed": 1,\n  "batch-size": 64\n}', 'FILE, line 3: "batch-size".\nDid you mean "batchSize"'],
    [
      'a.yaml',
      'seed: 1\npreset: digits/quik\n',
      'FILE, line 2: There is no preset "digits/quik".\nDid you mean "digits/quick"',
    ],
    ['a.yaml', 'method: fats\n', 'FILE, line 1: There is no method "fats".\nDid you mean "fast"'],
    ['a.yaml', 'seed: 1\nmodel: cnn77\n', 'FILE, line 2: There is no model "cnn77".\nDid you mean "cnn7"'],
    ['a.yaml', 'seed: 1\n\nepsilon: abc\n', 'FILE, line 3: --epsilon is "abc"; expected a number such as 0.1 or'],
    ['a.yaml', 'epsilon: [1\n', 'FILE, line 2: Flow sequence'],
    ['a.json', '{\n"seed": 1,\n"seed": 2\n}', 'FILE, line 3: Map keys must be unique.'],
    ['a.json', '{"epsilon": {}}', 'FILE, line 1: --epsilon is {}.'],
    ['a.yaml', 'a: &a [x]\nb: *a\n', 'FILE contains a YAML alias'],
    ['a.yaml', '- 1\n', 'FILE contains no settings.'],
    ['a.yaml', '', 'FILE contains no settings.'],
    ['a.yaml', 'preset: 3\n', 'FILE has the preset 3.'],
    ['a.yaml', 'plugins: x\n', 'FILE has plugins "x".'],
    ['a.yaml', 'pgdSteps: 3\n', '--pgd-steps is an option of the objective pgd'],
    [
      'a.yaml',
      'plugins: [{ name: p, module: ./p.mjs, version: null }]\n',
      'The run names the plug-in "p" (./p.mjs), which is not loaded automatically',
    ],
  ])('refuses %s %j', async (name, content, message) => {
    const file = await write(name, content);
    const { status, out, err } = await cert('train', '--config', file, '--print-config');
    expect([status, out]).toEqual([1, '']);
    expect(err).toContain(message.replace('FILE', file));
    expect(err).not.toContain('    at ');
  });

  it('says that there is no such file', async () => {
    const { status, err } = await cert('train', '--config', join(place, 'none.yaml'));
    expect([status, err]).toEqual([1, expect.stringContaining('none.yaml cannot be read: ENOENT')]);
  });

  it('loads the plug-ins of a file that is trusted', async () => {
    await writeFile(
      join(place, 'soft.mjs'),
      `export default { name: 'soft', methods: { soft: { objective: 'natural' } } };`,
    );
    const module = join(place, 'soft.mjs');
    const config = await printed('--plugin', module, '--method', 'soft');
    const file = await write('soft.json', JSON.stringify(config));
    expect(await printed('--config', file, '--trust')).toEqual(config);
    expect(await printed('--config', file, '--plugin', module)).toEqual(config);
  });
});

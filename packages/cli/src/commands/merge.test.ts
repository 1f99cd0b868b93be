import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cert, SMALL } from '../../test/cert.js';
import { ownVersion } from '../version.js';

let place: string;
let run: string;
const at = (name: string) => join(place, name);
const read = (name: string) => readFile(at(name), 'utf8');
const shardOf = (header: string): object => JSON.parse(header).shard;
const sorted = (text: string) => text.split('\n').slice(1).sort();

/** A quick evaluation whose methods search, attack and bound. */
const evaluate = (...args: string[]) =>
  cert('eval', run, '--limit', '40', '--methods', 'ibp,crown-ibp,bab', '--attack-restarts', '2', ...args);

const shard = (index: number, of = 3) =>
  evaluate('--shard', `${index}/${of}`, '--out', at(`e.shard-${index}-of-${of}.jsonl`));
const shardFiles = [1, 2, 3].map((index) => `e.shard-${index}-of-3.jsonl`);

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-merge-'));
  run = at('run');
  expect(await cert('train', '--out', run, ...SMALL)).toMatchObject({ status: 0 });
  expect(await evaluate('--out', at('whole.jsonl'))).toMatchObject({ status: 0 });
  for (const index of [1, 2, 3]) expect(await shard(index)).toMatchObject({ status: 0 });
}, 60_000);
afterAll(() => rm(place, { recursive: true, force: true }));

describe('cert merge', () => {
  it('gives what an evaluation without shards gives, byte for byte once sorted, in any order and twice', async () => {
    const [a, b, c] = shardFiles.map(at) as [string, string, string];
    const merged = await cert('merge', c, a, b, a);
    expect(merged).toMatchObject({ status: 0, err: '' });
    expect(merged.out).toContain(`Results: ${at('e.jsonl')}`);
    const first = await read('e.jsonl');
    expect(sorted(first)).toEqual(sorted(await read('whole.jsonl')));
    expect(first.split('\n')[0]).toBe((await read('whole.jsonl')).split('\n')[0]);
    expect((await cert('merge', a, b, c)).err).toContain(`${at('e.jsonl')} exists.`);
    expect(await cert('merge', a, b, c, '--out', at('other.jsonl'))).toMatchObject({ status: 0 });
    expect(await read('other.jsonl')).toBe(first);
    const totals = (text: string) => {
      const { seconds: _, stageSeconds: __, before: ___, ...rest } = JSON.parse(text);
      return rest;
    };
    expect(totals(await read('e.json'))).toEqual(totals(await read('whole.json')));
  });

  it('continues a shard that was cut short, to the same lines', async () => {
    const name = 'cut.shard-2-of-3.jsonl';
    const lines = (await read(shardFiles[1]!)).split('\n');
    await writeFile(at(name), `${lines.slice(0, 4).join('\n')}\n${lines[4]!.slice(0, 20)}`);
    expect(await evaluate('--shard', '2/3', '--out', at(name))).toMatchObject({ status: 0 });
    expect(sorted(await read(name))).toEqual(sorted(await read(shardFiles[1]!)));
  });

  it('deals the images out evenly, each to one shard', async () => {
    const indices = await Promise.all(
      shardFiles.map(async (name) => {
        const lines = (await read(name)).trim().split('\n').slice(1);
        return lines.map((line) => (JSON.parse(line) as { index: number }).index);
      }),
    );
    expect(indices.map(({ length }) => length).sort()).toEqual([13, 13, 14]);
    expect(indices.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
    // Spread, and not the first third.
    expect(Math.max(...indices[0]!)).toBeGreaterThan(25);
  });

  it('names what is missing', async () => {
    const half = at('half.shard-3-of-3.jsonl');
    const lines = (await read(shardFiles[2]!)).trim().split('\n');
    await writeFile(half, `${lines.slice(0, -2).join('\n')}\n`);
    const { status, err } = await cert('merge', at(shardFiles[0]!), half, '--out', at('x.jsonl'));
    expect(status).toBe(1);
    expect(err).toMatch(
      /^error: 1[56] of 40 images have no result\. Incomplete shards: 2\/3 \(no file\), 3\/3 \(2 images\)\.$/m,
    );
    await expect(read('x.jsonl')).rejects.toThrow('ENOENT');
  });

  it('refuses mixtures and whole evaluations', async () => {
    const merge = async (...names: string[]) => (await cert('merge', ...names.map(at), '--out', at('x.jsonl'))).err;
    expect(await merge(shardFiles[0]!, 'whole.jsonl')).toContain('is the file of a whole evaluation.');
    const [header, ...lines] = (await read(shardFiles[1]!)).split('\n');
    const other = async (change: object) => {
      await writeFile(at('o.jsonl'), [JSON.stringify({ ...JSON.parse(header!), ...change }), ...lines].join('\n'));
      return merge(shardFiles[0]!, 'o.jsonl');
    };
    expect(await other({ checkpoint: 'another' })).toContain('are not shards of one evaluation');
    expect(await other({ epsilon: 0.25 })).toContain('has epsilon 0.25, not 0.05.');
    expect(await other({ version: '0.0.9' })).toContain(`has cert 0.0.9, not cert ${ownVersion()}.`);
    expect(await other({ version: undefined })).toContain(`did not record its number, not cert ${ownVersion()}.`);
    expect(await other({ shard: { ...shardOf(header!), images: 41 } })).toContain('has 41 images.');
    expect(await other({ shard: { ...shardOf(header!), data: 'x' } })).toContain('has other images or labels.');
    expect(await other({ shard: { ...shardOf(header!), index: 4 } })).toContain('is not an evaluation file');
  });

  it('refuses a proof that an adversarial example contradicts, and takes the decided one of two lines', async () => {
    const [header, ...lines] = (await read(shardFiles[0]!)).trim().split('\n') as [string, ...string[]];
    const results = lines.map((line) => JSON.parse(line));
    const proved = results.findIndex(({ verifiedBy }) => verifiedBy === 'ibp');
    expect(proved).toBeGreaterThan(-1);
    const withLine = async (line: object) => {
      const changed = results.map((result, i) => JSON.stringify(i === proved ? line : result));
      await writeFile(at('c.jsonl'), `${[header, ...changed].join('\n')}\n`);
      return cert('merge', at('c.jsonl'), ...shardFiles.map(at), '--out', at('c-merged.jsonl'), '--overwrite');
    };
    const { lower, levels, ...rest } = results[proved];
    const broken = {
      ...rest,
      lower: {},
      levels: {},
      verifiedBy: null,
      attack: { found: true, margin: -0.1, by: 'pgd' },
    };
    expect((await withLine(broken)).err).toContain(`contradict each other on image ${rest.index}`);
    const open = {
      ...rest,
      lower: {},
      levels: {},
      verifiedBy: null,
      attack: { found: false, margin: rest.margin, by: undefined },
    };
    expect(await withLine(open)).toMatchObject({ status: 0 });
    expect(sorted(await read('c-merged.jsonl'))).toEqual(sorted(await read('whole.jsonl')));
  });

  it('says that a shard is empty', async () => {
    const { err } = await cert('eval', run, '--limit', '2', '--shard', '3/5', '--out', at('empty.jsonl'));
    const { err: other } = await cert('eval', run, '--limit', '2', '--shard', '4/5', '--out', at('empty2.jsonl'));
    expect(`${err}${other}`).toMatch(/Shard [34]\/5 is empty: there are 2 images\./);
  });

  it('says what is wrong with a shard and with the name of the output', async () => {
    for (const text of ['0/3', '4/3', '1/0', '2', 'a/b', '-1/3', '1.5/3']) {
      expect((await evaluate('--shard', text)).err).toContain(`The shard is "${text}".`);
    }
    await copyFile(at(shardFiles[0]!), at('plain.jsonl'));
    expect((await cert('merge', at('plain.jsonl'))).err).toContain('Give one with --out FILE.jsonl.');
    expect((await cert('merge', at('plain.jsonl'), '--out', at('plain.jsonl'))).err).toContain('which it reads');
    expect((await cert('merge', at('nowhere.jsonl'), '--out', at('x.jsonl'))).err).toContain('nowhere.jsonl');
  });
});

/** Rows and perturbation sets, as the command tells of them. */
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cert } from '../../test/cert.js';

let place: string;
let table: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-rows-'));
  table = join(place, 'rows.csv');
  const rows = Array.from(
    { length: 60 },
    (_, i) => `${(i % 12) - 6},${['a', 'b'][i % 2]},${i % 12 < 6 ? 'no' : 'yes'}`,
  );
  await writeFile(table, ['x,kind,label', ...rows].join('\n'));
}, 60_000);
afterAll(() => rm(place, { recursive: true, force: true }));

async function trained(name: string, set?: object): Promise<string> {
  const run = join(place, name);
  const file = join(place, `${name}.json`);
  await writeFile(file, JSON.stringify(set ?? null));
  const options = ['--preset', 'tabular/mlp', '--data', table, '--epochs', '8', '--width', '8', '--dense', '8'];
  const chosen = set === undefined ? [] : ['--perturbation', file];
  const result = await cert('train', ...options, ...chosen, '--device', 'tfjs', '--out', run);
  expect(result).toMatchObject({ status: 0 });
  expect(result.out).toMatch(/^test rows +12$/m);
  return run;
}

const sentence = async (run: string, ...options: string[]) =>
  (await cert('predict', run, '--index', '0', '--device', 'tfjs', ...options)).out.replaceAll(/\s+/g, ' ');

describe('a run on rows', () => {
  it('says what a radius means: times a scale, in a set, or of a Euclidean length', async () => {
    const [plain, sided, ball] = [
      await trained('plain'),
      await trained('sided', { features: { x: { up: 0 } } }),
      await trained('ball', { kind: 'l2' }),
    ];
    expect(await sentence(plain)).toMatch(/of each feature by at most the certified radius times its scale/);
    expect(await sentence(sided)).toMatch(/in the perturbation set of the run, at the certified radius/);
    const methods = ['--methods', 'crown-ibp', '--arithmetic', 'nearest'];
    expect(await sentence(ball, ...methods)).toMatch(/of a Euclidean length of at most/);
    for (const run of [sided, ball]) expect(await sentence(run, ...methods)).not.toContain('times its scale');
  });

  it('has no verdict in a report once its file is missing', async () => {
    const run = await trained('moved');
    expect(await cert('eval', run, '--methods', 'ibp', '--attack-restarts', '0', '--device', 'tfjs')).toMatchObject({
      status: 0,
    });
    const report = async () =>
      JSON.parse((await cert('report', run, '--limit', '0', '--json', '--device', 'tfjs')).out).runs[0];
    expect((await report()).verdict.sentences[0]).toContain('times its scale in the dataset');
    await rename(table, `${table}.away`);
    try {
      const { verdict, notes } = await report();
      expect([verdict, notes]).toEqual([null, [expect.stringContaining('without the data')]]);
    } finally {
      await rename(`${table}.away`, table);
    }
    // Other values under the same labels are other data.
    const text = await readFile(table, 'utf8');
    await writeFile(
      table,
      text.replaceAll(/^(-?\d+),/gm, (_, x) => `${Number(x) + 0.5},`),
    );
    expect(await cert('eval', run, '--methods', 'ibp', '--attack-restarts', '0', '--device', 'tfjs')).toMatchObject({
      ...{ status: 1, err: expect.stringContaining('has other values in the dataset than when it was evaluated') },
    });
    expect((await report()).notes[0]).toContain('an evaluation of other test data');
    await writeFile(table, text);
  });

  it('refuses properties of sets that are no box, and certificates where categories change', async () => {
    const run = await trained('kinds', { categories: ['kind'] });
    expect(await cert('verify', run, '--index', '0')).toMatchObject({
      ...{ status: 1, err: expect.stringContaining('has categories that change') },
    });
    const certificates = ['--certificates', join(place, 'certificates')];
    expect(await cert('eval', run, '--methods', 'ibp', '--device', 'tfjs', ...certificates)).toMatchObject({
      ...{ status: 1, err: expect.stringContaining('in which categories change') },
    });
  });
});

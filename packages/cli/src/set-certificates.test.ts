/** Certificates of sets other than one box, of an evaluation: categories, Euclidean balls, the tolerance of a regression. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { checkCertificate } from '@cert/check';
import type { Certificate } from '@cert/verify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cert } from '../test/cert.js';

let place: string;
const at = (name: string) => join(place, name);
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-sets-'));
  const rows = Array.from({ length: 60 }, (_, i) => [(i % 12) - 6, (i % 5) - 2, ['a', 'b', 'c'][i % 3]!] as const);
  const table = (label: (x: number, y: number, kind: string) => unknown) =>
    ['x,y,kind,label', ...rows.map((row) => [...row, label(...row)].join(','))].join('\n');
  await writeFile(
    at('classes.csv'),
    table((x) => (x < 0 ? 'no' : 'yes')),
  );
  await writeFile(
    at('numbers.csv'),
    table((x, y, kind) => 10 * x + y + (kind === 'a' ? 1 : 0)),
  );
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** Trains a small network, evaluates it with certificates, and checks them. */
async function certified(name: string, table: string, set: object, methods: string, ...options: string[]) {
  await writeFile(at(`${name}.json`), JSON.stringify(set));
  const trained = await cert(
    ...['train', '--preset', 'tabular/mlp', '--data', at(table), '--epochs', '12', '--width', '8', '--dense', '8'],
    ...['--perturbation', at(`${name}.json`), '--epsilon', '0.05', '--device', 'cpu', '--out', at(name), ...options],
  );
  expect(trained).toMatchObject({ status: 0 });
  const run = () =>
    cert(
      ...['eval', at(name), '--methods', methods, '--certificates', at(`${name}-certificates`), '--json'],
      ...['--attack-restarts', '0', '--device', 'cpu'],
    );
  const evaluated = await run();
  expect(evaluated).toMatchObject({ status: 0 });
  const folder = at(`${name}-certificates`);
  const files = (await readdir(folder)).filter((file) => file.endsWith('.gz'));
  const texts = await Promise.all(
    files.map(async (file) => gunzipSync(await readFile(join(folder, file))).toString('utf8')),
  );
  const check = (text: string) => checkCertificate(text, (path) => readFile(join(folder, path)));
  const { certificates } = JSON.parse(evaluated.out.trim().split('\n').at(-1)!);
  expect(texts).toHaveLength(certificates);
  expect(certificates).toBeGreaterThan(0);
  for (const text of texts) expect(await check(text)).toMatchObject({ holds: true });
  return { claims: texts.map((text): Certificate => JSON.parse(text)), check, run, files, folder };
}

/** The same claim with another number is refused. */
const larger = (text: string, field: string, value: unknown) => {
  const { sha256: _, ...claim } = JSON.parse(text);
  claim.perturbation[field] = value;
  return JSON.stringify(claim);
};

it('categories are a box for each choice, each with its evidence', { timeout: 120_000 }, async () => {
  const set = { categories: ['kind'] };
  const { claims, run, files, folder, check } = await certified('choice', 'classes.csv', set, 'ibp,crown-ibp,bab');
  for (const { perturbation, evidence } of claims) {
    expect(perturbation).toMatchObject({ kind: 'boxes', boxes: { length: 3 } });
    expect(evidence).toHaveLength(3);
  }
  // One that is lost is found again, from results that are there.
  await rm(join(folder, files[0]!));
  expect(await run()).toMatchObject({ status: 0 });
  const again = gunzipSync(await readFile(join(folder, files[0]!))).toString('utf8');
  expect((await check(again)).holds).toBe(true);
});

it('a Euclidean ball is claimed as one', { timeout: 120_000 }, async () => {
  const { claims, check } = await certified('round', 'classes.csv', { kind: 'l2' }, 'ibp,crown-ibp,crown');
  for (const claim of claims) {
    expect(claim.perturbation).toMatchObject({ kind: 'l2', epsilon: '0.05' });
    expect((await check(larger(JSON.stringify(claim), 'epsilon', '50'))).holds).toBe(false);
  }
});

it('a regression is claimed in the units of its label', { timeout: 120_000 }, async () => {
  const options = ['--csv-task', 'regression', '--delta', '20'];
  for (const methods of ['ibp,crown-ibp', 'bab']) {
    const name = `number-${methods.length}`;
    const { claims, check } = await certified(name, 'numbers.csv', {}, methods, ...options);
    for (const claim of claims) {
      const { property } = claim;
      if (property.kind !== 'linear') throw new Error(property.kind);
      const [low, high] = property.cases.map(([inequality]) => Number(inequality!.bound));
      expect(-high! - low!).toBeCloseTo(40, 6);
      const tighter = property.cases.map(([one]) => [{ ...one, bound: String(Number(one!.bound) + 20.001) }]);
      const { sha256: _, ...others } = claim as Certificate & { readonly sha256?: string };
      const changed = { ...others, property: { ...property, cases: tighter } };
      expect((await check(JSON.stringify(changed))).holds).toBe(false);
    }
  }
});

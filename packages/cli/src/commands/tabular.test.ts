/** Rows and perturbation sets, as the command tells of them. */
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkCertificate } from '@cert/check';
import { openOnnxModel } from '@cert/jit/node';
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

  it('decides and exports sets whose categories change box by box, with a certificate of all', async () => {
    const run = await trained('kinds', { categories: ['kind'] });
    const decided = await cert('verify', run, '--index', '0', '--device', 'tfjs', '--timeout', '20', '--json');
    expect(decided.status).toBe(0);
    expect(['sat', 'unsat']).toContain(JSON.parse(decided.out).result);
    const net = join(place, 'kinds-export', 'net.onnx');
    expect(await cert('export', run, '--vnnlib', '1', '--out', net, '--device', 'tfjs')).toMatchObject({ status: 0 });
    const [file] = await readdir(join(place, 'kinds-export', 'vnnlib'));
    expect(file).toMatch(/^row-\d+\.vnnlib$/);
    // One case for each of two kinds: both must be excluded.
    const text = await readFile(join(place, 'kinds-export', 'vnnlib', file!), 'utf8');
    expect(text.match(/\(and /g)).toHaveLength(2);
    const certificate = join(place, 'kinds.cert.json');
    const small = ['--index', '0', '--epsilon', '0.001', '--certificate', certificate];
    const proved = await cert('verify', run, ...small, '--device', 'tfjs', '--timeout', '60', '--json');
    expect(JSON.parse(proved.out)).toMatchObject({ result: 'unsat', certificate });
    const claim = JSON.parse(await readFile(certificate, 'utf8'));
    expect(claim).toMatchObject({ perturbation: { kind: 'boxes', boxes: { length: 2 } }, evidence: { length: 2 } });
  });
});

it('exports no property of a Euclidean ball, which VNN-LIB cannot state', async () => {
  const run = await trained('euclidean', { kind: 'l2' });
  const out = join(place, 'euclidean-export', 'net.onnx');
  expect(await cert('export', run, '--vnnlib', '1', '--out', out, '--device', 'tfjs')).toMatchObject({
    ...{
      status: 1,
      err: expect.stringContaining('a VNN-LIB file describes inputs by boxes, which cannot state a ball'),
    },
  });
  const decided = await cert('verify', run, '--index', '0', '--device', 'tfjs', '--timeout', '5', '--json');
  expect(['sat', 'unsat', 'unknown', 'timeout']).toContain(JSON.parse(decided.out).result);
});

it('predicts with a network that was exported to ONNX as with the run', async () => {
  const run = await trained('onnx');
  const net = join(place, 'onnx-export', 'net.onnx');
  expect(await cert('export', run, '--out', net, '--device', 'tfjs')).toMatchObject({ status: 0 });
  const written = (await readFile(net)).toString('latin1');
  expect(written).toContain('["x","kind=a","kind=b"]');
  expect(written).toContain('["no","yes"]');
  const options = ['--index', '1', '--epsilon', '0.05', '--device', 'tfjs', '--json'];
  const imported = await cert('predict', net, ...options, '--dataset', 'csv', '--data', table);
  expect(imported).toMatchObject({ status: 0 });
  const [ours, theirs] = [JSON.parse((await cert('predict', run, ...options)).out), JSON.parse(imported.out)];
  expect(theirs.checkpoint).toBe(net);
  expect([theirs.prediction, theirs.label]).toEqual([ours.prediction, ours.label]);
  expect(theirs.bound.lower).toBeCloseTo(ours.bound.lower, 3);
  expect(await cert('predict', net, '--index', '1', '--device', 'tfjs')).toMatchObject({
    ...{ status: 1, err: expect.stringContaining('Give --dataset NAME and --epsilon RADIUS.') },
  });
});

it('exports a network that takes the columns of the table', async () => {
  const run = await trained('columns');
  const net = join(place, 'columns.onnx');
  const { status, out } = await cert('export', run, '--columns', '--out', net, '--device', 'tfjs');
  expect(status).toBe(0);
  expect(out.replaceAll(/\s+/g, ' ')).toMatch(
    /, 2 inputs \[batch,1\] x, kind, output \[batch,2\]\. ONNX Runtime computes the same/,
  );
  const rows = join(place, 'columns.csv');
  await writeFile(rows, 'kind,x\na,-6\nb,2.5\n');
  const predicted = (await cert('predict', run, rows, '--device', 'tfjs', '--json')).out.split('\n');
  const model = await openOnnxModel(await readFile(net), [1, 1]);
  for (const [i, values] of [
    { x: -6, kind: 'a' },
    { x: 2.5, kind: 'b' },
  ].entries()) {
    const { top } = JSON.parse(predicted[i]!);
    const logits = await model.runColumns(values);
    for (const { class: which, logit } of top) expect(logits[which]).toBeCloseTo(logit, 4);
  }
  await expect(model.runColumns({ x: 0, kind: 'c' })).rejects.toThrow(/Unknown Category/);
  await model.dispose();

  const small = join(place, 'columns.cert.safetensors');
  expect(await cert('export', run, '--out', small, '--device', 'tfjs')).toMatchObject({ status: 0 });
  const again = await cert(
    'export',
    small,
    '--columns',
    '--json',
    '--out',
    join(place, 'again.onnx'),
    '--device',
    'tfjs',
  );
  expect(JSON.parse(again.out).columns).toEqual([{ name: 'x' }, { name: 'kind', categories: ['a', 'b'] }]);
  const plain = join(place, 'plain.onnx');
  expect(await cert('export', run, '--out', plain, '--device', 'tfjs')).toMatchObject({ status: 0 });
  const refusals: readonly (readonly [string, readonly string[], string])[] = [
    [run, ['--vnnlib', '1', '--out', join(place, 'no.onnx')], '--columns was given with --vnnlib'],
    [run, ['--format', 'safetensors'], '--columns was given, but the format safetensors does not use it.'],
    [net, ['--out', join(place, 'no.onnx')], 'has 2 inputs and 1 outputs'],
    [plain, ['--out', join(place, 'no.onnx')], 'does not know the columns of a table'],
  ];
  for (const [network, options, problem] of refusals) {
    const refused = await cert('export', network, '--columns', ...options, '--device', 'tfjs');
    expect(refused).toMatchObject({ status: 1, err: expect.stringContaining(problem) });
  }
});

describe('rows of another file', () => {
  /** Writes a table beside the training table, and predicts its rows without the training table. */
  async function predicted(run: string, rows: readonly string[], ...options: string[]) {
    const file = join(place, 'new.csv');
    await writeFile(file, rows.join('\n'));
    await rename(table, `${table}.away`);
    try {
      return await cert('predict', run, file, '--device', 'tfjs', ...options);
    } finally {
      await rename(`${table}.away`, table);
    }
  }

  it('are predicted without the training table, as the rows of the test split are', async () => {
    const run = await trained('elsewhere', { categories: ['kind'] });
    const known = await sentence(run, '--epsilon', '0.02');
    expect(known).toContain('Row 0 of csv');
    // Which values row 0 has is found by the logits: every row of the table is predicted, its columns in another order.
    const lines = (await readFile(table, 'utf8')).split('\n').slice(1);
    const others = lines.map((line) => {
      const [x, kind] = line.split(',');
      return `7,${kind},${x}`;
    });
    const { status, out } = await predicted(run, ['id,kind,x', ...others], '--epsilon', '0.02', '--json');
    expect(status).toBe(0);
    const found = out.split('\n').map((line) => JSON.parse(line));
    expect(found).toHaveLength(60);
    const indexed = JSON.parse(
      (await cert('predict', run, '--index', '0', '--epsilon', '0.02', '--device', 'tfjs', '--json')).out,
    );
    const same = found.filter(({ top }) => Math.abs(top[0].logit - indexed.top[0].logit) < 1e-5);
    expect(same.length).toBeGreaterThan(0);
    for (const { prediction, bound, label } of same) {
      expect([prediction, label]).toEqual([indexed.prediction, null]);
      expect(bound.lower).toBeCloseTo(indexed.bound.lower, 4);
    }
  });

  it('are a table where there are several, with what a radius means', async () => {
    const run = await trained('several');
    const { out } = await predicted(run, ['kind,x', 'a,-6', 'b,5']);
    expect(out).toMatch(/^row +prediction +softmax +margin at 0\.1 +verified by +certified radius$/m);
    expect(out).toMatch(/^0 +no \(0\)/m);
    expect(out).toMatch(/^1 +yes \(1\)/m);
    expect(out.replaceAll(/\s+/g, ' ')).toContain(
      'For each row with a radius above 0, no perturbation of each feature by at most the certified radius times its scale changes the prediction',
    );
    // Bounds overflow: nothing is proved, and nothing is said to be.
    const { out: huge } = await predicted(run, ['kind,x', 'a,3e38', 'b,-3e38']);
    expect(huge.match(/not verified +0$/gm)).toHaveLength(2);
    expect(huge).toMatch(/^No row has a certified radius above 0\.$/m);
    expect(huge).not.toContain('no perturbation');
    const { out: alone } = await predicted(run, ['kind,x', 'a,-6']);
    expect(alone).toMatch(/^Row 0 of new\.csv: no \(0\)$/m);
  });

  it('are decided with a certificate of the predicted class, for all categories', async () => {
    const run = join(place, 'elsewhere');
    const certificate = join(place, 'row-of-a-file.cert.json');
    const file = join(place, 'verified.csv');
    await writeFile(file, 'kind,x\na,-6\nb,5\n');
    const options = ['--index', '1', '--epsilon', '0.001', '--device', 'tfjs', '--timeout', '60'];
    const { status, out } = await cert('verify', run, file, ...options, '--certificate', certificate);
    expect(status).toBe(0);
    expect(out.replaceAll(/\s+/g, ' ')).toContain('Row 1 of verified.csv, yes (1), epsilon 0.001. The property holds');
    const text = await readFile(certificate, 'utf8');
    expect(JSON.parse(text)).toMatchObject({
      ...{ property: { label: 1 }, perturbation: { kind: 'boxes', boxes: { length: 2 } } },
    });
    const verdict = await checkCertificate(text, async () => readFile(join(run, 'checkpoints', 'last.safetensors')));
    expect(verdict).toMatchObject({ holds: true });
    // The other class does not win there.
    const other = await cert('verify', run, file, ...options, '--label', 'no', '--json');
    expect(JSON.parse(other.out)).toMatchObject({ result: 'sat' });
    expect(await cert('verify', run, file, '--device', 'tfjs')).toMatchObject({
      ...{ status: 1, err: expect.stringContaining('No row was given to cert verify.') },
    });
    expect(await cert('verify', run, file, '--index', '2', '--device', 'tfjs')).toMatchObject({
      ...{ status: 1, err: expect.stringContaining('Give a whole number from 0 to 1.') },
    });
  });

  it('are predicted and decided by an exported checkpoint alone, as by its run', async () => {
    const run = join(place, 'several');
    const file = join(place, 'several.cert.safetensors');
    const rows = join(place, 'alone.csv');
    await writeFile(rows, 'kind,x\na,-6\nb,5\n');
    expect(await cert('export', run, '--out', file, '--device', 'tfjs')).toMatchObject({ status: 0 });
    const of = async (network: string) => {
      const { status, out } = await cert('predict', network, rows, '--device', 'tfjs', '--json');
      expect(status).toBe(0);
      return out.split('\n').map((line) => ({ ...JSON.parse(line), checkpoint: '' }));
    };
    expect(await of(file)).toEqual(await of(run));
    const verdict = async (network: string) =>
      (await cert('verify', network, rows, '--index', '1', '--device', 'tfjs')).out.replace(/[\d.]+ s,/, '');
    expect(await verdict(file)).toBe(await verdict(run));
    // Another dataset is not the one that the file speaks of.
    expect(await cert('predict', file, rows, '--dataset', 'digits', '--device', 'tfjs')).toMatchObject({ status: 1 });
  });

  it.each([
    [['x', '1'], 'new.csv has no column "kind", which the network reads.'],
    [
      ['x,kind', '1,c'],
      'line 2: the column "kind" has "c", which the network cannot read.\nCategories of the training rows: a, b.',
    ],
    [['x,kind', '1,a', 'one,a'], 'line 3: the column "x" has "one", which the network cannot read.\nGive a number.'],
    [['x,kind', ',a'], 'line 2: the column "x" has no value ("").'],
    [['x,kind'], 'new.csv has no rows.'],
  ])('%o is refused', async (rows, problem) => {
    expect(await predicted(join(place, 'several'), rows)).toMatchObject({
      ...{ status: 1, err: expect.stringContaining(problem) },
    });
  });
});

describe('a regression', () => {
  let run: string;
  beforeAll(async () => {
    const numbers = join(place, 'numbers.csv');
    const rows = Array.from({ length: 60 }, (_, i) => `${(i % 12) - 6},${['a', 'b'][i % 2]},${1000 + 50 * (i % 12)}`);
    await writeFile(numbers, ['x,kind,price', ...rows].join('\n'));
    run = join(place, 'regression');
    const options = ['--preset', 'tabular/mlp', '--data', numbers, '--csv-task', 'regression', '--epochs', '8'];
    const result = await cert('train', ...options, '--width', '8', '--dense', '8', '--device', 'tfjs', '--out', run);
    expect(result).toMatchObject({ status: 0 });
    expect(result.out).toMatch(/^mean absolute error [\d.]+, verified absolute error [\d.]+$/m);
    expect(result.out).toMatch(/^verified absolute error \(IBP\) +[\d.]+$/m);
    expect(result.out).not.toContain('image');
  }, 60_000);

  it('reports absolute errors in the units of the label, the verified one above the other', async () => {
    const summary = JSON.parse(await readFile(join(run, 'summary.json'), 'utf8'));
    expect(summary.absoluteError).toBeGreaterThan(0);
    expect(summary.verifiedAbsoluteError).toBeGreaterThan(summary.absoluteError);
    expect(summary.delta).toBeCloseTo(172.6, -2);
    expect(JSON.parse(await readFile(join(run, 'config.json'), 'utf8'))).toMatchObject({ objective: 'interval' });
  });

  it('is evaluated with a tolerance: more is verified with a larger one, and rows name what is wrong', async () => {
    const errors = async (delta: string) => {
      const options = ['--methods', 'ibp,crown-ibp', '--device', 'tfjs', '--delta', delta, '--json'];
      const { status, out } = await cert('eval', run, ...options);
      expect(status).toBe(0);
      return JSON.parse(out);
    };
    const [narrow, wide] = [await errors('1'), await errors('100000')];
    expect([narrow.settings.delta, narrow.methods['crown-ibp'].verifiedError.fraction]).toEqual([1, 1]);
    expect([wide.standardError.count, wide.methods.ibp.verifiedError.count]).toEqual([0, 0]);
    expect(wide.absoluteError).toBeCloseTo(narrow.absoluteError, 0);
    const lines = (await readFile(join(run, 'eval', 'last-0.1-delta-1.jsonl'), 'utf8')).trim().split('\n').slice(1);
    const rows = lines.map((line) => JSON.parse(line));
    expect(rows.every(({ label }) => label === 0)).toBe(true);
    expect(rows.every(({ prediction }) => [0, 1, 2].includes(prediction))).toBe(true);
  });

  it('is predicted with a bound of how far the number moves', async () => {
    const text = await sentence(run, '--delta', '2000');
    expect(text).toMatch(/^Row 0 of csv: price [\d.]+, the label is [\d.]+/);
    expect(text).toMatch(/deviation at epsilon 0\.1 at most [\d.]+; less than 2000 verified by ibp/);
    expect(text).toMatch(/moves the prediction of every float32 execution .* by 2000 or more\./);
    const rows = join(place, 'prices.csv');
    await writeFile(rows, 'x,kind\n-6,a\n5,b\n');
    const table = (await cert('predict', run, rows, '--delta', '2000', '--device', 'tfjs')).out;
    expect(table).toMatch(/^row +price +moves at 0\.1 by at most +< 2000 by +certified radius$/m);
    const decided = await cert('verify', run, rows, '--index', '0', '--delta', '100000', '--device', 'tfjs');
    expect(decided.out.replaceAll(/\s+/g, ' ')).toMatch(
      /Row 0 of prices\.csv, prediction [\d.]+, tolerance 100,?000, epsilon 0\.1\. The property holds/,
    );
    const [low, high] = [...table.matchAll(/^[01] +([\d.]+) +([\d.]+) +ibp +[\d.]+$/gm)].map(([, price]) =>
      Number(price),
    );
    expect(low).toBeLessThan(high!);
    expect(await cert('predict', run, '--index', '0', '--label', '0')).toMatchObject({
      ...{ status: 1, err: expect.stringContaining('is a regression, which has no classes') },
    });
  });

  it('is decided row by row: a wide tolerance holds, a narrow one does not', async () => {
    const result = async (delta: string) =>
      JSON.parse(
        (await cert('verify', run, '--index', '0', '--delta', delta, '--device', 'tfjs', '--timeout', '20', '--json'))
          .out,
      ).result;
    expect([await result('100000'), await result('0.001')]).toEqual(['unsat', 'sat']);
    const certificate = join(place, 'row.cert.json');
    const wide = ['--index', '0', '--delta', '100000', '--certificate', certificate];
    expect(JSON.parse((await cert('verify', run, ...wide, '--device', 'tfjs', '--json')).out).certificate).toBe(
      certificate,
    );
    expect(JSON.parse(await readFile(certificate, 'utf8')).property).toMatchObject({ kind: 'linear', classes: 1 });
  });

  it('takes no objective, weights or tolerance of the other kind', async () => {
    const refused = async (...options: string[]) =>
      (await cert('train', '--preset', 'tabular/mlp', '--data', table, '--out', join(place, 'none'), ...options)).err;
    const regression = ['--csv-task', 'regression', '--csv-label', 'x'];
    expect(await refused(...regression, '--method', 'pgd')).toContain('The objective pgd is for a classification');
    expect(await refused(...regression, '--class-weights', 'balanced')).toContain('is a regression');
    expect(await refused('--objective', 'interval')).toContain('The objective interval is for a regression');
    expect(await refused('--delta', '3')).toContain('--delta is 3, but csv has classes.');
  });
});

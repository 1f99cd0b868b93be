import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batches, rowsWithTargets, subset } from '../index.js';
import { type CsvOptions, csv } from '../node/index.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cert-csv-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(text: string, options: CsvOptions = {}) {
  const path = join(folder, 'rows.csv');
  await writeFile(path, text);
  return csv(path, options);
}

const ROWS = Array.from(
  { length: 20 },
  (_, i) => `${i + 0.5},${['red', 'green', 'blue'][i % 3]},${i < 10 ? 'no' : 'yes'}`,
);
const TABLE = ['length,color,sold', ...ROWS].join('\n');

describe('csv', () => {
  it('infers numbers and categories, in the units of the file, and standardizes as a layer', async () => {
    const data = await read(TABLE);
    expect(data.featureNames).toEqual(['length', 'color=blue', 'color=green', 'color=red']);
    expect(data.categories).toEqual({ color: [1, 2, 3] });
    expect(data.classNames).toEqual(['no', 'yes']);
    expect(data.range).toBeNull();
    expect([data.train.count, data.test.count, data.train.shape]).toEqual([16, 4, [4]]);
    const lengths = Array.from({ length: 16 }, (_, i) => data.train.images[4 * i]!);
    const mean = lengths.reduce((a, b) => a + b) / 16;
    expect(data.normalize!.mean).toEqual([expect.closeTo(mean, 5), 0, 0, 0]);
    expect(data.featureScale).toEqual([data.normalize!.std[0], 0, 0, 0]);
    // One-hot, with the number as it stands in the file.
    for (let i = 0; i < 16; i++) {
      const [length, ...color] = data.train.images.subarray(4 * i, 4 * i + 4);
      expect(length! % 1).toBe(0.5);
      expect([...color].sort()).toEqual([0, 0, 1]);
    }
  });

  it('does not move a column of one value', async () => {
    const data = await read(['same,x,y', ...Array.from({ length: 20 }, (_, i) => `3,${i},${i % 2}`)].join('\n'));
    expect(data.featureScale).toEqual([0, data.normalize!.std[1]]);
    expect(data.normalize!.std[0]).toBe(1);
  });

  it('has numbers to predict for a regression, in their units, with the moments of the training rows', async () => {
    const data = await read(TABLE, { task: 'regression', label: 'length', types: { sold: 'ignore' } });
    expect(data.featureNames).toEqual(['color=blue', 'color=green', 'color=red']);
    expect(data.classNames).toBeUndefined();
    const { train, test, target } = data;
    expect([train.classes, train.count, test.count]).toEqual([1, 16, 4]);
    expect([...train.labels, ...test.labels]).toEqual(Array(20).fill(0));
    const targets = [...train.targets!, ...test.targets!].sort((a, b) => a - b);
    expect(targets).toEqual(Array.from({ length: 20 }, (_, i) => i + 0.5));
    const mean = train.targets!.reduce((a, b) => a + b) / 16;
    expect(target).toEqual({ name: 'length', mean: expect.closeTo(mean, 4), std: expect.any(Number) });
    const [first] = batches(train, { batchSize: 5 });
    expect([...first!.targets!]).toEqual([...first!.indices].map((i) => train.targets![i]));
    expect(subset(train, 3).targets).toEqual(train.targets!.subarray(0, 3));
    const { images, shape, labels, classes } = rowsWithTargets(test);
    expect([shape, classes, [...labels]]).toEqual([[4], 3, [0, 0, 0, 0]]);
    expect([...images.slice(0, 4)]).toEqual([...test.images.slice(0, 3), test.targets![0]]);
  });

  it.each<[string, string, object]>([
    [
      'a label that is not a number',
      'a,b\n1,2\n2,x\n3,4',
      { problem: expect.stringContaining('line 3: the label "b" has "x"') },
    ],
    [
      'a label of one value',
      'a,b\n1,2\n2,2\n3,2\n4,2\n5,2',
      { problem: expect.stringContaining('standard deviation 0') },
    ],
  ])('refuses %s of a regression', async (_, text, error) => {
    await expect(read(text, { task: 'regression' })).rejects.toMatchObject(error);
  });

  it('splits with the share of each class, the same for the same seed', async () => {
    const [a, b, c] = [await read(TABLE), await read(TABLE), await read(TABLE, { seed: 1 })];
    expect([...a.test.labels].sort()).toEqual([0, 0, 1, 1]);
    expect(a.test.images).toEqual(b.test.images);
    expect(a.test.images).not.toEqual(c.test.images);
  });

  it('tests on the latest rows, by a column that is no feature', async () => {
    const text = ['day,x,y', '2026-03-01,1,a', '2026-01-01,2,b', '2026-02-01,3,a', '2026-04-01,4,b'].join('\n');
    const data = await read(text, { split: 'time', timeColumn: 'day', testFraction: 0.5 });
    expect(data.featureNames).toEqual(['x']);
    expect([...data.test.images]).toEqual([1, 4]);
    expect([...data.train.images]).toEqual([2, 3]);
    expect(data.trainTimes).toEqual([Date.parse('2026-01-01'), Date.parse('2026-02-01')]);
    expect((await read(TABLE)).trainTimes).toBeUndefined();
  });

  it('takes declared types, another label, quotes, semicolons and a byte order mark', async () => {
    const text = '\uFEFFsold;zip;id;"a ""quoted"" name"\nyes;1;x;"1;5"\nno;2;y;2\nyes;2;z;3\nno;1;w;4\n';
    const options = { delimiter: ';', label: 'sold', testFraction: 0.5 } as const;
    const data = await read(text, {
      ...options,
      types: { zip: 'category', id: 'ignore', 'a "quoted" name': 'category' },
    });
    expect(data.featureNames!.slice(0, 2)).toEqual(['zip=1', 'zip=2']);
    expect(data.featureNames).toContain('a "quoted" name=1;5');
    expect(data.classNames).toEqual(['no', 'yes']);
  });

  it.each<[string, string, CsvOptions, object]>([
    [
      'a row with too few values',
      'a,b\n1,x\n2\n3,y',
      {},
      { code: 'bad-file', problem: expect.stringContaining('line 3') },
    ],
    [
      'a missing value',
      'a,b\n1,x\n,y\n',
      {},
      { code: 'bad-data', problem: expect.stringContaining('line 3: the column "a" has no value') },
    ],
    ['a missing label', 'a,b\n1,x\n2,?\n', {}, { problem: expect.stringContaining('line 3: the label "b"') }],
    [
      'text in a column of numbers',
      'a,b\n1,x\ntwo,y\n',
      { types: { a: 'number' } },
      { problem: expect.stringContaining('has "two", which is not a number') },
    ],
    [
      'an infinite number',
      'a,b\n1,x\n1e999,y\n',
      { types: { a: 'number' } },
      { problem: expect.stringContaining('"1e999"') },
    ],
    [
      'a label that does not exist',
      'a,b\n1,x\n2,y\n',
      { label: 'c' },
      { code: 'bad-argument', cure: 'Columns: a, b.' },
    ],
    [
      'a type of a column that does not exist',
      'a,b\n1,x\n2,y\n',
      { types: { c: 'ignore' } },
      { code: 'bad-argument', problem: expect.stringContaining('no column "c"') },
    ],
    [
      'identifiers that float32 merges',
      'a,b\n16777216,x\n16777217,y\n',
      {},
      { problem: expect.stringContaining('line 3: the column "a" has 16777216 and 16777217') },
    ],
    [
      'a number beyond float32',
      'a,b\n1,x\n1e39,y\n',
      { types: { a: 'number' } },
      { problem: expect.stringContaining('line 3: the column "a" has "1e39"') },
    ],
    [
      'labels that are the same number',
      'a,b\n1,1\n2,1.0\n3,2\n',
      {},
      { problem: expect.stringContaining('"1" and "1.0"') },
    ],
    [
      'a category named like a column',
      'a,a=b,y\nb,1,x\nc,2,y\n',
      {},
      { problem: expect.stringContaining('both called "a=b"') },
    ],
    ['one class', 'a,b\n1,x\n2,x\n', {}, { problem: expect.stringContaining('the label "b" has only one value') }],
    ['a name twice', 'a,a\n1,x\n', {}, { code: 'bad-file', problem: expect.stringContaining('the column "a" twice') }],
    [
      'semicolons between values',
      'a;b\n1,5;x\n2,5;y\n',
      {},
      { code: 'bad-file', problem: expect.stringContaining('the header has no comma, but semicolons') },
    ],
    ['tabs between values', 'a\tb\n1\tx\n', {}, { problem: expect.stringContaining('no comma, but tabs') }],
    ['no rows', 'a,b\n', {}, { code: 'bad-file', problem: expect.stringContaining('no rows') }],
    ['no features', 'b\nx\ny\n', {}, { problem: expect.stringContaining('no column besides the label') }],
    [
      'a test fraction without rows',
      'a,b\n1,x\n2,y\n',
      {},
      { code: 'bad-argument', problem: 'The test fraction is 0.2, but the class "x" has only 1 row.' },
    ],
    [
      'a time that is none',
      'a,c,b\n1,5,x\nsoon,6,y\n',
      { split: 'time', timeColumn: 'a', testFraction: 0.5 },
      { problem: expect.stringContaining('line 3: the time column "a" has "soon"') },
    ],
  ])('refuses %s', async (_, text, options, error) => {
    await expect(read(text, options)).rejects.toMatchObject(error);
  });

  it('refuses a column with too many categories, with an example', async () => {
    const text = ['id,y', ...Array.from({ length: 120 }, (_, i) => `row${i},${i % 2}`)].join('\n');
    await expect(read(text)).rejects.toMatchObject({
      problem: expect.stringContaining('"id" has 120 categories, such as "row0" on line 2'),
    });
  });

  it('refuses a file that does not exist', async () => {
    await expect(csv(join(folder, 'none.csv'))).rejects.toMatchObject({
      code: 'bad-file',
      cure: expect.stringContaining('CSV'),
    });
  });
});

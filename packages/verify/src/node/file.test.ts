import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ImageResult } from '../images/result.js';
import { appendResult, type EvaluationSettings, openEvaluationFile } from './file.js';

let place: string;
let file: string;
let files = 0;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-evaluation-'));
});
beforeEach(() => {
  file = join(place, 'eval', `${files++}.jsonl`);
});
afterAll(() => rm(place, { recursive: true, force: true }));

const settings: EvaluationSettings = {
  ...{ checkpoint: 'abc', dataset: 'digits', epsilon: 0.1, methods: ['ibp'], complete: false },
  attack: { steps: 2, restarts: 1, seed: 0 },
};
const labels = [5, 6, 7, 8];
const image = (index: number): ImageResult => ({
  ...{ index, label: labels[index]!, prediction: 3, margin: 0.25, lower: { ibp: null } },
  ...{ verifiedBy: null, attack: { found: true, margin: null } },
});
const open = (changes: Partial<EvaluationSettings> = {}, options = {}) =>
  openEvaluationFile(file, { ...settings, ...changes }, { labels, ...options });

async function written(...indices: number[]): Promise<string> {
  await open();
  for (const index of indices) await appendResult(file, image(index));
  return readFile(file, 'utf8');
}

describe('openEvaluationFile', () => {
  it('begins a file, and gives back what was written to it', async () => {
    expect(await open()).toEqual([]);
    expect(await readFile(file, 'utf8')).toBe(`${JSON.stringify({ format: 'cert-evaluation-1', ...settings })}\n`);
    for (const index of [2, 0]) await appendResult(file, image(index));
    expect(await open()).toEqual([image(0), image(2)]);
  });

  it('drops a line that was cut short, wherever', async () => {
    const text = await written(1);
    const line = JSON.stringify(image(3));
    for (const length of [1, 20, line.length]) {
      await writeFile(file, text + line.slice(0, length));
      expect(await open()).toEqual([image(1)]);
      expect(await readFile(file, 'utf8')).toBe(text);
    }
  });

  it('begins again when the very first line was cut short', async () => {
    const text = await written();
    await writeFile(file, text.slice(0, 30));
    expect(await open()).toEqual([]);
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  it('leaves out images beyond the limit, and keeps their lines', async () => {
    const text = await written(0, 3);
    expect(await openEvaluationFile(file, settings, { labels: labels.slice(0, 2) })).toEqual([image(0)]);
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  it.each([
    [{ checkpoint: 'abd' }, 'another checkpoint: training has gone on since, or this is another run.'],
    [{ epsilon: 0.2 }, 'epsilon 0.1, not 0.2.'],
    [{ methods: ['ibp', 'crown'] }, 'methods ["ibp"], not ["ibp","crown"].'],
    [{ attack: null }, 'attack {"steps":2,"restarts":1,"seed":0}, not null.'],
    [{ complete: true }, 'complete false, not true.'],
    [{ dataset: 'mnist' }, 'dataset "digits", not "mnist".'],
  ])('refuses what was begun otherwise: %o', async (changes, difference) => {
    const text = await written(0);
    await expect(open(changes)).rejects.toMatchObject({
      ...{ code: 'run-exists', problem: `${file} was begun with ${difference}` },
      cure: expect.stringContaining('--anew'),
    });
    expect(await readFile(file, 'utf8')).toBe(text);
    expect(await open(changes, { anew: true })).toEqual([]);
    expect(await open(changes)).toEqual([]);
  });

  it('names a line that is of no use', async () => {
    await written(0);
    await appendFile(file, '{"index":\n');
    await appendResult(file, image(1));
    await expect(open()).rejects.toMatchObject({
      code: 'bad-file',
      problem: `${file}: line 3 is of no use: it is no result of an image.`,
    });
  });

  it('notices that the images are others', async () => {
    await written(0, 1);
    await expect(openEvaluationFile(file, settings, { labels: [5, 5, 5, 5] })).rejects.toMatchObject({
      code: 'bad-file',
      problem: `${file}: line 3 is of no use: it gives image 1 the label 6, and the dataset 5.`,
    });
  });

  it('leaves a file alone that is something else', async () => {
    file = join(place, 'letter.jsonl');
    await writeFile(file, 'dear\n');
    await expect(open()).rejects.toMatchObject({
      code: 'bad-file',
      problem: expect.stringContaining('does not begin'),
    });
    expect(await readFile(file, 'utf8')).toBe('dear\n');
  });

  it('says that a place cannot be used', async () => {
    await writeFile(join(place, 'plain'), '');
    for (const path of [join(place, 'plain', 'eval', 'a.jsonl'), place]) {
      await expect(openEvaluationFile(path, settings, { labels })).rejects.toMatchObject({
        code: 'bad-file',
        cure: expect.stringContaining('--out'),
      });
    }
  });
});

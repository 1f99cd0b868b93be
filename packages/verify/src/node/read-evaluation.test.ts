import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ImageResult } from '../images/result.js';
import { appendResult, openEvaluationFile } from './file.js';
import { readEvaluation } from './read-evaluation.js';
import type { EvaluationSettings } from './settings.js';

let place: string;
let file: string;
let files = 0;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-read-evaluation-'));
});
beforeEach(async () => {
  file = join(place, `${files++}.jsonl`);
  await openEvaluationFile(file, settings, { labels: [5, 6, 7] });
});
afterAll(() => rm(place, { recursive: true, force: true }));

const settings: EvaluationSettings = {
  ...{ checkpoint: 'abc', dataset: 'digits', epsilon: 0.1, methods: ['ibp'], complete: false },
  attack: { steps: 2, restarts: 1, seed: 0 },
};
const image = (index: number): ImageResult => ({
  ...{ index, label: 5 + index, prediction: 5 + index, margin: 0.5, lower: { ibp: 0.25 } },
  ...{ verifiedBy: 'ibp', attack: null },
});
const finish = (images: number) => writeFile(file.replace(/l$/, ''), JSON.stringify({ images }));

describe('readEvaluation', () => {
  it('returns settings and results by index, and changes nothing', async () => {
    for (const index of [2, 0, 1]) await appendResult(file, image(index));
    await appendFile(file, 'damaged\n{"index": 4');
    await finish(3);
    const before = await readFile(file, 'utf8');
    const read = await readEvaluation(file);
    expect(read).toEqual({ settings, results: [0, 1, 2].map(image), finished: true, damaged: 1 });
    expect(await readFile(file, 'utf8')).toBe(before);
  });

  it('is not finished without a summary, nor with an image that is missing', async () => {
    for (const index of [0, 2]) await appendResult(file, image(index));
    expect(await readEvaluation(file)).toMatchObject({ finished: false, results: [image(0), image(2)] });
    await finish(3);
    expect(await readEvaluation(file)).toMatchObject({ finished: false });
    await finish(1);
    expect(await readEvaluation(file)).toMatchObject({ finished: true, results: [image(0)] });
  });

  it('does not take a line for verified whose margins say otherwise', async () => {
    await appendResult(file, { ...image(0), lower: { ibp: -1 } });
    await appendResult(file, { ...image(1), margin: -1 });
    await appendResult(file, image(2));
    await appendResult(file, image(2));
    await finish(3);
    expect(await readEvaluation(file)).toMatchObject({ finished: false, results: [], damaged: 4 });
  });

  it.each([
    ['', 'an empty file'],
    ['{"format":"cert-evaluation-1"}\n', 'no settings'],
    [`${JSON.stringify({ format: 'cert-evaluation-1', ...settings, epsilon: '0.1' })}\n`, 'a text as epsilon'],
    [`${JSON.stringify({ format: 'cert-evaluation-1', ...settings, arithmetic: 'exact' })}\n`, 'another arithmetic'],
    [`${JSON.stringify({ format: 'cert-evaluation-2', ...settings })}\n`, 'another format'],
  ])('refuses %j: %s', async (text) => {
    await writeFile(file, text);
    await expect(readEvaluation(file)).rejects.toMatchObject({
      code: 'bad-file',
      problem: `${file} ${text === '' ? 'does not exist or is empty' : 'is not an evaluation file of the format cert-evaluation-1'}.`,
    });
  });
});

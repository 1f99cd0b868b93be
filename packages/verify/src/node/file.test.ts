import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linf } from '@cert/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ImageResult } from '../images/result.js';
import { appendResult, openEvaluationFile } from './file.js';
import { type EvaluationSettings, perturbationSetting } from './settings.js';

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
  ...{ index, label: labels[index]!, prediction: labels[index]!, margin: 0.25, lower: { ibp: null } },
  ...{ verifiedBy: null, attack: { found: true, margin: null } },
});
const open = async (changes: Partial<EvaluationSettings> = {}, options = {}) =>
  (await openEvaluationFile(file, { ...settings, ...changes }, { labels, ...options })).results;

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
    expect(await openEvaluationFile(file, settings, { labels: labels.slice(0, 2) })).toEqual({
      ...{ results: [image(0)], damaged: 0 },
    });
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  it('drops a line that an attack is said to have broken which was not run, or which broke nothing', async () => {
    const broken = (index: number, by: unknown, found = true) =>
      ({ ...image(index), attack: { found, margin: found ? -1 : 0.25, by } }) as ImageResult;
    const attack = { name: 'two', attacks: ['apgd-ce', 'square'], seed: 0 };
    await open({ attack });
    const lines = [broken(0, 'square'), broken(1, 'pgd'), broken(2, 'square', false), broken(3, 7)];
    for (const line of lines) await appendResult(file, line);
    expect(await openEvaluationFile(file, { ...settings, attack }, { labels })).toEqual({
      ...{ results: [lines[0]], damaged: 3 },
    });
  });

  it.each([
    [{ checkpoint: 'abd' }, 'another checkpoint: training has continued since, or the file belongs to another run.'],
    [{ epsilon: 0.2 }, 'epsilon 0.1, not 0.2.'],
    [{ methods: ['ibp', 'crown'] }, 'methods ["ibp"], not ["ibp","crown"].'],
    [{ attack: null }, 'attack {"steps":2,"restarts":1,"seed":0}, not null.'],
    [
      { attack: { name: 'autoattack', attacks: ['apgd-ce'], seed: 0 } },
      'attack {"steps":2,"restarts":1,"seed":0}, not {"name":"autoattack","attacks":["apgd-ce"],"seed":0}.',
    ],
    [{ complete: true }, 'complete false, not true.'],
    [{ dataset: 'mnist' }, 'dataset "digits", not "mnist".'],
    // A file from before there was a choice, or begun with the default.
    [{ arithmetic: 'deployed' as const }, 'arithmetic "nearest", not "deployed".'],
  ])('refuses what was begun otherwise: %o', async (changes, difference) => {
    const text = await written(0);
    await expect(open(changes)).rejects.toMatchObject({
      ...{ code: 'run-exists', problem: `${file} was started with ${difference}` },
      cure: expect.stringContaining('--overwrite'),
    });
    expect(await readFile(file, 'utf8')).toBe(text);
    expect(await open(changes, { overwrite: true })).toEqual([]);
    expect(await open(changes)).toEqual([]);
  });

  it.each([
    [undefined, '0.2.0', 'an older version of cert, which did not record its number, not cert 0.2.0.'],
    ['0.1.0', '0.2.0', 'cert 0.1.0, not cert 0.2.0.'],
  ])('refuses the results of version %s in version %s', async (before, version, difference) => {
    const begun = before === undefined ? settings : { ...settings, version: before };
    await openEvaluationFile(file, begun, { labels });
    await appendResult(file, image(0));
    await expect(open({ version })).rejects.toMatchObject({
      ...{ code: 'run-exists', problem: `${file} was started with ${difference}` },
      cure: expect.stringContaining('--overwrite'),
    });
    expect((await openEvaluationFile(file, begun, { labels })).results).toEqual([image(0)]);
    expect(await open({ version }, { overwrite: true })).toEqual([]);
  });

  const proved: ImageResult = {
    ...{ index: 1, label: 6, prediction: 6, margin: 0.25, lower: { ibp: 0.125 } },
    ...{ verifiedBy: 'ibp', attack: null },
  };
  it.each([
    ['cut short in the middle of the file', '{"index":'],
    ['a text as a bound', JSON.stringify({ ...proved, lower: { ibp: '5' } })],
    ['a truth value as a bound', JSON.stringify({ ...proved, lower: { ibp: true } })],
    ['an infinite bound', JSON.stringify(proved).replace('0.125', '1e999')],
    ['a bound of 0 as a proof', JSON.stringify({ ...proved, lower: { ibp: 0 } })],
    ['a method that was not run', JSON.stringify({ ...proved, lower: { magic: 1 }, verifiedBy: 'magic' })],
    ['another prediction than the label', JSON.stringify({ ...proved, prediction: 7 })],
    ['no prediction, and a margin', JSON.stringify({ ...proved, prediction: null })],
    ['a conclusion without evidence', JSON.stringify({ ...proved, lower: {} })],
    ['evidence without the conclusion', JSON.stringify({ ...proved, verifiedBy: null })],
    [
      'an attack that found nothing at a negative margin',
      JSON.stringify({ ...proved, attack: { found: false, margin: -1 } }),
    ],
    ['two values', JSON.stringify(proved) + JSON.stringify(proved)],
    ['a key that occurs twice', JSON.stringify(proved).replace('{"index":1', '{"index":2,"index":1')],
    ['a proof above the margin without perturbation', JSON.stringify({ ...proved, lower: { ibp: 9.125 } })],
    [
      'a proof above a margin that the attack found',
      JSON.stringify({ ...proved, margin: 5, lower: { ibp: 4 }, attack: { found: false, margin: 0.5 } }),
    ],
    ['the prediction of the label at a negative margin', JSON.stringify({ ...image(1), margin: -0.25 })],
    ['a prediction without a margin', JSON.stringify({ ...image(1), margin: null })],
    ['an index that is a text', JSON.stringify({ ...proved, index: '1' })],
  ])('counts a damaged line, drops it and has its image evaluated again: %s', async (_, line) => {
    const text = await written(0);
    await appendFile(file, `${line}\n`);
    expect(await openEvaluationFile(file, settings, { labels })).toEqual({ results: [image(0)], damaged: 1 });
    expect(await readFile(file, 'utf8')).toBe(text);
    await appendResult(file, proved);
    expect(await openEvaluationFile(file, settings, { labels })).toEqual({ results: [image(0), proved], damaged: 0 });
  });

  it('continues a file from before there was a choice of arithmetic', async () => {
    const text = await written(0);
    expect(await open({ arithmetic: 'nearest' })).toEqual([image(0)]);
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  describe('at the arithmetic deployed', () => {
    const deployed = { ...settings, arithmetic: 'deployed' } as const;
    const levels = { ibp: { deployed: 0.125, step: 'float32' } } as const;
    it.each([
      ['no levels', proved, 1],
      ['levels that say the same', { ...proved, levels }, 0],
      ['another bound', { ...proved, levels: { ibp: { deployed: 0.25, step: 'float32' } } }, 1],
      ['a proof at nearest alone', { ...proved, levels: { ibp: { nearest: 0.125 } } }, 1],
      ['a text', { ...proved, levels: { ibp: { deployed: 0.125, nearest: '1' } } }, 1],
      ['another step', { ...proved, levels: { ibp: { deployed: 0.125, step: 'float16' } } }, 1],
      ['levels of another method', { ...proved, levels: { crown: levels.ibp } }, 1],
      ['a proof at nearest above the margin', { ...proved, levels: { ibp: { ...levels.ibp, nearest: 9.125 } } }, 1],
      ['levels of no method', { ...proved, levels: { ibp: null } }, 1],
    ])('drops a line unless its levels fit: %s', async (_, line, damaged) => {
      await openEvaluationFile(file, deployed, { labels });
      await appendFile(file, `${JSON.stringify(line)}\n`);
      expect(await openEvaluationFile(file, deployed, { labels })).toMatchObject({ damaged });
    });

    it('has no place in a file of the arithmetic nearest', async () => {
      await written();
      await appendFile(file, `${JSON.stringify({ ...proved, levels })}\n`);
      expect(await openEvaluationFile(file, settings, { labels })).toMatchObject({ damaged: 1 });
    });
  });

  it('drops all lines of an image that has several, whatever they say', async () => {
    const text = await written(0);
    const broken = { ...proved, verifiedBy: null, attack: { found: true, margin: -0.5 } };
    for (const second of [broken, proved]) {
      await writeFile(file, `${text}${JSON.stringify(second)}\n${JSON.stringify(proved)}\n`);
      expect(await openEvaluationFile(file, settings, { labels })).toEqual({ results: [image(0)], damaged: 2 });
      expect(await readFile(file, 'utf8')).toBe(text);
    }
  });

  it('drops a line that these settings cannot have given', async () => {
    file = join(place, 'other.jsonl');
    const others = { ...settings, attack: null, methods: ['ibp', 'crown'], complete: true };
    const all = { ...proved, lower: { ibp: 0.125, crown: null } };
    await openEvaluationFile(file, others, { labels });
    for (const line of [
      all,
      { ...proved, index: 2, label: 7, prediction: 7 },
      { ...all, index: 0, attack: { found: false, margin: 1 } },
    ])
      await appendResult(file, line);
    expect(await openEvaluationFile(file, others, { labels })).toEqual({ results: [all], damaged: 2 });
  });

  it('cuts off an unfinished line behind one that is not UTF-8', async () => {
    const text = await written(0);
    const line = JSON.stringify({ ...image(1), note: 'x' });
    const bytes = Buffer.from(`${text}${line}\n`);
    bytes[bytes.lastIndexOf('x')] = 0xff;
    await writeFile(file, Buffer.concat([bytes, Buffer.from('{"index":2')]));
    expect(await openEvaluationFile(file, settings, { labels })).toMatchObject({ damaged: 0 });
    expect((await readFile(file)).equals(bytes)).toBe(true);
  });

  it('refuses a header with a setting twice', async () => {
    const text = await written(0);
    await writeFile(file, text.replace('{"format"', '{"epsilon":0.2,"format"'));
    await expect(open()).rejects.toMatchObject({
      code: 'bad-file',
      problem: expect.stringContaining('is not an evaluation file'),
    });
  });

  it('notices that the images are others', async () => {
    await written(0, 1);
    await expect(openEvaluationFile(file, settings, { labels: [5, 5, 5, 5] })).rejects.toMatchObject({
      code: 'bad-file',
      problem: `${file}: line 3 is invalid: input 1 has the label 6 in the file but 5 in the dataset.`,
    });
  });

  it('notices that the values are others, and evaluates what does not say', async () => {
    const hashes = ['0'.repeat(16), '1'.repeat(16), '2'.repeat(16), '3'.repeat(16)];
    const inputOf = (index: number) => hashes[index]!;
    await open();
    await appendResult(file, { ...image(0), input: hashes[0]! });
    await appendResult(file, image(1));
    expect(await openEvaluationFile(file, settings, { labels, inputOf })).toMatchObject({
      ...{ results: [{ index: 0 }], damaged: 1 },
    });
    await appendResult(file, { ...image(2), input: hashes[0]! });
    await expect(openEvaluationFile(file, settings, { labels, inputOf })).rejects.toMatchObject({
      code: 'bad-file',
      problem: `${file}: line 3 is invalid: input 2 has other values in the dataset than when it was evaluated.`,
    });
  });

  it('begins a file without any image anew, but no file that is something else', async () => {
    await open();
    expect(await open({ epsilon: 0.2 })).toEqual([]);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ epsilon: 0.2 });
    for (const text of ['{"format":"something else"}\n', 'notes\n', 'notes without an end']) {
      await writeFile(file, text);
      await expect(open()).rejects.toMatchObject({ code: 'bad-file' });
      expect(await readFile(file, 'utf8')).toBe(text);
    }
  });

  it('does not continue a file of another perturbation set, whichever of the two is the usual one', async () => {
    const perturbation = perturbationSetting(linf({ epsilon: 0.1, scale: 0 }))!;
    await open({ perturbation });
    await appendResult(file, image(0));
    expect(await open({ perturbation })).toHaveLength(1);
    await expect(open()).rejects.toMatchObject({
      code: 'run-exists',
      problem: expect.stringMatching(/was started with perturbation .*, not the default\.$/),
    });
    file = `${file}-usual.jsonl`;
    await open();
    await appendResult(file, image(0));
    await expect(open({ perturbation })).rejects.toMatchObject({ code: 'run-exists' });
    expect(perturbationSetting(linf({ epsilon: 3 }))).toBeUndefined();
  });

  it('leaves a file alone that is something else', async () => {
    file = join(place, 'letter.jsonl');
    await writeFile(file, 'text\n');
    await expect(open()).rejects.toMatchObject({
      code: 'bad-file',
      problem: expect.stringContaining('is not an evaluation file'),
    });
    expect(await readFile(file, 'utf8')).toBe('text\n');
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

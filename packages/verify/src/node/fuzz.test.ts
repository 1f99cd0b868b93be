/**
 * The file of an evaluation on damage: no image counts as verified unless its line proves it. `npm run fuzz` tries 10,000 files; FUZZ_SEED
 * begins another sequence.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Rng } from '@cert/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mutateBytes } from '../../../../fuzz/mutate-bytes.js';
import { mutateJson } from '../../../../fuzz/mutate-json.js';
import { CASES, survives } from '../../../../fuzz/survives.js';
import { countResults } from '../images/count.js';
import type { ImageResult } from '../images/result.js';
import { openEvaluationFile } from './file.js';
import type { EvaluationSettings } from './settings.js';

const settings: EvaluationSettings = {
  ...{ checkpoint: 'abc', dataset: 'digits', epsilon: 0.1, methods: ['ibp', 'crown'], complete: false },
  attack: { steps: 2, restarts: 1, seed: 0 },
};
const labels = [5, 6, 7, 8, 9, 0];
const image = (index: number, rest: Partial<ImageResult>): ImageResult => ({
  ...{
    index,
    label: labels[index]!,
    prediction: labels[index]!,
    margin: 0.5,
    lower: {},
    verifiedBy: null,
    attack: null,
  },
  ...rest,
});
const LINES: readonly ImageResult[] = [
  image(3, { prediction: 2, margin: -1.5 }),
  image(0, { lower: { ibp: 0.25 }, verifiedBy: 'ibp' }),
  image(1, { lower: { ibp: -3, crown: 0.125 }, verifiedBy: 'crown', attack: { found: false, margin: 0.375 } }),
  image(2, { lower: { ibp: null, crown: -0.5 }, attack: { found: true, margin: -0.25 } }),
  image(4, { lower: { ibp: -0.5, crown: -0.125 }, attack: { found: false, margin: 0.0625 } }),
  image(5, { prediction: null, margin: null }),
];
const HEADER = { format: 'cert-evaluation-1', ...settings };
const SEPARATORS = ['\n', '\n', '\n', '\n', '\r\n', '', ' ', '\n\n', '\u2028', '\ufeff', '\n\ufeff'];

/** Lines as they are, damaged, doubled, changed between images, in another order, with odd things between them. */
function damagedLines(rng: Rng): string {
  const lines = LINES.flatMap((line) => {
    const other = LINES[rng.int(LINES.length)]!;
    const texts = [
      JSON.stringify(line),
      JSON.stringify(line),
      mutateJson(line, rng),
      JSON.stringify({ ...other, index: line.index, label: line.label }),
      JSON.stringify({ ...line, lower: other.lower, verifiedBy: other.verifiedBy }),
      JSON.stringify({ ...line, attack: other.attack }),
      JSON.stringify({ ...line, margin: other.margin, prediction: other.prediction }),
    ];
    const text = texts[rng.int(texts.length)]!;
    return rng.int(20) === 0 ? [text, texts[rng.int(texts.length)]!] : [text];
  });
  const order = rng.int(4) === 0 ? [...rng.permutation(lines.length)] : lines.keys();
  const header = rng.int(10) === 0 ? mutateJson(HEADER, rng) : JSON.stringify(HEADER);
  const parts = [header, ...[...order].map((i) => lines[i]!)];
  const cut = (text: string) => (rng.int(10) === 0 ? text.slice(0, rng.int(text.length + 1)) : text);
  const separator = () => (rng.int(8) === 0 ? SEPARATORS[rng.int(SEPARATORS.length)]! : '\n');
  return cut(parts.map((part) => part + separator()).join(''));
}

/** Whether a line proves its image by itself, looked at without the code under test. */
function isProof({ index, label, prediction, margin, lower, verifiedBy, attack }: ImageResult): boolean {
  const bounds = verifiedBy === null ? [] : [lower[verifiedBy]];
  const numbers = [margin, ...bounds, ...(attack === null ? [] : [attack.margin])];
  return (
    bounds.length === 1 &&
    ['ibp', 'crown'].includes(verifiedBy!) &&
    numbers.every((number) => typeof number === 'number' && number > 0 && number < Number.POSITIVE_INFINITY) &&
    numbers.every((number) => number! > 0.9 * bounds[0]! - 0.1) &&
    prediction === label &&
    label === labels[index] &&
    attack?.found !== true
  );
}

describe(`an evaluation survives ${CASES} damaged files of a kind`, { timeout: 60_000 + 100 * CASES }, () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-fuzz-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const good = Buffer.from([HEADER, ...LINES].map((line) => `${JSON.stringify(line)}\n`).join(''));
  it.each<[string, (rng: Rng) => string | Uint8Array]>([
    ['lines', damagedLines],
    ['bytes', (rng) => mutateBytes(good, rng)],
  ])('%s', (part, damage) =>
    survives(
      `evaluation ${part}`,
      damage,
      async (content) => {
        const file = join(folder, 'a.jsonl');
        await writeFile(file, content);
        const { results, damaged } = await openEvaluationFile(file, settings, { labels });
        const indices = results.map(({ index }) => index);
        expect(new Set(indices).size).toBe(indices.length);
        const proofs = results.filter(isProof).length;
        if (results.length > 0) {
          const { methods, standardError } = countResults(results, settings);
          const { crown } = methods;
          expect(results.length - crown!.verifiedError.count).toBe(proofs);
          expect(standardError.count).toBe(results.filter(({ margin }) => margin === null || margin <= 0).length);
        }
        for (const result of results)
          if (result.verifiedBy !== null) expect([result, isProof(result)]).toEqual([result, true]);
        // What is left is whole: it opens again to the same.
        const left = await readFile(file, 'utf8');
        expect(left.endsWith('\n')).toBe(true);
        const again = await openEvaluationFile(file, settings, { labels });
        expect(again).toEqual({ results, damaged: 0 });
        expect(await readFile(file, 'utf8')).toBe(left);
        const total = Buffer.from(content).toString().split('\n').length - 2;
        expect(damaged + left.split('\n').length - 2).toBe(Math.max(0, total));
      },
      { leastRefused: 0.01 },
    ),
  );
});

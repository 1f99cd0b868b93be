import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { summaryFileOf } from './evaluate-file.js';
import { writeEvaluation } from './file.js';
import { resultsHash } from './input-hash.js';
import { mergeEvaluations } from './merge.js';
import type { EvaluationSettings, StoredResult } from './settings.js';
import { shardMembers } from './shard.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-merge-files-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** A regression: margins are 1 - |f - y| / delta. */
const settings: EvaluationSettings = {
  ...{ checkpoint: 'abc', dataset: 'rows', epsilon: 0.1, delta: 2, methods: ['ibp'], complete: false, attack: null },
};
const results = [0.5, 0.25, 0.75].map((margin, index): StoredResult => {
  const input = `${index}`.repeat(16);
  return {
    ...{ index, label: 0, prediction: 0, margin, lower: { ibp: 0.125 }, verifiedBy: 'ibp', attack: null, input },
  };
});

/** Writes the files of two shards. */
async function shards(name: string, own: readonly StoredResult[] = results, data = resultsHash(results)) {
  const files: string[] = [];
  for (const index of [1, 2]) {
    const shard = { index, of: 2, images: own.length, data };
    const members = shardMembers(own.length, shard);
    const file = join(place, `${name}.shard-${index}-of-2.jsonl`);
    files.push(file);
    await writeEvaluation(
      file,
      { ...settings, shard },
      own.filter((result) => members.includes(result.index)),
    );
  }
  return { files, out: join(place, `${name}.jsonl`) };
}

describe('mergeEvaluations', () => {
  it('gives the mean absolute error of a regression', async () => {
    const { files, out } = await shards('regression');
    expect(await mergeEvaluations(files, out)).toMatchObject({ images: 3, absoluteError: 1 });
    expect(JSON.parse(await readFile(summaryFileOf(out), 'utf8'))).toMatchObject({ absoluteError: 1 });
  });

  it('refuses a result of another input or label than the shards were begun with', async () => {
    for (const change of [{ input: 'f'.repeat(16) }, { label: 1, prediction: 1 }, { input: undefined }]) {
      const others = results.map((result, i): StoredResult => {
        const { input, ...rest } = { ...result, ...(i === 1 && change) };
        return input === undefined ? rest : { ...rest, input };
      });
      const { files, out } = await shards('others', others);
      await expect(mergeEvaluations(files, out)).rejects.toMatchObject({
        code: 'bad-data',
        problem: 'The results are of other images or labels than the shards were begun with.',
      });
    }
  });

  it('gives no figure over no images', async () => {
    const { files, out } = await shards('none', [], resultsHash([]));
    await expect(mergeEvaluations(files, out)).rejects.toMatchObject({ code: 'bad-file' });
  });

  it('does not need the summaries of shards', async () => {
    const { files, out } = await shards('times');
    for (const text of ['null', '{"stageSeconds":null}', '{"seconds":"1","stageSeconds":{"ibp":"2"}}', '{']) {
      await writeFile(summaryFileOf(files[0]!), text);
      expect(await mergeEvaluations(files, out)).toMatchObject({ images: 3, seconds: 0, stageSeconds: {} });
    }
  });

  it('does not replace a file that another process is writing', async () => {
    const { files, out } = await shards('used');
    await writeFile(`${out}.lock`, JSON.stringify({ pid: process.ppid, host: hostname() }));
    await expect(mergeEvaluations(files, out)).rejects.toMatchObject({ code: 'in-use' });
  });
});

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { appendMetrics, cutMetrics, runFiles } from './folder.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cert-folder-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('cuts the metrics back to a step, and drops a line that was never finished', async () => {
  for (const step of [1, 2, 3]) await appendMetrics(folder, { type: 'step', step, loss: step / 2 });
  const { metrics } = runFiles(folder);
  await writeFile(metrics, `${await readFile(metrics, 'utf8')}{"type":"step","st`);
  await cutMetrics(folder, 2);
  expect(await readFile(metrics, 'utf8')).toBe(
    '{"type":"step","step":1,"loss":0.5}\n{"type":"step","step":2,"loss":1}\n',
  );
});

it('makes an empty file of metrics that are not there yet', async () => {
  await rm(runFiles(folder).metrics, { force: true });
  await cutMetrics(folder, 0);
  expect(await readFile(runFiles(folder).metrics, 'utf8')).toBe('');
});

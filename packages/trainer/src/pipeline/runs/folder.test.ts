import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runFiles } from './folder.js';
import { appendMetrics, cutMetrics, readMetricsLines } from './metrics-lines.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cert-folder-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('cuts the metrics back to a step, and drops a line that was never finished', async () => {
  for (const step of [1, 2, 3]) await appendMetrics(folder, { type: 'step', step, loss: step / 2 });
  const { metrics } = runFiles(folder);
  await writeFile(metrics, `${await readFile(metrics, 'utf8')}{"type":"step","st`);
  expect(await cutMetrics(folder, 2)).toBe(0);
  expect(await readFile(metrics, 'utf8')).toBe(
    '{"type":"step","step":1,"loss":0.5}\n{"type":"step","step":2,"loss":1}\n',
  );
});

it.each([
  ['cut short in the middle of the file', '{"type":"step","st'],
  ['two values', '{"type":"step","step":1} {"type":"step","step":2}'],
  ['a step that cannot be compared', '{"type":"step","step":{"toString":null,"valueOf":null}}'],
  ['a field that occurs twice', '{"type":"step","step":1,"step":2}'],
  ['an infinite number', '{"type":"step","step":1,"loss":1e999}'],
  ['a list', '[]'],
  ['an epoch without a number', '{"type":"epoch","step":1,"epsilon":0}'],
  ['neurons that are null', '{"type":"epoch","step":1,"epoch":1,"epsilon":0,"relu":null}'],
  ['neurons without layers', '{"type":"epoch","step":1,"epoch":1,"epsilon":0,"relu":{"images":4}}'],
  [
    'shares that do not add up to 1',
    '{"type":"epoch","step":1,"epoch":1,"epsilon":0,"relu":{"images":4,"layers":{"a":{"active":1,"inactive":0,"unstable":1}}}}',
  ],
])('counts a damaged line and drops it: %s', async (_, line) => {
  const good = '{"type":"step","step":1,"loss":0.5}\n';
  await writeFile(runFiles(folder).metrics, `${good}${line}\n`);
  expect(await readMetricsLines(folder)).toEqual({ lines: [JSON.parse(good)], damaged: 1 });
  expect(await cutMetrics(folder, 2)).toBe(1);
  expect(await readFile(runFiles(folder).metrics, 'utf8')).toBe(good);
});

it('makes an empty file of metrics that are not there yet', async () => {
  await rm(runFiles(folder).metrics, { force: true });
  await cutMetrics(folder, 0);
  expect(await readFile(runFiles(folder).metrics, 'utf8')).toBe('');
});

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadCheckpoint } from '@cert/models/node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resolveConfig } from '../config/preset.js';
import type { RunEvent } from './event.js';
import { runFiles } from './folder.js';
import { resumeRun, startRun } from './run.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-stop-in-test-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** Two epochs of three steps, and tests of five batches. */
const config = resolveConfig({
  ...{ device: 'tfjs', limit: 20, batchSize: 8, epochs: 2, evalBatchSize: 4, attackRestarts: 0, width: 2, dense: 4 },
});

/** Everything that a run leaves, without times. */
async function left(folder: string) {
  const { last, best, metrics, summary } = runFiles(folder);
  const timeless = (text: string) =>
    JSON.parse(text, (key, value) => (['trainSeconds', 'waitSeconds', 'evalSeconds'].includes(key) ? 0 : value));
  const [a, b] = await Promise.all([last, best].map(async (file) => loadCheckpoint(file)));
  return {
    checkpoints: [a, b].map((found) => ({ ...found, metadata: timeless(JSON.stringify(found?.metadata)) })),
    metrics: (await readFile(metrics, 'utf8')).trimEnd().split('\n').map(timeless),
    summary: timeless(await readFile(summary, 'utf8')),
  };
}

/** A hook that stops a run after the given step, and the events that it got. */
function stopAfter(step: number) {
  const abort = new AbortController();
  const events: RunEvent[] = [];
  const onEvent = (event: RunEvent) => {
    events.push(event);
    if (event.type === 'step' && event.step === step) abort.abort();
  };
  return { events, hooks: { onEvent, signal: abort.signal } };
}

it('a test after an epoch that is stopped keeps the epoch, and the resumed run ends with the very same files', async () => {
  const [calm, rough] = [join(place, 'calm'), join(place, 'rough')];
  await startRun(config, { folder: calm });

  for (const step of [3, 6]) {
    const { events, hooks } = stopAfter(step);
    const run = step === 3 ? startRun(config, { folder: rough, ...hooks }) : resumeRun({ folder: rough, ...hooks });
    expect(await run).toBeNull();
    // The step was taken and its epoch not tested.
    expect(events.map(({ type }) => type).slice(-2)).toEqual(['step', 'stopped']);
    expect(events.at(-1)).toMatchObject({ type: 'stopped', step });
    const { metadata } = await loadCheckpoint(runFiles(rough).last);
    expect(metadata).toMatchObject({ position: { step, sums: { loss: { images: 20 } } } });
  }

  // Stopped again before the test is over: nothing is lost.
  const again = new AbortController();
  const onEvent = (event: RunEvent) => event.type === 'start' && again.abort();
  expect(await resumeRun({ folder: rough, onEvent, signal: again.signal })).toBeNull();

  const events: RunEvent[] = [];
  expect(await resumeRun({ folder: rough, onEvent: (event) => events.push(event) })).not.toBeNull();
  expect(events.filter(({ type }) => type === 'step' || type === 'epoch')).toMatchObject([{ type: 'epoch', epoch: 2 }]);
  expect(await left(rough)).toEqual(await left(calm));
});

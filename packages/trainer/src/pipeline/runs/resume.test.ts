/** Runs with options that could remember something outside their checkpoint: stopped anywhere, they end with the same files. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadCheckpoint } from '@cert/models/node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Choices, resolveConfig } from '../config/preset.js';
import type { RunEvent } from './event.js';
import { runFiles } from './folder.js';
import { resumeRun, startRun } from './run.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-resume-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** Two epochs of three steps. */
const small: Choices = {
  ...{ device: 'tfjs', limit: 20, batchSize: 8, epochs: 2, attackRestarts: 0, width: 2, dense: 4 },
};

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

/** Trains in one go, and in a second folder with a stop after each of some steps; compares what the two leave. */
async function compare(name: string, choices: Choices, stops: readonly number[]): Promise<void> {
  const config = resolveConfig({ ...small, ...choices });
  const [calm, rough] = [join(place, `${name}-calm`), join(place, `${name}-rough`)];
  await startRun(config, { folder: calm });
  for (const [i, stop] of stops.entries()) {
    const abort = new AbortController();
    const hooks = {
      folder: rough,
      signal: abort.signal,
      onEvent: (event: { readonly type: string; readonly step?: number }) => {
        if (event.type === 'step' && event.step === stop) abort.abort();
      },
    };
    expect(await (i === 0 ? startRun(config, hooks) : resumeRun(hooks))).toBeNull();
  }
  await resumeRun({ folder: rough });
  expect(await left(rough)).toEqual(await left(calm));
}

it('a run with validation images tests its epochs, and chooses the best one, on them', async () => {
  const folder = join(place, 'validation');
  const config = resolveConfig({ ...small, limit: 30, validation: 0.2, rampStart: 1, rampLength: 1 });
  const summary = await startRun(config, { folder });
  const { metrics, log } = runFiles(folder);
  const lines = (await readFile(metrics, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(summary).toMatchObject({ trainImages: 24, validationImages: 6, images: 30 });
  for (const line of lines) {
    expect(Object.keys(line)).toEqual(expect.arrayContaining(['validationError', 'validationVerifiedError']));
    expect(Object.keys(line).filter((name) => name.startsWith('test'))).toEqual([]);
    expect(6 * line.validationError).toBeCloseTo(Math.round(6 * line.validationError), 9);
    expect(line.relu.images).toBe(6);
  }
  const best = lines.find(({ epoch }) => epoch === summary?.best?.epoch);
  expect(summary?.best).toMatchObject({
    verifiedError: best.validationVerifiedError,
    standardError: best.validationError,
  });
  expect(await readFile(log, 'utf8')).toMatch(
    /24 \+ 6 \(validation\) \+ 30 images of digits[\s\S]*validation error \d+/,
  );
});

it('stops early when no epoch gets better, and a resumed run stops at the same epoch', async () => {
  // With a learning rate of 0 and without BatchNorm all epochs are alike.
  const config = resolveConfig({
    ...{ ...small, limit: 30, epochs: 9, validation: 0.2, patience: 2 },
    ...{ rampStart: 1, rampLength: 1, learningRate: 0, batchNorm: 'none' },
  });
  const [calm, rough] = [join(place, 'early-calm'), join(place, 'early-rough')];
  const summary = await startRun(config, { folder: calm });
  // The first epoch at the full radius is the second.
  expect(summary).toMatchObject({ epochs: 4, stoppedEarly: { plannedEpochs: 9, patience: 2 }, best: { epoch: 2 } });
  expect(await readFile(runFiles(calm).log, 'utf8')).toMatch(
    /\nStopped early after epoch 4 of 9: no better epoch on the validation images in 2 epochs \(best: epoch 2, verified error 100\.00 %\)\./,
  );

  // Stopped after the last epoch, in the final evaluation: the run is not trained any further.
  const abort = new AbortController();
  const onEvent = (event: RunEvent) => event.type === 'early-stop' && abort.abort();
  expect(await startRun(config, { folder: rough, onEvent, signal: abort.signal })).toBeNull();
  const events: RunEvent[] = [];
  expect(await resumeRun({ folder: rough, onEvent: (event) => events.push(event) })).toMatchObject({ epochs: 4 });
  expect(events.map(({ type }) => type).filter((type) => type !== 'evaluating' && type !== 'warning')).toEqual([
    ...['start', 'early-stop', 'finished'],
  ]);
  expect(await left(rough)).toEqual(await left(calm));
});

it.each([
  // The rectification begins with the sixth step.
  ['radam and one-cycle', { optimizer: 'radam', l2Decay: 0.01, rateSchedule: 'one-cycle' }],
  [
    'adamw, cosine and validation images',
    { optimizer: 'adamw', weightDecay: 0.1, rateSchedule: 'cosine', rateWarmup: 1, limit: 30, validation: 0.2 },
  ],
] satisfies readonly (readonly [string, Choices])[])(
  'a run with %s resumes to the same files',
  async (name, choices) => {
    await compare(name, choices, [2, 5]);
  },
);

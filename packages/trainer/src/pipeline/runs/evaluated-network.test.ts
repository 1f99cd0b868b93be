import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRng, type HostTree, toHost } from '@cert/core';
import { arrayDataset } from '@cert/datasets';
import { disposeTree, eagerDevice, putParams } from '@cert/jit';
import { loadCheckpoint, saveCheckpoint } from '@cert/models/node';
import { createEvaluator } from '@cert/verify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPopulationStats } from '../../population-stats.js';
import { putState } from '../../state.js';
import { type Choices, resolveConfig } from '../config/preset.js';
import { withPlugins } from '../plugins/with-plugins.js';
import { createEvaluatedNetwork } from './evaluated-network.js';
import type { RunEvent } from './event.js';
import { buildExperiment, startState } from './experiment.js';
import { runFiles } from './folder.js';
import { resumeRun, startRun } from './run.js';

let place: string;
const device = eagerDevice();
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-evaluated-'));
});
afterAll(async () => {
  await device.dispose();
  await rm(place, { recursive: true, force: true });
});

/** Images of 8x8 pixels; the class is whether the upper half is the brighter one. */
function images(count: number) {
  const rng = createRng(count, 'halves');
  const labels = Array.from({ length: count }, () => rng.int(2));
  const pixels = labels.flatMap((label) =>
    Array.from({ length: 64 }, (_, i) => (i < 32 === (label === 1) ? 0.4 : 0) + 0.6 * rng.uniform()),
  );
  return { shape: [8, 8, 1], classes: 2, images: Float32Array.from(pixels), labels };
}
const halves = arrayDataset({ name: 'halves', train: images(20), test: images(15) });
const catalog = withPlugins([{ name: 'mine', datasets: { halves: async () => halves } }]);

/** Four epochs of three steps; the ramp is over after the second. */
const STEPS = 3;
const configOf = (choices: Choices) =>
  resolveConfig(
    {
      ...{
        dataset: 'halves',
        epsilon: 0.02,
        device: 'tfjs',
        batchSize: 8,
        epochs: 4,
        rampStart: 1,
        rampLength: 1,
        width: 2,
        dense: 4,
      },
      ...{ attackRestarts: 1, attackSteps: 1, evalBatchSize: 10, ...choices },
    },
    catalog,
  );

const CASES: readonly [string, Choices][] = [
  ['precise', { preciseBatchNorm: true }],
  ['swa', { average: 'swa', averageStart: 3 }],
  ['ema', { average: 'ema', averageStart: 2, emaDecay: 0.8 }],
  ['precise-ema-in-parts', { preciseBatchNorm: true, average: 'ema', averageStart: 3, emaDecay: 0.5, accumulate: 2 }],
];

/** Where a run is stopped; after the last step of an epoch that is in its test. */
const STOPS: readonly ['step' | 'epoch', number][] = [
  ['step', 1],
  ['step', 4],
  ['step', 6],
  ['step', 8],
  ['epoch', 9],
  ['step', 11],
  ['step', 12],
  ['epoch', 12],
];

const timeless = (text: string) =>
  JSON.parse(text, (key, value) => (['trainSeconds', 'waitSeconds', 'evalSeconds'].includes(key) ? 0 : value));

/** Everything that a run leaves, without times. */
async function left(folder: string) {
  const { last, best, metrics, summary } = runFiles(folder);
  const checkpoints = await Promise.all([last, best].map((file) => loadCheckpoint(file)));
  return {
    checkpoints: checkpoints.map((found) => ({ ...found, metadata: timeless(JSON.stringify(found.metadata)) })),
    metrics: (await readFile(metrics, 'utf8')).trimEnd().split('\n').map(timeless),
    summary: timeless(await readFile(summary, 'utf8')),
  };
}

describe.each(CASES)('a run with %s', (name, choices) => {
  const config = configOf(choices);
  const calm = () => join(place, name);
  beforeAll(() => startRun(config, { folder: calm(), catalog }));

  it('stopped within epochs, in tests and after epochs ends with the very same files', async () => {
    const folder = join(place, `${name}-rough`);
    for (const [i, [type, step]] of STOPS.entries()) {
      const abort = new AbortController();
      const onEvent = (event: RunEvent) => {
        if (event.type === type && event.step === step) abort.abort();
      };
      const hooks = { folder, catalog, onEvent, signal: abort.signal };
      expect(await (i === 0 ? startRun(config, hooks) : resumeRun(hooks))).toBeNull();
      const { metadata, extra } = await loadCheckpoint(runFiles(folder).last);
      expect(metadata).toMatchObject({ position: { step } });
      // Only what was tested is an evaluated network.
      expect(Object.hasOwn(extra!, 'training')).toBe(type === 'epoch');
    }
    expect(await resumeRun({ folder, catalog })).not.toBeNull();
    expect(await left(folder)).toEqual(await left(calm()));
  });

  it('stores the network that it evaluates where every reader finds it, and beside it what training continues from', async () => {
    const experiment = buildExperiment(config, halves, catalog);
    const { checkpoints, metrics, summary } = await left(calm());
    const [{ model, params, stats, extra }] = checkpoints as [(typeof checkpoints)[0]];
    const training = extra!.training as { readonly stats: HostTree; readonly params?: HostTree };
    expect(stats).not.toEqual(training.stats);
    if (config.average === 'none') expect(training).not.toHaveProperty('params');
    else expect(params).not.toEqual(training.params);

    const weights = { params: putParams(device, params), stats: putParams(device, stats) };
    const population = createPopulationStats({ device, model });
    expect(await population.measure(weights.params, experiment.populationBatches())).toEqual(stats);
    await population.dispose();

    const evaluator = createEvaluator({ device, model });
    const { epsilon } = config;
    const test = await evaluator.evaluate(weights, { batches: experiment.testBatches(), epsilon });
    const { standardError, verifiedError } = summary;
    expect(test).toMatchObject({ standardError, verifiedError });
    expect(metrics.at(-1)).toMatchObject({ testError: standardError, testVerifiedError: verifiedError });
    await evaluator.dispose();
    disposeTree(weights);
  });
});

it('trains as without: the state of training is that of a plain run, which stores nothing else', async () => {
  const folder = join(place, 'plain');
  await startRun(configOf({}), { folder, catalog });
  const plain = await loadCheckpoint(runFiles(folder).last);
  expect(Object.keys(plain.extra!)).toEqual(['optimizer']);
  for (const name of ['precise', 'swa', 'ema']) {
    const { params, extra } = await loadCheckpoint(runFiles(join(place, name)).last);
    expect(extra!.optimizer).toEqual(plain.extra!.optimizer);
    expect({ params, ...(extra!.training as HostTree) }).toEqual({ params: plain.params, stats: plain.stats });
  }
});

it('before the average begins, the trained weights are evaluated with running statistics', async () => {
  const folder = join(place, 'before');
  const abort = new AbortController();
  const onEvent = ({ type }: RunEvent) => type === 'epoch' && abort.abort();
  await startRun(configOf({ average: 'swa', averageStart: 2 }), { folder, catalog, onEvent, signal: abort.signal });
  const { metadata, extra } = await loadCheckpoint(runFiles(folder).last);
  expect(metadata).toMatchObject({ position: { step: STEPS } });
  expect(Object.keys(extra!)).toEqual(['optimizer']);
});

it('is the state itself where nothing differs, and frees what it used', async () => {
  const experiment = buildExperiment(configOf({}), halves, catalog);
  const { model, populationBatches: batches } = experiment;
  const before = device.live;
  const state = putState(device, startState(configOf({}), experiment, catalog));
  const average = putParams(device, startState(configOf({ seed: 1 }), experiment, catalog).params);
  const plain = createEvaluatedNetwork({ device, model, batches, precise: false });
  const precise = createEvaluatedNetwork({ device, model, batches, precise: true });
  expect(await plain.of(state, undefined)).toBe(state);
  const first = await toHost(await precise.of(state, undefined));
  const live = device.live;
  for (let i = 0; i < 2; i++) expect(await toHost(await precise.of(state, undefined))).toEqual(first);
  expect(device.live).toBe(live);
  expect((await plain.of({ ...state, average }, undefined)).params).toBe(average);
  await expect(plain.of({ ...state, average }, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  for (const one of [plain, precise]) await one.dispose();
  disposeTree([state, average]);
  expect(device.live).toBe(before);
});

it('refuses a checkpoint whose state of training does not fit the model', async () => {
  const folder = join(place, 'damaged');
  const abort = new AbortController();
  const onEvent = ({ type }: RunEvent) => type === 'epoch' && abort.abort();
  await startRun(configOf({ average: 'swa', averageStart: 1 }), { folder, catalog, onEvent, signal: abort.signal });
  const { last } = runFiles(folder);
  const checkpoint = await loadCheckpoint(last);
  const { optimizer, average } = checkpoint.extra as { optimizer: HostTree; average: HostTree };
  const { params, stats } = checkpoint;
  const flat = { shape: [1], data: new Float32Array(1) };
  const cases: readonly [HostTree, string][] = [
    [{ training: { params } }, 'training.stats": The stats have no tensor at "bn1.mean"'],
    [{ training: flat }, 'training.stats": The stats have no tensor at "bn1.mean"'],
    [
      { training: { stats: { ...stats, bn1: { mean: flat } } } },
      'training.stats": The stats have the shape [1] at "bn1.mean"',
    ],
    [{ training: { stats, params: stats } }, 'training.params": The params have'],
    [
      { average: { ...average, conv1: { kernel: { shape: [1], data: new Int32Array(1) } } } },
      'average": expected float32',
    ],
    [{ average: stats }, 'average": The params have'],
  ];
  for (const [extra, problem] of cases) {
    await saveCheckpoint(last, { ...checkpoint, extra: { optimizer, ...extra } });
    await expect(resumeRun({ folder, catalog })).rejects.toMatchObject({
      code: 'bad-file',
      problem: expect.stringContaining(`${last} does not hold the state of training under "${problem}`),
    });
  }
});

it('an averaged run without BatchNorm is resumed', async () => {
  const config = configOf({ average: 'ema', averageStart: 1, emaDecay: 0.5, batchNorm: 'none' });
  const [folder, calm] = [join(place, 'no-norm-rough'), join(place, 'no-norm')];
  await startRun(config, { folder: calm, catalog });
  const abort = new AbortController();
  const onEvent = (event: RunEvent) => {
    if (event.type === 'step' && event.step === 8) abort.abort();
  };
  expect(await startRun(config, { folder, catalog, onEvent, signal: abort.signal })).toBeNull();
  expect(await resumeRun({ folder, catalog })).not.toBeNull();
  expect(await left(folder)).toEqual(await left(calm));
  expect(await resumeRun({ folder: calm, catalog })).not.toBeNull();
});

it('errors of epochs stand beside the radius that they were measured at, whatever radius trained', async () => {
  const folder = join(place, 'wider');
  await startRun(configOf({ trainRadius: 2, rampLength: 3 }), { folder, catalog });
  const lines = (await readFile(runFiles(folder).metrics, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const epochs = lines.filter(({ type }) => type === 'epoch');
  expect(epochs.at(-1)).toMatchObject({ epsilon: 0.02, trainEpsilon: 0.04 });
  for (const { epsilon, trainEpsilon } of epochs) expect(trainEpsilon).toBeCloseTo(2 * epsilon, 12);
  const { best } = JSON.parse(await readFile(runFiles(folder).summary, 'utf8'));
  expect(best.epoch).toBeGreaterThanOrEqual(3);
});

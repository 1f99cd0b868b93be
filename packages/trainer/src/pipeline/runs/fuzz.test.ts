/**
 * The readers of a run's folder on damaged files: a CertError, or what was written. `npm run fuzz` tries 10,000 files a reader; FUZZ_SEED
 * begins another sequence.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Rng } from '@cert/core';
import { arrayDataset } from '@cert/datasets';
import { decodeSafetensors, encodeSafetensors } from '@cert/models';
import { makeFolder } from '@cert/models/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mutateBytes } from '../../../../../fuzz/mutate-bytes.js';
import { mutateJson } from '../../../../../fuzz/mutate-json.js';
import { CASES, survives } from '../../../../../fuzz/survives.js';
import { standardCatalog } from '../catalog/catalog.js';
import { BEFORE } from '../config/config.js';
import { resolveConfig } from '../config/preset.js';
import { checkOptimizerState } from './check-optimizer-state.js';
import { buildExperiment, startState } from './experiment.js';
import { readRunCheckpoint, readRunConfig, readRunPlugins, runFiles, writeRunCheckpoint } from './folder.js';
import { cutMetrics, readMetricsLines } from './metrics-lines.js';

const config = resolveConfig({ model: 'small-conv', width: 1, dense: 2 });
const split = { shape: [8, 8, 1], classes: 2, images: new Uint8Array(128), labels: [0, 1] };
const experiment = buildExperiment(config, arrayDataset({ name: 'two', train: split, test: split }));

const shares = { active: 0.25, inactive: 0.25, unstable: 0.5 };
const LINES = [
  { type: 'step', step: 50, epoch: 1, epsilon: 0.05, learningRate: 0.002, loss: 1.5, error: 0.5 },
  {
    type: 'epoch',
    step: 60,
    epoch: 1,
    epsilon: 0.1,
    loss: null,
    relu: { images: 4, layers: { a: shares, b: shares } },
  },
  { type: 'epoch', step: 120, epoch: 2, epsilon: 0.1, loss: 1, relu: { images: 4, layers: { a: shares, b: shares } } },
];

let folder: string;
let checkpoint: Uint8Array;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cert-fuzz-'));
  await makeFolder(runFiles(folder).checkpoints);
  const progress = {
    position: { step: 3, sums: { loss: { sum: 4.5, images: 3 } } },
    best: { epoch: 1, verifiedError: 0.5, standardError: 0.25 },
    trainSeconds: 1.5,
  };
  const { last } = runFiles(folder);
  const state = startState(config, experiment);
  await writeRunCheckpoint(last, experiment, { state, network: state }, progress, config, standardCatalog);
  checkpoint = await readFile(last);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe(`a run survives ${CASES} damaged files of a kind`, { timeout: 60_000 + 100 * CASES }, () => {
  it.each<[string, (rng: Rng) => string | Uint8Array]>([
    ['structure', (rng) => mutateJson(config, rng)],
    ['bytes', (rng) => mutateBytes(Buffer.from(JSON.stringify(config, null, 2)), rng)],
  ])('config.json, %s', (part, damage) =>
    survives(`config.json ${part}`, damage, async (content) => {
      await writeFile(runFiles(folder).config, content);
      const plugins = await readRunPlugins(folder);
      const read = await readRunConfig(folder);
      expect(plugins).toEqual([]);
      expect({ ...BEFORE, ...read }).toEqual({ ...BEFORE, ...JSON.parse(Buffer.from(content).toString()) });
    }),
  );

  it.each<[string, (rng: Rng) => string | Uint8Array]>([
    [
      'structure',
      (rng) => LINES.map((line) => (rng.int(2) === 0 ? JSON.stringify(line) : mutateJson(line, rng))).join('\n'),
    ],
    ['bytes', (rng) => mutateBytes(Buffer.from(`${LINES.map((line) => JSON.stringify(line)).join('\n')}\n`), rng)],
  ])('metrics.jsonl, %s', (part, damage) =>
    survives(
      `metrics.jsonl ${part}`,
      damage,
      async (content) => {
        await writeFile(runFiles(folder).metrics, content);
        const { lines, damaged } = await readMetricsLines(folder);
        expect(lines.length + damaged).toBe(Buffer.from(content).toString().split('\n').length - 1);
        for (const { step, relu } of lines) {
          expect(Number.isSafeInteger(step)).toBe(true);
          for (const { active, inactive, unstable } of Object.values(relu?.layers ?? {}))
            expect(active + inactive + unstable).toBeCloseTo(1, 2);
        }
        expect(await cutMetrics(folder, 100)).toBe(damaged);
        const kept = lines.filter(({ step }) => step <= 100);
        expect(JSON.stringify(await readMetricsLines(folder))).toBe(JSON.stringify({ lines: kept, damaged: 0 }));
      },
      // Damaged lines are left out, not refused.
      { leastRefused: -1 },
    ),
  );

  const read = async (bytes: Uint8Array) => {
    const { last } = runFiles(folder);
    await writeFile(last, bytes);
    const { state, progress } = await readRunCheckpoint(last, experiment.model, config, standardCatalog);
    checkOptimizerState(last, state, experiment.optimizer);
    return { state, progress };
  };
  it('last.safetensors, bytes', async () => {
    const whole = await read(checkpoint);
    await survives(
      'last.safetensors',
      (rng) => mutateBytes(checkpoint, rng),
      async (bytes) => expect(await read(bytes)).toEqual(whole),
    );
  });

  it('last.safetensors, where training stood', () => {
    const { tensors, metadata } = decodeSafetensors(checkpoint);
    const { sha256: _, ...strings } = metadata;
    // The hash of the configuration stays: what is behind it is looked at.
    const { config: hash, ...progress } = JSON.parse(strings.metadata!) as { readonly config: string };
    return survives(
      'progress',
      (rng) => {
        const text = mutateJson(progress, rng).replace(/}$/, `,"config":"${hash}"}`);
        const kept = Object.entries(tensors).filter(([name]) => !name.startsWith('optimizer.') || rng.int(200) > 0);
        return encodeSafetensors({
          tensors: Object.fromEntries(kept),
          metadata: { ...strings, format: 'cert-checkpoint-1', metadata: text },
        });
      },
      async (bytes) => {
        const { progress: found, state } = await read(bytes);
        const { step, sums } = found.position;
        expect(Number.isSafeInteger(step) && step >= 0).toBe(true);
        for (const { sum, images } of Object.values(sums)) expect(Number.isFinite(sum / images)).toBe(true);
        expect(Object.keys(state.optimizer).sort()).toEqual(['mean', 'square']);
      },
    );
  });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveConfig } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTraining } from './training.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-training-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

const settings = { ...resolveConfig(), epochs: 40, rampStart: 3, rampLength: 10 };
const line = (type: 'step' | 'epoch', step: number) => ({
  type,
  step,
  epoch: Math.ceil(step / 1000),
  epsilon: step,
  learningRate: 0.1,
  loss: 1,
});

describe('readTraining', () => {
  it('thins lines of steps, keeps the last, and places them in epochs', async () => {
    const lines = Array.from({ length: 800 }, (_, i) => line('step', 50 * (i + 1)));
    const epochs = Array.from({ length: 40 }, (_, i) => line('epoch', 1000 * (i + 1)));
    const text = [...lines, ...epochs].sort((a, b) => a.step - b.step).map((each) => JSON.stringify(each));
    await writeFile(join(place, 'metrics.jsonl'), `${text.join('\n')}\n`);
    const { epsilon, losses, epochs: done } = await readTraining(place, settings);
    expect([done, losses.map(({ name, points }) => [name, points.length])]).toEqual([40, [['total', 40]]]);
    expect(epsilon.length).toBeLessThanOrEqual(240);
    expect(epsilon.at(-1)).toEqual([40, 40_000]);
    expect(epsilon.every(([epoch, value]) => epoch === value / 1000)).toBe(true);
  });

  it('has the phases of the configuration: no warmup without regularizers, no ramp of length 0', async () => {
    const phases = async (changes: object) => (await readTraining(place, { ...settings, ...changes })).phases;
    expect(await phases({})).toEqual([
      { name: 'warmup', from: 0, to: 12 },
      { name: 'ramp', from: 2, to: 12 },
    ]);
    expect(await phases({ regularizers: [] })).toEqual([{ name: 'ramp', from: 2, to: 12 }]);
    expect(await phases({ regSchedule: 'constant', epochs: 8 })).toEqual([{ name: 'ramp', from: 2, to: 8 }]);
    expect(await phases({ rampStart: 1, rampLength: 0 })).toEqual([]);
  });
});

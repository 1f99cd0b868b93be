import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runFiles } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatReluEpochs, type ReluEpoch, readReluEpochs } from './relu-report.js';

const states = (active: number) => ({
  images: 4,
  layers: { a: { active, inactive: 0.5 - active, unstable: 0.5 }, b: { active: 1, inactive: 0, unstable: 0 } },
});
const epoch = (number: number): ReluEpoch => ({ epoch: number, epsilon: number / 1000, ...states(0.25) });

describe('readReluEpochs', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-relu-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const write = (...lines: (object | string)[]) =>
    writeFile(
      runFiles(folder).metrics,
      lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''),
    );

  it('has the epochs in which they were counted, and leaves out a line that was cut short', async () => {
    await write(
      { type: 'step', step: 50, epoch: 1, epsilon: 0.1 },
      { type: 'epoch', step: 60, epoch: 1, epsilon: 0.1, loss: 3 },
      { type: 'epoch', step: 120, epoch: 2, epsilon: 0.2, loss: 2, relu: states(0.1) },
      '{"type":"epoch","step":180,"epo',
    );
    expect(await readReluEpochs(folder)).toEqual({
      ...{ epochs: [{ epoch: 2, epsilon: 0.2, ...states(0.1) }], damaged: 1 },
    });
  });

  it('counts damaged lines, and refuses epochs of two models', async () => {
    const one = { type: 'epoch', step: 60, epoch: 1, epsilon: 0.1, relu: states(0.1) };
    await write(one, { ...one, relu: null }, { ...one, relu: { layers: {} } });
    expect(await readReluEpochs(folder)).toMatchObject({ epochs: [{ epoch: 1 }], damaged: 2 });
    const { a } = states(0.1).layers;
    await write(one, { ...one, epoch: 2, relu: { images: 4, layers: { a } } });
    await expect(readReluEpochs(folder)).rejects.toMatchObject({
      code: 'bad-file',
      problem: expect.stringContaining('has the layers ["a","b"] in epoch 1 and ["a"] in epoch 2.'),
    });
  });

  it('says how to get them when there are none', async () => {
    await write({ type: 'epoch', step: 60, epoch: 1, epsilon: 0.1, loss: 3 });
    await expect(readReluEpochs(folder)).rejects.toMatchObject({
      code: 'bad-file',
      problem: expect.stringMatching(/metrics\.jsonl has no neuron counts: an older version/),
      cure: expect.stringContaining('Train again with this version'),
    });
  });

  it('says when no epoch is done yet', async () => {
    await write({ type: 'step', step: 50, epoch: 1, epsilon: 0.1 });
    await expect(readReluEpochs(folder)).rejects.toThrow(`${folder} has no finished epoch`);
    await rm(runFiles(folder).metrics);
    await expect(readReluEpochs(folder)).rejects.toThrow(`cert train --resume ${folder}`);
  });
});

describe('formatReluEpochs', () => {
  it('has a line for an epoch and a column for a layer', () => {
    expect(formatReluEpochs([epoch(1), epoch(2)]).split('\n')).toEqual([
      'epoch  epsilon               a              b',
      '1      0.00100  25.0/50.0/25.0  100.0/0.0/0.0',
      '2      0.00200  25.0/50.0/25.0  100.0/0.0/0.0',
    ]);
  });

  it('shows 20 of many epochs, the first and the last among them', () => {
    const epochs = Array.from({ length: 160 }, (_, i) => epoch(i + 1));
    const shown = formatReluEpochs(epochs)
      .split('\n')
      .slice(1)
      .map((line) => Number.parseInt(line, 10));
    expect(shown).toHaveLength(20);
    expect([shown[0], shown.at(-1)]).toEqual([1, 160]);
    expect(new Set(shown).size).toBe(20);
    expect(formatReluEpochs([epoch(7)]).split('\n')).toHaveLength(2);
  });
});

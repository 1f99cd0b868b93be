import { naturalPass, runningNorm } from '@cert/bounds';
import { createRng, tf, toHost, toTensors } from '@cert/core';
import { type Dataset, imagesOf, tableDataset } from '@cert/datasets';
import { eagerDevice } from '@cert/jit';
import { describe, expect, it } from 'vitest';
import { fit } from '../../fit.js';
import type { Objective } from '../../objectives/objective.js';
import { always } from '../../objectives/schedule.js';
import { standardCatalog } from '../catalog/catalog.js';
import { buildExperiment, startState } from '../runs/experiment.js';
import { classWeightsOf } from './class-weights.js';
import { type Choices, resolveConfig } from './preset.js';

/** 800 rows, 1 in 16 of the class rare; the classes overlap, so that few rare rows are worth a guess. */
function rareRows(): Dataset {
  const rng = createRng(4, 'rare');
  const rows = Array.from({ length: 800 }, (_, i) => {
    const rare = i % 16 === 0;
    return [String((rare ? 1 : -0.5) + rng.normal()), String(rng.normal()), rare ? 'rare' : 'usual'];
  });
  return tableDataset({ name: 'rare.csv', header: ['x', 'noise', 'class'], rows, lines: rows.map((_, i) => i + 2) });
}

/** Share of the rare test rows that a trained network finds. */
async function recall(data: Dataset, choices: Choices): Promise<number> {
  const config = resolveConfig({
    ...{ preset: 'tabular/mlp', data: 'rare.csv', epochs: 20, width: 8, dense: 8, epsilon: 0.05, learningRate: 0.01 },
    ...choices,
  });
  const experiment = buildExperiment(config, data);
  const device = eagerDevice();
  let state = startState(config, experiment);
  for await (const event of fit({ ...experiment, device, state })) {
    if (event.type === 'epoch') state = await toHost(event.state);
  }
  await device.dispose();
  return tf.tidy(() => {
    const { params, stats } = toTensors(state);
    const { images } = imagesOf(data.test);
    const [rows, width] = [data.test.count, data.test.shape[0]!];
    const { output } = naturalPass(
      { model: experiment.model, params, norm: runningNorm(stats) },
      tf.tensor2d(images, [rows, width]),
    );
    const predicted = tf.argMax(output, 1).dataSync();
    const rare = [...data.test.labels.keys()].filter((i) => data.test.labels[i] === 0);
    return rare.filter((i) => predicted[i] === 0).length / rare.length;
  });
}

describe('class weights', () => {
  it.each(['natural', 'fast'])('balanced ones raise the recall of a rare class, with the method %s', async (method) => {
    const data = rareRows();
    expect(data.classNames).toEqual(['rare', 'usual']);
    const [plain, balanced] = [
      await recall(data, { method }),
      await recall(data, { method, classWeights: 'balanced' }),
    ];
    expect(plain).toBeLessThanOrEqual(0.2);
    expect(balanced).toBeGreaterThanOrEqual(0.6);
  });

  const split = { labels: Uint8Array.of(0, 0, 1), classes: 2 };
  it('are none, balanced, or one number per class', () => {
    expect(classWeightsOf('none', split)).toBeNull();
    expect(classWeightsOf('balanced', split)).toEqual([0.75, 1.5]);
    expect(classWeightsOf('1, 1/4', split)).toEqual([1, 0.25]);
  });

  it.each([
    ['1,2,3', '--class-weights has 3 weights, but the dataset has 2 classes.'],
    ['1,-2', '--class-weights is "1,-2".'],
    ['1,many', '--class-weights is "1,many".'],
    ['0,0', '--class-weights gives every class the weight 0.'],
  ])('refuses %s', (text, problem) => {
    expect(() => classWeightsOf(text, split, ['no', 'yes'])).toThrow(expect.objectContaining({ problem }));
  });

  it('refuses a regression', () => {
    expect(() => classWeightsOf('balanced', { labels: Uint8Array.of(0), classes: 1 })).toThrow(/is a regression/);
  });

  it.each(['', '3', 'balance'])('refuses "%s" before the dataset is read', (classWeights) => {
    expect(() => resolveConfig({ classWeights })).toThrow(/--class-weights is ".*"; |--class-weights is ".*"\./);
  });

  it('refuses an objective of a plug-in that ignores them, before the first step', () => {
    const objective: Objective = { name: 'mine', bounded: false, loss: () => tf.scalar(0) };
    const catalog = {
      ...standardCatalog,
      objectives: { ...standardCatalog.objectives, mine: () => always(objective) },
    };
    const config = resolveConfig(
      { preset: 'tabular/mlp', data: 'rare.csv', objective: 'mine', classWeights: 'balanced' },
      catalog,
    );
    expect(() => buildExperiment(config, rareRows(), catalog)).toThrow(/The objective mine does not weight examples/);
  });
});

import { randomFillSync } from 'node:crypto';
import { createRng, type Model, mapTree, sizeOf, type Tree } from '@cert/core';
import type { Augmentation, SplitBatch } from '@cert/datasets';
import { loadBatches } from '@cert/datasets/node';
import { ibpInit } from '@cert/init';
import { type Device, disposeTree } from '@cert/jit';
import { reluBalance, tightness } from '@cert/regularizers';
import { adam, createTrainStep, initialState, putState, robustObjective } from '@cert/trainer';
import { randomBatch } from './random-batch.js';
import type { Work } from './work.js';
import type { Workload } from './workloads.js';

/** Training steps of a workload, each on the state that the step before left. */
export function training(device: Device, workload: Workload): Work {
  const { batch, epsilon, augment } = workload;
  const { objective = robustObjective(), regularizers = [tightness(), reluBalance()] } = workload;
  const model = workload.model();
  const optimizer = adam();
  let state = putState(device, initialState(model, ibpInit(model, 0), optimizer));
  const source = augment === undefined ? sameBatch(model, batch) : newBatches(model, batch, augment);

  const noiseShape = objective.noise?.(model) ?? model.inputShape;
  const noiseRng = createRng(0, 'bench-noise');
  const noiseValues = Float32Array.from({ length: batch * sizeOf(noiseShape) }, () => 2 * noiseRng.uniform() - 1);

  const step = device.jit(createTrainStep({ model, objective, optimizer, regularizers }));
  let count = 0;
  return {
    async ready() {
      const { value: host } = await source.next();
      if (!host) throw new Error('There are no more batches.');
      return async () => {
        const numbers = {
          ...{ epsilon: epsilon / 2, ramp: 0.5, regWeight: 0.25, learningRate: 5e-4 },
          ...optimizer.hyper(count++),
        };
        const hyper = mapTree((x: number) => device.put(Float32Array.of(x), []), numbers as Tree<number>);
        const images = device.put(host.images, [batch, ...model.inputShape]);
        const labels = device.put(host.labels, [batch]);
        const noise = objective.choose && device.put(noiseValues, [batch, ...noiseShape]);
        const next = await step(state as never, { images, labels, ...(noise && { noise }) } as never, hyper as never);
        disposeTree([images, labels]);
        disposeTree(state);
        disposeTree(hyper);
        if (noise) disposeTree([noise]);
        state = next.state;
        await next.metrics.loss.data();
        disposeTree(next.metrics);
      };
    },
    async dispose() {
      disposeTree(state);
      await source.return(undefined);
      await step.dispose();
    },
  };
}

type Source = AsyncGenerator<Pick<SplitBatch, 'images' | 'labels'>, undefined>;

async function* sameBatch(model: Model, batch: number): Source {
  const host = randomBatch(model, batch);
  for (;;) yield host;
}

async function* newBatches({ inputShape }: Model, batch: number, augment: Augmentation): Source {
  const count = 50_000;
  const images = new Uint8Array(new SharedArrayBuffer(inputShape.reduce((a, b) => a * b, count)));
  randomFillSync(images);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 10);
  const split = { shape: inputShape, classes: 10, count, images, scale: 1 / 255, labels };
  for (let epoch = 1; ; epoch++) yield* loadBatches(split, { batchSize: batch, seed: 0, epoch, augment });
}

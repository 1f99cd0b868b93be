/** Times one workload in a process of its own, so that peak memory is its own: `time-step.ts NAME STEPS WARMUP THREADS DEVICE [PROFILE]`. */
import { randomFillSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createRng, mapTree, sizeOf, type Tree } from '@cert/core';
import type { Augmentation, SplitBatch } from '@cert/datasets';
import { loadBatches } from '@cert/datasets/node';
import { ibpInit } from '@cert/init';
import { disposeTree } from '@cert/jit';
import { cpuDevice, cudaDevice, openDevice, webgpuDevice } from '@cert/jit/node';
import { reluBalance, tightness } from '@cert/regularizers';
import { adam, createTrainStep, initialState, putState, robustObjective } from '@cert/trainer';
import onnxProto from 'onnx-proto';
import * as ort from 'onnxruntime-node';
import { findWorkload } from './find-workload.js';

const [name = '', steps = '5', warmup = '2', threads = '2', on = 'cpu', profile] = process.argv.slice(2);
const workload = findWorkload(name)!;
const { batch, epsilon, augment } = workload;
const { objective = robustObjective(), regularizers = [tightness(), reluBalance()] } = workload;

const model = workload.model();
const { inputShape } = model;
const optimizer = adam();
let nodes = 0;
let traced = 0;
let loaded = 0;
/** The runtime, which notes when the last session was there. */
const load = async (): Promise<typeof ort> => {
  const create = async (...args: Parameters<typeof ort.InferenceSession.create>) => {
    const session = await ort.InferenceSession.create(...args);
    loaded = performance.now();
    return session;
  };
  return { ...ort, InferenceSession: { create } as typeof ort.InferenceSession };
};
const options = {
  load,
  onModel(bytes: Uint8Array) {
    traced = performance.now();
    nodes = onnxProto.onnx.ModelProto.decode(bytes).graph?.node?.length ?? 0;
    if (profile) writeFileSync(`${profile}.onnx`, bytes);
  },
  ...(profile && { profile }),
};
const device = await (on === 'cpu'
  ? cpuDevice({ threads: Number(threads), ...options })
  : on === 'webgpu'
    ? webgpuDevice(options)
    : on === 'cuda'
      ? cudaDevice(options)
      : openDevice(on));
let state = putState(device, initialState(model, ibpInit(model, 0), optimizer));
const source = augment === undefined ? sameBatch() : newBatches(augment);

const noiseShape = objective.noise?.(model) ?? inputShape;
const noiseRng = createRng(0, 'bench-noise');
const noiseValues = Float32Array.from({ length: batch * sizeOf(noiseShape) }, () => 2 * noiseRng.uniform() - 1);

const step = device.jit(createTrainStep({ model, objective, optimizer, regularizers }));
const times: number[] = [];
const cpuTimes: number[] = [];
let compileMs = 0;
let traceMs = 0;
let loss = 0;
const waits: number[] = [];
for (let i = 0; i < Number(warmup) + Number(steps); i++) {
  const asked = performance.now();
  const { value: host } = await source.next();
  const start = performance.now();
  const cpu = process.cpuUsage();
  const numbers = { epsilon: epsilon / 2, ramp: 0.5, regWeight: 0.25, learningRate: 5e-4, ...optimizer.hyper(i) };
  const hyper = mapTree((x: number) => device.put(Float32Array.of(x), []), numbers as Tree<number>);
  if (!host) throw new Error('There are no more batches.');
  const images = device.put(host.images, [batch, ...inputShape]);
  const labels = device.put(host.labels, [batch]);
  const noise = objective.choose && device.put(noiseValues, [batch, ...noiseShape]);
  const next = await step(state as never, { images, labels, ...(noise && { noise }) } as never, hyper as never);
  disposeTree([images, labels]);
  disposeTree(state);
  disposeTree(hyper);
  if (noise) disposeTree([noise]);
  state = next.state;
  loss = (await next.metrics.loss.data())[0]!;
  disposeTree(next.metrics);
  const elapsed = performance.now() - start;
  if (i === 0) [compileMs, traceMs] = [loaded - start, traced - start];
  const { user, system } = process.cpuUsage(cpu);
  if (i >= Number(warmup)) {
    times.push(elapsed);
    waits.push(start - asked);
    cpuTimes.push((user + system) / 1000);
  }
}
process.stdout.write(
  `${JSON.stringify({ times, waits, cpuTimes, compileMs, traceMs, nodes, peakMiB: process.resourceUsage().maxRSS / 1024, loss, traces: step.traces, device: device.description, live: device.live })}\n`,
);
await source.return(undefined);
await device.dispose();

type Source = AsyncGenerator<Pick<SplitBatch, 'images' | 'labels'>, undefined>;

async function* sameBatch(): Source {
  const rng = createRng(0, 'bench');
  const size = inputShape.reduce((a, b) => a * b, batch);
  const images = Float32Array.from({ length: size }, rng.uniform);
  const labels = Int32Array.from({ length: batch }, () => rng.int(10));
  for (;;) yield { images, labels };
}

async function* newBatches(changes: Augmentation): Source {
  const count = 50_000;
  const images = new Uint8Array(new SharedArrayBuffer(inputShape.reduce((a, b) => a * b, count)));
  randomFillSync(images);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 10);
  const split = { shape: inputShape, classes: 10, count, images, scale: 1 / 255, labels };
  for (let epoch = 1; ; epoch++) yield* loadBatches(split, { batchSize: batch, seed: 0, epoch, augment: changes });
}

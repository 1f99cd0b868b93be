/** Times one workload in a process of its own, so that peak memory is its own: `time-step.ts NAME STEPS WARMUP THREADS [PROFILE]`. */
import { createRng, mapTree, type Tensor, type Tree } from '@cert/core';
import { ibpInit } from '@cert/init';
import { cpuDevice, type DeviceArray, disposeTree } from '@cert/jit';
import { reluBalance, tightness } from '@cert/regularizers';
import { adam, createTrainStep, initialState, robustObjective } from '@cert/trainer';
import { workloads } from './workloads.js';

const [name = '', steps = '5', warmup = '2', threads = '2', profile] = process.argv.slice(2);
const workload = workloads[name]!;
const { batch, epsilon } = workload;

const model = workload.model();
const { inputShape } = model;
const optimizer = adam();
const device = await cpuDevice({ threads: Number(threads), ...(profile && { profile }) });
const put = (tensor: Tensor) => device.put(tensor.dataSync() as Float32Array, tensor.shape);
const tensors = initialState(model, ibpInit(model, 0), optimizer);
let state = mapTree(put, tensors as unknown as Tree<Tensor>);
const rng = createRng(0, 'bench');
const size = inputShape.reduce((a, b) => a * b, batch);
const images = device.put(Float32Array.from({ length: size }, rng.uniform), [batch, ...inputShape]);
const labels = device.put(
  Int32Array.from({ length: batch }, () => rng.int(10)),
  [batch],
);

const step = device.jit(
  createTrainStep({ model, objective: robustObjective(), optimizer, regularizers: [tightness(), reluBalance()] }),
);
const times: number[] = [];
const cpuTimes: number[] = [];
let first = 0;
let loss = 0;
for (let i = 0; i < Number(warmup) + Number(steps); i++) {
  const start = performance.now();
  const cpu = process.cpuUsage();
  const numbers = { epsilon: epsilon / 2, regWeight: 0.25, learningRate: 5e-4, ...optimizer.hyper(i) };
  const hyper = mapTree((x: number) => device.put(Float32Array.of(x), []), numbers as Tree<number>);
  const next = await step(state as never, { images, labels } as never, hyper as never);
  disposeTree(state);
  disposeTree(hyper);
  state = next.state as Tree<DeviceArray>;
  loss = (await next.metrics.loss.data())[0]!;
  disposeTree(next.metrics);
  const elapsed = performance.now() - start;
  if (i === 0) first = elapsed;
  const { user, system } = process.cpuUsage(cpu);
  if (i >= Number(warmup)) {
    times.push(elapsed);
    cpuTimes.push((user + system) / 1000);
  }
}
process.stdout.write(
  `${JSON.stringify({ times, cpuTimes, firstMs: first, peakMiB: process.resourceUsage().maxRSS / 1024, loss, traces: step.traces, device: device.description, live: device.live })}\n`,
);
await device.dispose();

/** Times one workload in a process of its own, so that peak memory is its own: `time-step.ts NAME STEPS WARMUP THREADS DEVICE [PROFILE]`. */
import { writeFileSync } from 'node:fs';
import { cpuDevice, cudaDevice, openDevice, webgpuDevice } from '@cert/jit/node';
import onnxProto from 'onnx-proto';
import * as ort from 'onnxruntime-node';
import { findWorkload } from './find-workload.js';
import { training } from './training.js';

const [name = '', steps = '5', warmup = '2', threads = '2', on = 'cpu', profile] = process.argv.slice(2);
const workload = findWorkload(name)!;

let traces = 0;
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
    traces++;
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

const { evaluation, batch, epsilon } = workload;
const work =
  evaluation === undefined
    ? training(device, workload)
    : evaluation({ device, model: workload.model(), batch, epsilon });
const times: number[] = [];
const cpuTimes: number[] = [];
const waits: number[] = [];
let compileMs = 0;
let traceMs = 0;
for (let i = 0; i < Number(warmup) + Number(steps); i++) {
  const asked = performance.now();
  const step = await work.ready();
  const start = performance.now();
  const cpu = process.cpuUsage();
  await step();
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
  `${JSON.stringify({ times, waits, cpuTimes, compileMs, traceMs, nodes, peakMiB: process.resourceUsage().maxRSS / 1024, traces, device: device.description })}\n`,
);
await work.dispose();
await device.dispose();

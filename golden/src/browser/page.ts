/** The program of the test page: functions that a test calls by name. Arguments and results are plain data. */
import { CertError, type Tensor, tf } from '@cert/core';
import { type Device, eagerDevice } from '@cert/jit';
import { type WebDevice, type WebOptions, webDevice } from '@cert/jit/web';
import type { ImageResult } from '@cert/verify';
import type { Row } from '../compare.js';
import { compareFile } from '../compare-file.js';
import { certifySmall } from './certify-small.js';
import { batchesOf, type Digits, type PlainBatch, trainDigits } from './train-digits.js';

/** Texts of files by their names. */
export type Texts = { readonly [file: string]: string };

/** What is counted of WebGPU, where the browser has it. */
interface Gpu {
  readonly GPUDevice?: { readonly prototype: { createBuffer(options: unknown): unknown } };
  readonly GPUBuffer?: { readonly prototype: { destroy(): void } };
}

/** Buffers of the GPU that were created and not destroyed. */
let buffers = 0;
const { GPUDevice, GPUBuffer }: object & Gpu = globalThis;
if (GPUDevice !== undefined && GPUBuffer !== undefined) {
  const { createBuffer } = GPUDevice.prototype;
  const { destroy } = GPUBuffer.prototype;
  GPUDevice.prototype.createBuffer = function (options) {
    buffers++;
    return createBuffer.call(this, options);
  };
  GPUBuffer.prototype.destroy = function () {
    buffers--;
    destroy.call(this);
  };
}

let device: Device | undefined;

const opened = (): Device => {
  if (device === undefined) throw new Error('No device is open.');
  return device;
};

const program = {
  /** Opens the device of all later calls, and says what it is, or which error it ends with. */
  async open(options: WebOptions) {
    try {
      const web: WebDevice = await webDevice(options);
      device = web;
      const { name, backend, description, warning = '', threads } = web;
      return { name, backend, description, warning, threads };
    } catch (error) {
      if (!(error instanceof CertError)) throw error;
      return { code: error.code, problem: error.problem, cure: error.cure };
    }
  },

  /** Opens a backend of TensorFlow.js instead. */
  async openEager(backend: string): Promise<string> {
    await tf.setBackend(backend);
    device = eagerDevice();
    return device.description;
  },

  /** Compares a golden file; `texts` has it and the files that it names. */
  async golden({ name, texts }: { readonly name: string; readonly texts: Texts }): Promise<Row[]> {
    const rows: Row[] = [];
    for await (const row of compareFile(async (file) => texts[file] ?? '', name, [opened()])) rows.push(row);
    return rows;
  },

  /** Certifies a small network at the arithmetic `deployed`. */
  certify: (spoil?: 'kernel' | 'bias'): Promise<ImageResult[]> => certifySmall(opened(), spoil),

  /** Trains the network of digits/quick. */
  digits: (plain: readonly PlainBatch[]): Promise<Digits> => trainDigits(opened(), batchesOf(plain), () => buffers),

  /** Least squares by gradient descent: w with [[1, 0], [0, 1], [1, 1]] w = [2, -1, 1], and what is alive after each step. */
  async descend(steps: number) {
    const device = opened();
    const step = device.jit((w: Tensor, x: Tensor, y: Tensor) => {
      const loss = (v: Tensor) => tf.sum(tf.square(tf.sub(tf.dot(x, v), y))).asScalar();
      return tf.sub(w, tf.mul(tf.grad(loss)(w), 0.2));
    });
    const [x, y] = [device.put(Float32Array.of(1, 0, 0, 1, 1, 1), [3, 2]), device.put(Float32Array.of(2, -1, 1), [3])];
    let w = device.put(new Float32Array(2), [2]);
    const [live, counts]: [number[], number[]] = [[], []];
    for (let i = 0; i < steps; i++) {
      const next = await step(w, x, y);
      w.dispose();
      w = next;
      live.push(device.live);
      counts.push(buffers);
    }
    return { values: [...(await w.data())], live, buffers: counts };
  },

  /** What is alive. */
  async count(): Promise<{ readonly arrays: number; readonly tensors: number }> {
    return { arrays: opened().live, tensors: tf.memory().numTensors };
  },
};

/** What a test can call. */
export type Program = typeof program;

Object.assign(globalThis, { program });

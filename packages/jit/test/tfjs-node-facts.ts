/** Opens the device tfjs-node with the package that is installed, in a process of its own, and prints as JSON what it computes. */
import { createRng, type Tensor, type Tensor4D, tf } from '@cert/core';
import { eagerDevice } from '../src/index.js';
import { tfjsNodeDevice } from '../src/node/index.js';

await tf.ready();
const javascript = eagerDevice();
const device = await tfjsNodeDevice();
const rng = createRng(1, 'tfjs-node');

/** Numbers of 40 binary orders of magnitude: products cancel, and a transform of images (Winograd) loses small ones beside large ones. */
const mixed = (size: number) =>
  Float32Array.from({ length: size }, () => rng.normal() * 2 ** Math.floor(40 * rng.uniform() - 20));

/** The largest difference between two convolutions, as a multiple of g(n + 1) (|x| * |W|), which sums of products in any order respect. */
async function convolutionError(channels: number, size: number, pad: number): Promise<number> {
  const x = device.put(mixed(2 * 14 * 14 * channels), [2, 14, 14, channels]);
  const w = device.put(mixed(size * size * channels * 8), [size, size, channels, 8]);
  const got = await (await device.jit(convolution(pad))(x, w)).data();
  const terms = size * size * channels;
  const unit = ((terms + 1) * 2 ** -24) / (1 - (terms + 1) * 2 ** -24);
  // JavaScript's numbers have 53 bits.
  const [host, filter] = [await x.data(), await w.data()];
  const width = 14 + 2 * pad - size + 1;
  let worst = 0;
  got.forEach((value, at) => {
    const [f, j, i] = [at % 8, Math.floor(at / 8) % width, Math.floor(at / (8 * width)) % width];
    const image = Math.floor(at / (8 * width * width));
    let [sum, magnitude] = [0, 0];
    for (let p = 0; p < size; p++) {
      for (let q = 0; q < size; q++) {
        const [row, column] = [i + p - pad, j + q - pad];
        if (row < 0 || row >= 14 || column < 0 || column >= 14) continue;
        for (let c = 0; c < channels; c++) {
          const pixel = host[((image * 14 + row) * 14 + column) * channels + c]!;
          const term = pixel * filter[((p * size + q) * channels + c) * 8 + f]!;
          sum += term;
          magnitude += Math.abs(term);
        }
      }
    }
    worst = Math.max(worst, Math.abs(value - sum) / (unit * magnitude));
  });
  return worst;
}

const convolution = (pad: number) => (x: Tensor, w: Tensor) => tf.conv2d(x as Tensor4D, w as Tensor4D, 1, pad);

const KEEP_NAN: readonly ((x: Tensor) => Tensor)[] = [
  tf.relu,
  tf.abs,
  (x) => tf.maximum(x, 0),
  (x) => tf.maximum(tf.zerosLike(x), x),
  (x) => tf.minimum(x, 0),
  (x) => tf.leakyRelu(x, 0.1),
  (x) => tf.clipByValue(x, 0, 1),
  (x) => tf.max(x, 0, true),
  (x) => tf.logSumExp(x, 0, true),
];

/** Whether NaN among numbers stays NaN, at the ends and in the middle of arrays of several lengths. */
async function keepsNaN(): Promise<boolean> {
  for (const length of [1, 3, 8, 17, 100]) {
    for (const at of [0, length >> 1, length - 1]) {
      const x = device.put(new Float32Array(length).fill(0.5).fill(Number.NaN, at, at + 1), [length]);
      for (const f of KEEP_NAN) {
        const values = await (await device.jit(f)(x)).data();
        if (!Number.isNaN(values.length === length ? values[at] : values[0])) return false;
      }
    }
  }
  return true;
}

const step = (x: Tensor) => tf.grad((y: Tensor) => tf.sum(tf.square(tf.relu(y))).asScalar())(x);
const numbers = mixed(20);
const [own, other] = await Promise.all(
  [device, javascript].map(async (on) => [...(await (await on.jit(step)(on.put(numbers, [20]))).data())]),
);

process.stdout.write(
  JSON.stringify({
    description: device.description,
    roundsToNearest: device.roundsToNearest,
    backend: tf.getBackend(),
    same: JSON.stringify(own) === JSON.stringify(other),
    errors: [await convolutionError(16, 3, 1), await convolutionError(3, 5, 2), await convolutionError(24, 1, 0)],
    keepsNaN: await keepsNaN(),
  }),
);

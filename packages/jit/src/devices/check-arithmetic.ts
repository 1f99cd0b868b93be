/** Whether a device computes as bounds assume: products and sums in float32, NaN that stays NaN. */
import { createRng, type Tensor, type Tensor2D, type Tensor4D, tf } from '@cert/core';
import { type Device, disposeTree, type HostArray } from './device.js';

const [SIZE, CHANNELS] = [8, 16];
const COUNT = SIZE * SIZE * CHANNELS;

/** Units in the last place by which a division or a square root may be wrong: the limit of WebGPU, which bounds account for. */
const DIVISION = 2.5;

/**
 * Runs products with 0 and 1, whose results are exact in float32 in every order of sums, operations that round once, and operations on NaN.
 * 16-bit floats, TF32 and Winograd's transforms give other numbers, and some GPUs make numbers of NaN.
 *
 * @returns what is wrong, in words; undefined where nothing is
 */
export async function checkArithmetic(device: Device): Promise<string | undefined> {
  // All 24 bits, and sizes from 2^-12 to 2^12: a transform adds large numbers to small ones.
  const rng = createRng(11, 'arithmetic');
  const x = Float32Array.from({ length: COUNT }, () => rng.normal() * 2 ** Math.round(24 * rng.uniform() - 12));
  const y = Float32Array.from({ length: COUNT }, () => rng.uniform() + 3);
  const identity = Float32Array.from({ length: CHANNELS ** 2 }, (_, i) => Number(i % (CHANNELS + 1) === 0));
  // The identity in the center of a filter of 3 x 3.
  const centers = new Float32Array(9 * CHANNELS ** 2);
  centers.set(identity, 4 * CHANNELS ** 2);

  const test = device.jit(arithmetic);
  const args = [
    device.put(x, [COUNT]),
    device.put(y, [COUNT]),
    device.put(identity, [CHANNELS, CHANNELS]),
    device.put(centers, [3, 3, CHANNELS, CHANNELS]),
    device.put(new Float32Array(6).fill(Number.NaN), [6]),
  ] as const;
  const results = await test(...args);
  const read = Object.entries(results).map(async ([name, array]) => [name, await array.data()] as const);
  const values = Object.fromEntries(await Promise.all(read));
  disposeTree([args, results]);
  await test.dispose();

  const differs = (name: string, wanted: (i: number) => number, units = 0): boolean =>
    !x.every((_, i) => Math.abs(values[name]![i]! - wanted(i)) <= units * unitOf(wanted(i)));
  const lost = (numbers: HostArray): boolean => !numbers.every((number) => Number.isNaN(number));
  if (differs('product', (i) => x[i]!)) return 'a product with the identity matrix changes numbers';
  if (differs('convolution', (i) => x[i]!)) return 'a convolution with the identity changes numbers';
  if (differs('sum', (i) => Math.fround(x[i]! + y[i]!))) return 'sums are not rounded to nearest';
  if (differs('multiple', (i) => Math.fround(x[i]! * y[i]!))) return 'products are not rounded to nearest';
  if (differs('quotient', (i) => x[i]! / y[i]!, DIVISION)) return 'quotients are inexact';
  if (differs('root', (i) => Math.sqrt(y[i]!), DIVISION)) return 'square roots are inexact';
  if (lost(values.nans!)) return 'NaN becomes a number';
  return values.compared!.some(Boolean) ? 'NaN is greater or less than 0' : undefined;
}

function arithmetic(x: Tensor, y: Tensor, identity: Tensor, centers: Tensor, nan: Tensor) {
  const ofNaN = [
    ...[tf.relu, tf.exp, tf.log, tf.sigmoid, tf.sqrt, tf.abs, tf.neg, tf.softmax, tf.sum].map((f) => f(nan)),
    ...[tf.add(nan, 1), tf.mul(nan, 0), tf.sub(nan, nan), tf.div(nan, nan)],
  ];
  return {
    product: tf.matMul(tf.reshape(x, [SIZE * SIZE, CHANNELS]) as Tensor2D, identity as Tensor2D),
    convolution: tf.conv2d(tf.reshape(x, [1, SIZE, SIZE, CHANNELS]) as Tensor4D, centers as Tensor4D, 1, 'same'),
    sum: tf.add(x, y),
    multiple: tf.mul(x, y),
    quotient: tf.div(x, y),
    root: tf.sqrt(y),
    nans: tf.concat(ofNaN.map((value) => tf.reshape(value, [-1]))),
    compared: tf.logicalOr(tf.greater(nan, 0), tf.less(nan, 0)),
  };
}

/** The distance of float32 numbers around a number. */
const unitOf = (value: number): number => 2 ** (Math.floor(Math.log2(Math.abs(value))) - 23);

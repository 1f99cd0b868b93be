/** Sums whose terms cancel: what is small is lost in one order of summation and survives in another. */
import { add, avgPool, conv2d, dense, flatten, graph, type Rng, relu } from '@cert/core';
import type { AdversarialNetwork } from './adversarial-network.js';
import { chain, manyExecutions, mustFool, networkOf, thresholdBias, thresholdKernel } from './build.js';

const repeat = (count: number, value: number): number[] => Array.from({ length: count }, () => value);
const UNIT = { min: 0, max: 1 };

/** u + 2^k - 2^k: the center of u is lost, its radius is not. */
export function lostCenter(rng: Rng): AdversarialNetwork {
  const large = 2 ** (32 + rng.int(30));
  const network = chain([1], [dense(2), relu(), dense(1), dense(2)], {
    // The constant 1, and u = 128 x.
    dense1: { kernel: [0, 128], bias: [1, 0] },
    dense2: { kernel: [large, 1], bias: [-large] },
    dense3: { kernel: thresholdKernel, bias: thresholdBias(32) },
  });
  const image = Float32Array.of(0.5);
  return mustFool({
    ...network,
    ...{ name: 'lost-center', image, label: 0, epsilon: 0.125, range: UNIT },
    ...{ points: [image], executions: manyExecutions(rng) },
  });
}

/** relu(u + 2^k) - 2^k: what is executed is rounded up to a step of 2^k, the bounds keep the radius of u. */
export function absorbedRadius(rng: Rng): AdversarialNetwork {
  const exponent = 24 + rng.int(20);
  const step = 2 ** (exponent - 23);
  const network = chain([1], [dense(1), relu(), dense(1), dense(2)], {
    dense1: { kernel: [step], bias: [2 ** exponent] },
    dense2: { kernel: [1], bias: [-(2 ** exponent)] },
    dense3: { kernel: thresholdKernel, bias: thresholdBias(0.875 * step) },
  });
  return mustFool({
    ...network,
    ...{ name: 'absorbed-radius', image: Float32Array.of(0), label: 0, epsilon: 0.75, range: { min: -1, max: 1 } },
    ...{ points: [Float32Array.of(0.75)], executions: manyExecutions(rng) },
  });
}

/** The threshold itself is lost: (threshold + 2^k) - 2^k - u, with the large numbers in biases. */
export function lostThreshold(rng: Rng): AdversarialNetwork {
  const exponent = 26 + rng.int(20);
  const large = 2 ** exponent;
  // Half a step of the numbers just below `large`.
  const half = 2 ** (exponent - 25);
  const network = chain([1], [dense(1), dense(1), dense(2)], {
    dense1: { kernel: [4 * half], bias: [-1.25 * half] },
    dense2: { kernel: [1], bias: [large] },
    // Class 0 has the logit -half, class 1 u + large - large.
    dense3: { kernel: thresholdKernel, bias: [-half, -large] },
  });
  const image = Float32Array.of(0);
  return mustFool({
    ...network,
    ...{ name: 'lost-threshold', image, label: 0, epsilon: 0.0703125, range: { min: -1, max: 1 } },
    ...{ points: [Float32Array.of(0.0703125)], executions: manyExecutions(rng) },
  });
}

/** 2^24 + 1 + 1 + ... - 2^24, in a convolution: in order every 1 is lost. */
export function twoToThe24(rng: Rng): AdversarialNetwork {
  const side = 4 + rng.int(3);
  const ones = side * side - 1;
  const network = chain(
    [side, side, 1],
    [conv2d(2, { kernel: 1, padding: 0 }), conv2d(1, { kernel: side, padding: 0 }), flatten(), dense(2)],
    {
      // Channels x and 1.
      conv2d1: { kernel: [1, 0], bias: [0, 1] },
      conv2d2: { kernel: [0, 2 ** 24, ...Array.from({ length: ones }, () => [1, 0]).flat()], bias: [-(2 ** 24)] },
      dense1: { kernel: thresholdKernel, bias: thresholdBias(ones / 2) },
    },
  );
  const image = Float32Array.from(repeat(ones + 1, 1));
  return mustFool({
    ...network,
    ...{ name: 'two-to-the-24', image, label: 0, epsilon: 0.25, range: { min: 0, max: 2 } },
    ...{ points: [image], executions: manyExecutions(rng) },
  });
}

/** Large terms of either sign around small ones: the sum depends on the order. */
export function orderOfSums(rng: Rng): AdversarialNetwork {
  const pairs = 1 + rng.int(3);
  const small = 2 + rng.int(3);
  const large = 2 ** (70 + rng.int(20));
  const weights = [...repeat(pairs, large), ...repeat(small, 64), ...repeat(pairs, -large)];
  const isSmall = (i: number) => i >= pairs && i < pairs + small;
  const network = chain([1], [dense(weights.length), relu(), dense(1), dense(2)], {
    dense1: {
      kernel: weights.map((_, i) => (isSmall(i) ? 1 : 0)),
      bias: weights.map((_, i) => (isSmall(i) ? 0 : 1)),
    },
    dense2: { kernel: weights },
    dense3: { kernel: thresholdKernel, bias: thresholdBias(24) },
  });
  const image = Float32Array.of(0.5);
  return mustFool({
    ...network,
    ...{ name: 'order-of-sums', image, label: 0, epsilon: 0.03125, range: UNIT },
    ...{ points: [image], executions: manyExecutions(rng) },
  });
}

/** The same inside of ReLUs, with offsets that only the right order shows: relu(w + u - w + b) - relu(w + u - w). */
export function behindRelu(rng: Rng): AdversarialNetwork {
  const large = 2 ** (70 + rng.int(20));
  const network = chain([1], [dense(3), relu(), dense(2), relu(), dense(1), dense(2)], {
    // 1, u = 64 x, 1.
    dense1: { kernel: [0, 64, 0], bias: [1, 0, 1] },
    // [in, out]: both w + u - w, the first with a weight of u that is larger by 1.
    dense2: { kernel: [large, large, 2, 1, -large, -large] },
    dense3: { kernel: [1, -1] },
    dense4: { kernel: thresholdKernel, bias: thresholdBias(16) },
  });
  const image = Float32Array.of(0.5);
  return mustFool({
    ...network,
    ...{ name: 'behind-relu', image, label: 0, epsilon: 0.0625, range: UNIT },
    ...{ points: [image], executions: manyExecutions(rng) },
  });
}

/** The same in a convolution, with the large weights at two corners of the kernel. */
export function convolution(rng: Rng): AdversarialNetwork {
  const large = 2 ** (70 + rng.int(20));
  const network = chain(
    [3, 3, 1],
    [conv2d(2, { kernel: 1, padding: 0 }), conv2d(1, { padding: 0 }), flatten(), dense(2)],
    {
      // Channels u = 64 x and 1.
      conv2d1: { kernel: [64, 0], bias: [0, 1] },
      conv2d2: { kernel: [0, large, ...Array.from({ length: 7 }, () => [1, 0]).flat(), 0, -large] },
      dense1: { kernel: thresholdKernel, bias: thresholdBias(16) },
    },
  );
  const image = Float32Array.from(repeat(9, 0.5));
  return mustFool({
    ...network,
    ...{ name: 'convolution', image, label: 0, epsilon: 1 / 64, range: UNIT },
    ...{ points: [image], executions: manyExecutions(rng) },
  });
}

/** The same in an average: pixels 2^k, u, -2^k, u. */
export function averagePooling(rng: Rng): AdversarialNetwork {
  const large = 2 ** (70 + rng.int(20));
  const network = chain([2, 2, 1], [avgPool(2), flatten(), dense(2)], {
    dense1: { kernel: thresholdKernel, bias: thresholdBias(96) },
  });
  const image = Float32Array.of(large, 256, -large, 256);
  return mustFool({
    ...network,
    ...{ name: 'average-pooling', image, label: 0, epsilon: 8, range: null },
    ...{ points: [image], executions: manyExecutions(rng) },
  });
}

/** (u + 2^k) + (-2^k) over a residual connection: as in `absorbed-radius`, the execution rounds up. */
export function residualAdd(rng: Rng): AdversarialNetwork {
  const exponent = 24 + rng.int(20);
  const step = 2 ** (exponent - 23);
  const g = graph([1]);
  const left = g.add(dense(1));
  const right = g.add(dense(1), ['input']);
  g.add(add(), [left, right]);
  g.add(dense(2));
  const network = networkOf(g.build(), {
    dense1: { kernel: [step], bias: [2 ** exponent] },
    dense2: { kernel: [0], bias: [-(2 ** exponent)] },
    dense3: { kernel: thresholdKernel, bias: thresholdBias(0.875 * step) },
  });
  return mustFool({
    ...network,
    ...{ name: 'residual-add', image: Float32Array.of(0), label: 0, epsilon: 0.75, range: { min: -1, max: 1 } },
    ...{ points: [Float32Array.of(0.75)], executions: manyExecutions(rng) },
  });
}

/** 2^24 + (x + x + ...) - 2^24: a runtime that begins the sum with the residual, as fused convolutions do, loses every x. */
export function residualFused(rng: Rng): AdversarialNetwork {
  const pixels = 256 + 2 * rng.int(64);
  const g = graph([pixels]);
  g.add(dense(1), ['input'], 'nothing');
  const large = g.add(dense(1), ['nothing']);
  const branch = g.add(dense(1), ['input']);
  g.add(add(), [large, branch]);
  g.add(dense(1));
  g.add(dense(2));
  const network = networkOf(g.build(), {
    dense2: { bias: [2 ** 24] },
    dense3: { kernel: repeat(pixels, 1) },
    dense4: { kernel: [1], bias: [-(2 ** 24)] },
    // Class 0 has the sum, class 1 a threshold.
    dense5: { kernel: [1, 0], bias: [0, pixels / 4] },
  });
  const image = Float32Array.from(repeat(pixels, 0.75));
  return mustFool({
    ...network,
    ...{ name: 'residual-fused', image, label: 0, epsilon: 0.125, range: UNIT },
    ...{ points: [image], executions: manyExecutions(rng, 50, { residual: ['fused'] }) },
  });
}

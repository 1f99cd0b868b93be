import { naturalPass, runningNorm } from '@cert/bounds';
import { createRng, dense, type HostTensor, sequential, tf, toTensors } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { compare, dyadic, toNumber } from '../exact/dyadic.js';
import { executeExact } from '../exact/execute-exact.js';
import type { HostNetwork } from '../network.js';
import { drawProblem, GRAPHS } from '../random/draw-network.js';
import { execute, executor } from './execute.js';
import { type Execution, listExecutions, PLAIN } from './execution.js';

const vector = (...data: number[]): HostTensor => ({ shape: [data.length], data: Float32Array.from(data) });

/** One dense layer with two outputs, of which the second is 0. */
function sumOf(weights: readonly number[], bias = 0): HostNetwork {
  const kernel = { shape: [weights.length, 2], data: Float32Array.from(weights.flatMap((w) => [w, 0])) };
  return {
    model: sequential([weights.length], [dense(2)]),
    params: { dense1: { kernel, bias: vector(bias, 0) } },
    stats: {},
  };
}

const first = (network: HostNetwork, image: readonly number[], choice: Partial<Execution>) =>
  execute(network, image, { ...PLAIN, ...choice })[0];

describe('sums by hand', () => {
  const ones = [1, 1, 1, 1, 1];

  it('in order, reversed and pairwise', () => {
    const network = sumOf([2 ** 24, 1, 1, 1, -(2 ** 24)]);
    expect(first(network, ones, { sum: { kind: 'sequential' } })).toBe(0);
    expect(first(network, ones, { sum: { kind: 'reversed' } })).toBe(3);
    // (2^24 + 1) + (1 + (1 - 2^24)).
    expect(first(network, ones, { sum: { kind: 'pairwise' } })).toBe(2);
    // Lanes 0 to 3: 2^24 - 2^24, 1, 1, 1.
    expect(first(network, ones, { sum: { kind: 'lanes', lanes: 4 } })).toBe(3);
  });

  it('with the bias first or last', () => {
    const network = sumOf([1, 2 ** 24], -(2 ** 24));
    expect(first(network, [1, 1], { bias: 'last' })).toBe(0);
    expect(first(network, [1, 1], { bias: 'first' })).toBe(1);
  });

  it('with a fused multiply-add', () => {
    // (1 + 2^-12)^2 - 1 is 2^-11 + 2^-24, whose last bit the product alone loses.
    const network = sumOf([1 + 2 ** -12], -1);
    expect(first(network, [1 + 2 ** -12], { bias: 'first' })).toBe(2 ** -11);
    expect(first(network, [1 + 2 ** -12], { bias: 'last' })).toBe(2 ** -11);
    expect(first(network, [1 + 2 ** -12], { bias: 'first', fma: true })).toBe(2 ** -11 + 2 ** -24);
  });

  it('with underflow', () => {
    const network = sumOf([2 ** -100]);
    expect(first(network, [2 ** -40], {})).toBe(2 ** -140);
    expect(first(network, [2 ** -40], { underflow: 'flush' })).toBe(0);
    const denormal = sumOf([2 ** -140]);
    expect(first(denormal, [2 ** 100], { underflow: 'flush' })).toBe(2 ** -40);
    expect(first(denormal, [2 ** 100], { underflow: 'flush-inputs' })).toBe(0);
  });

  it('random orders give different sums of the same terms, and the same again', () => {
    const rng = createRng(0, 'sums');
    const weights = Array.from({ length: 400 }, () => Math.fround(rng.normal()));
    const image = weights.map(() => Math.fround(rng.normal()));
    const run = (seed: number) => first(sumOf(weights), image, { sum: { kind: 'random', seed } })!;
    const sums = Array.from({ length: 50 }, (_, seed) => run(seed));
    expect(new Set(sums).size).toBeGreaterThan(5);
    expect(sums.map((_, seed) => run(seed))).toEqual(sums);
    const exact = weights.reduce((sum, w, i) => sum + w * image[i]!, 0);
    for (const sum of sums) expect(Math.abs(sum - exact)).toBeLessThan(1e-3);
  });
});

describe('networks of every op', () => {
  const problems = Array.from({ length: 5 * GRAPHS }, (_, index) => drawProblem(1, index));

  it('integers come out exactly under every execution without a normalization', () => {
    const { network } = drawProblem(0, 0);
    const whole = (tensor: HostTensor) => ({
      ...tensor,
      data: tensor.data.map((x) => Math.round(x) % 8) as Float32Array,
    });
    const params = Object.fromEntries(
      Object.entries(network.params).map(([node, own]) => [
        node,
        Object.fromEntries(Object.entries(own).map(([name, tensor]) => [name, whole(tensor)])),
      ]),
    );
    const run = executor({ ...network, params });
    const image = Float32Array.from({ length: network.model.inputShape[0]! }, (_, i) => (i % 5) - 2);
    const exact = executeExact({ ...network, params }, image).lower.map(toNumber);
    for (const execution of listExecutions(createRng(0), 100)) expect([...run(image, execution)]).toEqual(exact);
  });

  it('every execution is near the exact logits, relative to the size of what is summed', () => {
    const ops = new Set<string>();
    for (const { network, image } of problems) {
      for (const { op } of network.model.nodes) ops.add(op);
      const exact = executeExact(network, image);
      const magnitudes = executeExact(magnitudesOf(network), image).upper.map(toNumber);
      const run = executor(network);
      const executions = listExecutions(createRng(2), 30, { residual: ['separate', 'fused'] });
      for (const execution of executions) {
        for (const [i, logit] of run(image, execution).entries()) {
          const off = Math.abs(logit - toNumber(exact.lower[i]!));
          expect(off, JSON.stringify(execution)).toBeLessThan(1e-5 * magnitudes[i]!);
        }
      }
    }
    expect(ops.size).toBe(14);
  });

  it('the exact logits of a batch normalization are an enclosure, those of other networks are exact', () => {
    for (const { network, image } of problems) {
      const { lower, upper } = executeExact(network, image);
      const normalized = network.model.nodes.some(({ op }) => op === 'batchNorm' || op === 'avgPool');
      for (const [i, end] of lower.entries()) {
        expect(compare(end, upper[i]!)).toBeLessThanOrEqual(0);
        if (!normalized) expect(compare(end, upper[i]!)).toBe(0);
        const [l, u] = [toNumber(end), toNumber(upper[i]!)];
        expect(Math.abs(u - l)).toBeLessThanOrEqual(1e-15 * Math.abs(l));
      }
    }
  });

  it('the exact logits are those of TensorFlow.js up to rounding', () => {
    for (const { network, image } of problems) {
      const { model, params, stats } = network;
      const exact = executeExact(network, image).lower.map(toNumber);
      const magnitudes = executeExact(magnitudesOf(network), image).upper.map(toNumber);
      const logits = tf.tidy(() => {
        const norm = runningNorm(toTensors(stats));
        const images = tf.tensor(image, [1, ...model.inputShape]);
        return naturalPass({ model, params: toTensors(params), norm }, images).output.dataSync();
      });
      for (const [i, logit] of logits.entries()) {
        expect(Math.abs(logit - exact[i]!)).toBeLessThan(1e-5 * magnitudes[i]!);
      }
    }
  });
});

/** The network whose logits bound everything that is added on the way to those of another: absolute parameters, negative means. */
function magnitudesOf({ model, params, stats }: HostNetwork): HostNetwork {
  const map = (tree: HostNetwork['params'], f: (x: number, name: string) => number) =>
    Object.fromEntries(
      Object.entries(tree).map(([node, own]) => [
        node,
        Object.fromEntries(
          Object.entries(own).map(([name, { shape, data }]) => [
            name,
            { shape, data: Float32Array.from(data, (x) => f(x, name)) },
          ]),
        ),
      ]),
    );
  const nodes = model.nodes.map((node) =>
    node.op === 'affine'
      ? { ...node, attrs: { scale: node.attrs.scale.map(Math.abs), shift: node.attrs.shift.map(Math.abs) } }
      : node,
  );
  return {
    model: { ...model, nodes },
    params: map(params, Math.abs),
    stats: map(stats, (x, name) => (name === 'mean' ? -Math.abs(x) : x)),
  };
}

it('an executed logit is a number of float32', () => {
  const logits = execute(sumOf([0.1, 0.7]), [Math.fround(0.3), 0.5], PLAIN);
  expect(compare(dyadic(logits[0]!), dyadic(Math.fround(logits[0]!)))).toBe(0);
});

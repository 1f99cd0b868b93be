import { extendRules, marginSpec, naturalPass, standardRules } from '@cert/bounds';
import { createRng, linfBall, type Params, type Tensor, tf, toTensors } from '@cert/core';
import { ibpInit } from '@cert/init';
import { type Device, putParams } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import { adam, createTrainStep, initialState, robustObjective } from '@cert/trainer';
import { withPlugins } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import plugin, { elbowRules, pooledMlp, zonotope } from '../src/index.js';

const rules = extendRules(standardRules, { elbow: elbowRules });
const method = zonotope();
const size = { inputShape: [8, 8, 1], classes: 3, width: 12, dense: 10 };
const model = pooledMlp(size);
const rng = createRng(0, 'use');
const images = tf.tensor(Float32Array.from({ length: 6 * 64 }, rng.uniform), [6, 8, 8, 1]);
const labels = tf.tensor1d([0, 1, 2, 2, 1, 0], 'int32');
const numbers = (x: Tensor) => [...x.dataSync()];

/** Lower margins over balls of radius 0.02: what is compiled. */
const margins = (params: Params, x: Tensor, y: Tensor) => ({
  lower: method.bound({ network: { model, params }, box: linfBall(x, 0.02), spec: marginSpec(y, 3) }).output.lower,
});

let device: Device;
beforeAll(async () => {
  await tf.ready();
  device = await openDevice('cpu');
});
afterAll(() => device.dispose());

describe('from code', () => {
  const params = toTensors(ibpInit(model, 1));

  it('eagerly', () => {
    const { lower } = margins(params, images, labels);
    const { output } = naturalPass({ model, params }, images, rules.natural);
    const clean = tf.sum(tf.mul(marginSpec(labels, 3).matrix, tf.expandDims(output, 1)), 2);
    expect(lower.shape).toEqual([6, 2]);
    expect(tf.min(tf.sub(clean, lower)).dataSync()[0]).toBeGreaterThan(0);
  });

  it('compiled, with the same bounds', async () => {
    const compiled = device.jit(margins);
    const hosts = Object.fromEntries(
      Object.entries(params).map(([node, tensors]) => [
        node,
        Object.fromEntries(
          Object.entries(tensors).map(([name, x]) => [name, { data: Float32Array.from(x.dataSync()), shape: x.shape }]),
        ),
      ]),
    );
    const x = device.put(Float32Array.from(images.dataSync()), images.shape);
    const y = device.put(Int32Array.from(labels.dataSync()), labels.shape);
    const got = await (await compiled(putParams(device, hosts), x, y)).lower.data();
    numbers(margins(params, images, labels).lower).forEach((want, i) => {
      expect(got[i]).toBeCloseTo(want, 4);
    });
    await compiled.dispose();
  });

  it('in a training step, which lowers the robust loss', () => {
    const optimizer = adam();
    const step = createTrainStep({ model, method, natural: rules.natural, optimizer, objective: robustObjective() });
    const hyper = (at: number) =>
      Object.fromEntries(
        Object.entries({ epsilon: 0.02, learningRate: 0.02, ...optimizer.hyper(at) }).map(([name, value]) => [
          name,
          tf.scalar(value),
        ]),
      );
    let state = toTensors(initialState(model, ibpInit(model, 2), optimizer));
    const losses: number[] = [];
    for (let i = 0; i < 15; i++) {
      const next = step(state, { images, labels }, hyper(i));
      losses.push(next.metrics.loss.dataSync()[0]!);
      state = next.state;
    }
    expect(losses.at(-1)!).toBeLessThan(0.5 * losses[0]!);
  });
});

it('is a plug-in that the trainer takes as a value', () => {
  const catalog = withPlugins([plugin]);
  expect(catalog.boundMethods.zonotope?.name).toBe('zonotope');
  expect(catalog.methods.zonotope).toMatchObject({ bound: 'zonotope', objective: 'robust' });
});

/** The suites with a device: what compiles and gives the same passes, what does not is caught and named. */
import { type BoundMethod, CertError, type Regularizer, radiusOf, type Scalar, type Tensor, tf } from '@cert/core';
import type { Device } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forward, intervalMethod, type Step, step } from '../test/interval-method.js';
import { boundMethodSuite, type ConformanceCase, checkCompiled, objectiveSuite, regularizerSuite } from './index.js';

let device: Device;
beforeAll(async () => {
  device = await openDevice('cpu');
});
afterAll(() => device.dispose());

const ops = ['dense', 'relu', 'flatten'] as const;

/** The same bounds, with the ReLU of both sides by a function of ours. */
const withRelu = (relu: (x: Tensor) => Tensor): BoundMethod => {
  const rule: Step = (node, params, norm, inputs) => {
    if (node.op !== 'relu') return step(node, params, norm, inputs);
    const [box] = inputs;
    return { lower: relu(box!.lower), upper: relu(box!.upper) };
  };
  return intervalMethod(rule, 'mine');
};

/** A ReLU whose gradient is found by reading the values: right, and eager alone. */
const reading = tf.customGrad((x, save) => {
  (save as (tensors: Tensor[]) => void)([x as Tensor]);
  return {
    value: tf.relu(x as Tensor),
    gradFunc: (dy: Tensor, [saved]: Tensor[]) => {
      const mask = Float32Array.from(saved!.dataSync(), (v) => (v > 0 ? 1 : 0));
      return tf.mul(dy, tf.tensor(mask, saved!.shape));
    },
  };
}) as (x: Tensor) => Tensor;

/** Runs cases, and gives the names and errors of those that fail. */
async function failures(suite: readonly ConformanceCase[]): Promise<readonly (readonly [string, CertError])[]> {
  const failed: [string, CertError][] = [];
  for (const { name, run } of suite) {
    const error: unknown = await run().catch((caught: unknown) => caught);
    if (error === undefined) continue;
    if (!(error instanceof CertError)) throw error;
    failed.push([name, error]);
  }
  return failed;
}

describe('boundMethodSuite', () => {
  const suite = (method: BoundMethod, on?: Device) =>
    boundMethodSuite({ method, forward, ops: [...ops], exactOn: 'nothing', ...(on && { device: on }) });

  it('passes a method that compiles, and leaves nothing on the device', async () => {
    const eager = suite(intervalMethod()).length;
    const compiled = suite(intervalMethod(), device);
    expect(compiled.length).toBeGreaterThan(eager);
    expect(compiled.map(({ name }) => name)).toContain(
      'interval: contains random points of the box, compiled for cpu (mlp)',
    );
    const live = device.live;
    expect(await failures(compiled)).toEqual([]);
    expect(device.live).toBe(live);
  });

  it('catches a rule that reads a value in its gradient, which no eager check sees', async () => {
    const method = withRelu(reading);
    expect(await failures(suite(method))).toEqual([]);
    const failed = await failures(suite(method, device));
    expect(failed.map(([name]) => name)).toEqual(['mine: gives compiled for cpu what it gives eagerly (mlp)']);
    expect(failed[0]![1]).toMatchObject({
      code: 'value-read',
      problem: expect.stringMatching(
        /^mine, model "mlp": it cannot be compiled for the device "cpu": .*reads? .*value/,
      ),
      cure: expect.stringContaining('tf.'),
    });
  });

  it('catches a rule that reads a value (dataSync)', async () => {
    const failed = await failures(
      suite(
        withRelu((x) => (x.dataSync().length < 0 ? x : tf.relu(x))),
        device,
      ),
    );
    const compiled = failed.filter(([name]) => name.includes('compiled for cpu'));
    expect(compiled.length).toBeGreaterThan(3);
    for (const [, error] of compiled) expect(error).toMatchObject({ code: 'value-read' });
    expect(compiled[0]![1].message).toMatch(/^mine, model "mlp", .*it cannot be compiled for the device "cpu"/);
  });

  it('catches a rule that uses a kernel without a compiled form', async () => {
    const sorted = (x: Tensor) => tf.add(tf.relu(x), tf.mul(tf.topk(x, x.shape.at(-1)!).values, 0));
    const options = { method: withRelu(sorted), forward, exactOn: 'nothing', differentiable: false } as const;
    expect(await failures(boundMethodSuite({ ...options, ops: [...ops] }))).toEqual([]);
    const failed = await failures(boundMethodSuite({ ...options, ops: [...ops], device }));
    const unsupported = failed.filter(([, { code }]) => code === 'unsupported-kernel');
    expect(unsupported.length).toBeGreaterThan(0);
    expect(unsupported[0]![1].message).toContain('cannot be compiled for the device "cpu"');
  });

  it('catches bounds that are others when compiled', async () => {
    // What is looked up while it is traced is frozen.
    const method = withRelu((x) => tf.add(tf.relu(x), tf.getBackend() === 'cpu' ? 0 : 0.5));
    const failed = await failures(suite(method, device));
    const [, error] = failed.find(([name]) => name.includes('gives compiled'))!;
    expect(error).toMatchObject({ code: 'broken-contract' });
    expect(error.message).toMatch(/element \d+ of the value is .* compiled for the device "cpu" and .* eagerly/);
  });
});

describe('regularizerSuite', () => {
  const mean: Regularizer = { name: 'mean', term: ({ bounds }) => tf.mean(radiusOf(bounds.output)) as Scalar };

  it('passes one that compiles', async () => {
    expect(await failures(regularizerSuite({ regularizer: mean, device }))).toEqual([]);
  });

  it('catches one that reads a value in its gradient', async () => {
    const regularizer: Regularizer = {
      name: 'reading',
      term: ({ bounds }) => tf.mean(reading(radiusOf(bounds.output))) as Scalar,
    };
    const eager = await failures(regularizerSuite({ regularizer }));
    expect(eager).toEqual([]);
    const failed = await failures(regularizerSuite({ regularizer, device }));
    expect(failed.length).toBeGreaterThan(0);
    for (const [name, error] of failed) {
      expect(name).toContain('gives compiled for cpu');
      expect(error).toMatchObject({ code: 'value-read', problem: expect.stringContaining('reading, model "') });
    }
  });
});

describe('objectiveSuite', () => {
  const hinge = {
    name: 'hinge',
    loss: ({ bounds }: { readonly bounds: { readonly output: { readonly lower: Tensor } } }) =>
      tf.mean(tf.relu(tf.sub(1, bounds.output.lower))) as Scalar,
  };

  it('passes one that compiles', async () => {
    expect(await failures(objectiveSuite({ objective: hinge, method: intervalMethod(), forward, device }))).toEqual([]);
  });

  it.each<[string, (loss: Scalar, logits: Tensor) => Tensor, string, RegExp]>([
    ['no scalar', (loss) => tf.reshape(loss, [1]), 'shape-mismatch', /the loss has shape \[1\]/],
    ['an infinite loss', (loss) => tf.div(loss, 0), 'not-finite', /the loss is (Infinity|NaN)/],
    ['a value that is read', (loss) => tf.scalar(loss.dataSync()[0]!), 'value-read', /read the value/],
    [
      'a gradient that is lost',
      (loss, logits) => tf.add(loss, tf.scalar(logits.dataSync()[0]!)),
      'broken-contract',
      / by finite differences/,
    ],
  ])('catches %s', async (_name, change, code, message) => {
    const objective = {
      ...hinge,
      loss: (context: Parameters<typeof hinge.loss>[0] & { readonly logits: Tensor }) =>
        change(hinge.loss(context), context.logits) as Scalar,
    };
    const failed = await failures(objectiveSuite({ objective, method: intervalMethod(), forward }));
    expect(failed.some(([, error]) => error.code === code && message.test(error.message))).toBe(true);
  });
});

describe('objectiveSuite of an objective with weights', () => {
  const objective = {
    name: 'weighted',
    weighted: true,
    loss: ({ logits, weights }: { readonly logits: Tensor; readonly weights?: Tensor | undefined }) =>
      tf.mean(tf.mul(tf.sum(tf.square(logits), 1), weights ?? 1)) as Scalar,
  };
  const suite = (loss: typeof objective.loss) =>
    objectiveSuite({ objective: { ...objective, loss }, method: intervalMethod(), forward }).filter(({ name }) =>
      name.includes('as often as its weight says'),
    );

  it('passes one that multiplies each loss by its weight, and catches one that ignores them', async () => {
    expect(suite(objective.loss).length).toBeGreaterThan(0);
    expect(await failures(suite(objective.loss))).toEqual([]);
    const failed = await failures(suite(({ logits }) => objective.loss({ logits })));
    expect(failed).toHaveLength(suite(objective.loss).length);
    for (const [, error] of failed) expect(error.problem).toContain('with the weights [2, 1, 0] the loss is');
  });
});

describe('checkCompiled', () => {
  it('compares any function', async () => {
    const x = tf.tensor1d([-1, 0.5, 2]);
    await checkCompiled((y) => tf.square(y), [x], { device });
    const error = await checkCompiled((y) => tf.mul(y, y.dataSync()[0]!), [x], { device, who: 'f' }).catch((e) => e);
    expect(error).toMatchObject({ code: 'value-read', problem: expect.stringMatching(/^f, compiled: it cannot be/) });
    x.dispose();
  });
});

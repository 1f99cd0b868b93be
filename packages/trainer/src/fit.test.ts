import { batchNorm, createRng, dense, type HostBatch, linf, relu, sequential, tf, toHost } from '@cert/core';
import { ibpInit } from '@cert/init';
import { eagerDevice } from '@cert/jit';
import { reluBalance, tightness } from '@cert/regularizers';
import { afterEach, describe, expect, it } from 'vitest';
import { type FitEvent, type FitOptions, fit } from './fit.js';
import { naturalObjective } from './objectives/natural.js';
import type { UnboundedObjective } from './objectives/objective.js';
import { robustObjective } from './objectives/robust.js';
import { always, naturalThen } from './objectives/schedule.js';
import { adam } from './optimizers/adam.js';
import { fallingWeight } from './plan.js';
import { constantSchedule } from './schedules/schedule.js';
import { smoothedSchedule } from './schedules/smoothed.js';
import { initialState } from './state.js';

const model = sequential([4], [dense(6), batchNorm(), relu(), dense(2)]);
const device = eagerDevice();
afterEach(() => device.dispose());

/** Three batches, the last one partial; the class is whether the first pixel is the larger. */
function* batches(epoch: number, from: number): Iterable<HostBatch> {
  for (let batch = from; batch < 3; batch++) {
    const rng = createRng(0, epoch, batch);
    const count = batch === 2 ? 3 : 8;
    const images = Float32Array.from({ length: 4 * count }, () => rng.uniform());
    yield { images, labels: Int32Array.from({ length: count }, (_, i) => Number(images[4 * i]! > images[4 * i + 1]!)) };
  }
}

async function options(changes: Partial<FitOptions> = {}): Promise<FitOptions> {
  const optimizer = adam();
  const host = initialState(model, ibpInit(model, 2), optimizer);
  const ramp = { start: 2, length: 1, target: 0.05, stepsPerEpoch: 3 };
  return {
    device,
    model,
    optimizer,
    regularizers: [tightness(), reluBalance()],
    plan: {
      objective: naturalThen(robustObjective()),
      epsilon: smoothedSchedule(ramp),
      targetEpsilon: 0.05,
      learningRate: constantSchedule(0.02),
      regWeight: fallingWeight(0.5),
      regularizedSteps: 6,
    },
    epochs: 4,
    stepsPerEpoch: 3,
    batches,
    state: host,
    ...changes,
  };
}

/** Runs to the end; returns what happened and the last state. */
async function collect(fitOptions: FitOptions, onEvent: (event: FitEvent) => void = () => {}) {
  const events: FitEvent[] = [];
  let state = fitOptions.state;
  for await (const event of fit(fitOptions)) {
    events.push(event);
    state = await toHost(event.state);
    onEvent(event);
  }
  return { events, state };
}

describe('fit', () => {
  it('reports every step and every epoch, learns, and frees what it used', async () => {
    const before = device.live;
    let live = 0;
    const { events } = await collect(await options(), ({ type, position }) => {
      if (type !== 'epoch') return;
      if (position.step === 3) live = device.live;
      expect(device.live).toBe(live);
    });
    expect(events.map(({ type }) => type).join(' ')).toBe(Array(4).fill('step step step epoch').join(' '));
    const epochs = events.filter(({ type }) => type === 'epoch');
    expect(epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4]);
    expect(epochs[3]!.metrics.loss).toBeLessThan(epochs[2]!.metrics.loss * 1.2);
    expect(device.live).toBe(before);
  });

  it('switches the computation: natural, then robust, regularized during the warmup', async () => {
    const { events } = await collect(await options());
    const steps = events.filter(({ type }) => type === 'step');
    const has = (name: string) => steps.map(({ metrics }) => Number(metrics[name] !== undefined));
    expect(has('tightness')).toEqual([1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
    expect(has('robustLoss')).toEqual(Array(12).fill(1));
    expect(steps.map(({ epsilon }) => epsilon > 0)).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1].map(Boolean));
    expect(steps.at(-1)!.epsilon).toBe(0.05);
    // Without regularizers a natural step computes no bounds.
    const plain = await collect(
      await options({ regularizers: [], epochs: 1, plan: { ...(await options()).plan, regularizedSteps: 0 } }),
    );
    expect(plain.events[0]!.metrics.robustLoss).toBeUndefined();
  });

  it('weights the means of an epoch by images, the partial batch included', async () => {
    const { events } = await collect(await options({ epochs: 1 }));
    const steps = events.filter(({ type }) => type === 'step');
    const wanted = steps.reduce((sum, { metrics, images }) => sum + metrics.error * images, 0) / 19;
    expect(events.at(-1)!.metrics.error).toBeCloseTo(wanted, 12);
  });

  it('continues from any step to the very same weights', async () => {
    const whole = await collect(await options());
    for (const stopAt of [1, 3, 7]) {
      const abort = new AbortController();
      const first = await collect(await options({ signal: abort.signal }), ({ position }) => {
        if (position.step === stopAt) abort.abort();
      });
      const { type, position } = first.events.at(-1)!;
      expect([type, position.step]).toEqual(['stopped', stopAt]);
      const second = await collect(
        await options({ state: first.state, position: JSON.parse(JSON.stringify(position)) }),
      );
      expect(second.state).toEqual(whole.state);
      const means = (events: FitEvent[]) =>
        events.filter((event) => event.type === 'epoch').map(({ metrics }) => metrics);
      expect(means([...first.events, ...second.events])).toEqual(means(whole.events));
    }
  });

  it('from the last step of an epoch begins with the event of the epoch', async () => {
    const whole = await collect(await options());
    const epochs = whole.events.filter(({ type }) => type === 'epoch');
    for (const [i, { position, epoch }] of epochs.entries()) {
      const last = whole.events.find(({ type, ...event }) => type === 'step' && event.position.step === position.step)!;
      const resumed = await collect(
        await options({ state: whole.state, position: JSON.parse(JSON.stringify(last.position)), epochs: epoch }),
      );
      const { type, metrics, epsilon, learningRate } = epochs[i]!;
      expect(resumed.events).toMatchObject([{ type, position, epoch, metrics, epsilon, learningRate, images: 0 }]);
    }
  });

  it('gives objectives that choose points noise that depends on the seed and the step', async () => {
    const seen: number[][] = [];
    const objective: UnboundedObjective = {
      ...naturalObjective,
      choose({ images, noise, hyper }) {
        seen.push([...noise.dataSync()]);
        return { points: tf.add(images, tf.mul(noise, hyper.epsilon!)) };
      },
    };
    const { plan } = await options();
    const train = async (changes: Partial<FitOptions>) => {
      seen.length = 0;
      const { state } = await collect(
        await options({ plan: { ...plan, objective: always(objective), regularizedSteps: 0 }, epochs: 2, ...changes }),
      );
      return { state, noise: [...seen] };
    };
    const first = await train({});
    expect(first.noise.map(({ length }) => length)).toEqual([32, 32, 12, 32, 32, 12]);
    expect(new Set(first.noise.map(([number]) => number)).size).toBe(6);
    expect(Math.max(...first.noise.flat().map(Math.abs))).toBeLessThanOrEqual(1);
    expect(await train({})).toEqual(first);
    expect((await train({ seed: 1 })).noise).not.toEqual(first.noise);
    const resumed = await train({ position: { step: 4, sums: {} } });
    expect(resumed.noise).toEqual(first.noise.slice(4));
  });

  it.each<[string, number, Partial<FitOptions>, string]>([
    ['above 1', 1.5, {}, 'Input 1 has the value 1.5 at position 2, outside the range [0, 1].'],
    [
      'below a range of its own',
      1.5,
      { perturbation: linf({ epsilon: 0, range: { min: 2, max: 9 } }) },
      'Input 0 has the value',
    ],
    ['that is not a number', Number.NaN, {}, 'Input 1 has the value NaN at position 2.'],
    [
      'that is infinite, where there is no range',
      Number.POSITIVE_INFINITY,
      { perturbation: linf({ epsilon: 0, range: null }) },
      'Input 1 has the value Inf',
    ],
  ])('refuses an image with a value %s, and frees what it used', async (_, value, changes, problem) => {
    const first = changes.perturbation?.range ? 1 : 2;
    const bad = await options({
      batches: function* (epoch, from) {
        for (const batch of batches(epoch, from)) {
          if (epoch === first) batch.images[6] = value;
          yield batch;
        }
      },
      ...changes,
    });
    const before = device.live;
    await expect(collect(bad)).rejects.toMatchObject({
      code: 'bad-data',
      problem: expect.stringContaining(`Step ${first === 1 ? 0 : 3} (epoch ${first}), in its batch: ${problem}`),
      cure: expect.stringMatching(/range: null|finite numbers/),
    });
    expect(device.live).toBe(before);
  });

  it.each<[string, (labels: Int32Array) => Int32Array, string]>([
    ['below 0', (labels) => labels.with(2, -1), 'in its batch: label 2 is -1, but the model has 2 classes.'],
    ['that is no class', (labels) => labels.with(4, 2), 'in its batch: label 4 is 2, but the model has 2 classes.'],
  ])('refuses a label %s', async (_, changed, problem) => {
    const bad = await options({
      batches: function* (epoch, from) {
        for (const batch of batches(epoch, from))
          yield epoch === 2 ? { ...batch, labels: changed(batch.labels) } : batch;
      },
    });
    await expect(collect(bad)).rejects.toMatchObject({
      code: 'bad-data',
      problem: `Step 3 (epoch 2), ${problem}`,
      cure: 'Give labels from 0 to 1.',
    });
  });

  it('refuses a batch without images', async () => {
    const empty = { images: new Float32Array(), labels: new Int32Array() };
    await expect(collect(await options({ batches: () => [empty] }))).rejects.toMatchObject({
      code: 'bad-data',
      problem: 'Step 0 (epoch 1): its batch has no images.',
    });
  });

  it('takes images that rounding has moved out of the range by more than the first radii of a ramp', async () => {
    const { plan } = await options();
    const range = { min: 0, max: 0.25 };
    const inRange = function* (epoch: number, from: number) {
      for (const { images, labels } of batches(epoch, from)) {
        yield { images: images.map((x) => Math.min(x, 0.2500005)), labels };
      }
    };
    const tiny = { ...plan, objective: always(robustObjective()), epsilon: constantSchedule(1e-9) };
    const { events } = await collect(
      await options({ plan: tiny, batches: inRange, epochs: 1, perturbation: linf({ epsilon: 0.05, range }) }),
    );
    expect(events.at(-1)?.metrics.loss).toBeGreaterThan(0);
  });

  it('takes images of any values where there is no range', async () => {
    const far = await options({
      epochs: 1,
      perturbation: linf({ epsilon: 0, range: null }),
      batches: function* (epoch, from) {
        for (const { images, labels } of batches(epoch, from))
          yield { images: images.map((x) => 100 * x - 50), labels };
      },
    });
    expect((await collect(far)).events).toHaveLength(4);
  });

  it('names the parameter that overflowed', async () => {
    const { state } = await options();
    const kernel = state.params.dense2!.kernel!;
    kernel.data[0] = Number.POSITIVE_INFINITY;
    await expect(collect(await options({ state }))).rejects.toThrow('is the parameter "dense2.kernel"');
  });

  it('names the parameter that the last update of an epoch made infinite', async () => {
    const { plan } = await options();
    const learningRate = (step: number) => (step === 2 ? 1e39 : 0.02);
    const before = device.live;
    await expect(collect(await options({ epochs: 1, plan: { ...plan, learningRate } }))).rejects.toMatchObject({
      code: 'not-finite',
      problem: expect.stringMatching(
        /^Step 2 \(epoch 1\): the update made the parameter "\w+\.\w+" -?(Infinity|NaN)\.$/,
      ),
    });
    expect(device.live).toBe(before);
  });

  it.each<[string, Partial<FitOptions>, string]>([
    ['epochs that are NaN', { epochs: Number.NaN }, 'The schedule option epochs is NaN.'],
    ['an epoch without steps', { stepsPerEpoch: 0 }, 'The schedule option stepsPerEpoch is 0.'],
    ['a weight that is NaN', { average: () => Number.NaN }, 'The schedule of the average gives step 0 the weight NaN.'],
    ['a negative norm', { clipNorm: -1 }, 'clipNorm is -1.'],
    ['a norm that is NaN', { clipNorm: Number.NaN }, 'clipNorm is NaN.'],
    ['half a part', { parts: 1.5 }, 'parts is 1.5.'],
  ])('refuses %s', async (_, changes, problem) => {
    const before = device.live;
    await expect(collect(await options(changes))).rejects.toMatchObject({ code: 'bad-argument', problem });
    expect(device.live).toBe(before);
  });

  it('takes batches that come later, and says how long it waited for them', async () => {
    const late: FitOptions['batches'] = async function* (epoch, from) {
      for (const batch of batches(epoch, from)) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        yield batch;
      }
    };
    const [now, later] = [await collect(await options()), await collect(await options({ batches: late }))];
    expect(later.state).toEqual(now.state);
    const waits = (type: FitEvent['type']) =>
      later.events.filter((event) => event.type === type).map(({ waitSeconds }) => waitSeconds);
    const steps = waits('step');
    for (const seconds of steps) expect(seconds).toBeGreaterThan(0.002);
    expect(waits('epoch')[1]).toBeCloseTo(steps[3]! + steps[4]! + steps[5]!, 12);
  });

  it('ends the iteration over the batches when it is left', async () => {
    let ended = 0;
    const watched: FitOptions['batches'] = async function* (epoch, from) {
      try {
        yield* batches(epoch, from);
      } finally {
        ended++;
      }
    };
    for await (const _ of fit(await options({ batches: watched }))) break;
    expect(ended).toBe(1);
  });

  it('refuses an epoch without batches instead of waiting forever', async () => {
    await expect(collect(await options({ batches: () => [] }))).rejects.toMatchObject({ code: 'bad-data' });
    const short = await options({ stepsPerEpoch: 4 });
    await expect(collect(short)).rejects.toMatchObject({ problem: 'Epoch 1 has 3 batches instead of 4.' });
  });

  it('refuses more batches than an epoch has steps, instead of training on in the next epoch', async () => {
    const problem = 'Epoch 1 has more than 2 batches.';
    await expect(collect(await options({ stepsPerEpoch: 2, epochs: 1 }))).rejects.toMatchObject({ problem });
    // The same mistake in a resumed epoch: batches that begin anew.
    const anew = await options({ batches: (epoch) => batches(epoch, 0), position: { step: 4, sums: {} } });
    await expect(collect(anew)).rejects.toMatchObject({
      code: 'bad-data',
      problem: 'Epoch 2 has more than 3 batches.',
      cure: expect.stringContaining('begin with the batch `from`'),
    });
  });
});

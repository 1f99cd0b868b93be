import { batchNorm, createRng, dense, type HostBatch, type HostParams, relu, sequential, toHost } from '@cert/core';
import { ibpInit } from '@cert/init';
import { eagerDevice } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import { afterAll, describe, expect, it } from 'vitest';
import { type FitEvent, type FitOptions, fit } from './fit.js';
import { robustObjective } from './objectives/robust.js';
import { always } from './objectives/schedule.js';
import { adam } from './optimizers/adam.js';
import { emaSchedule, swaSchedule } from './schedules/averaging.js';
import { constantSchedule, type Schedule } from './schedules/schedule.js';
import { type HostState, initialState } from './state.js';

const model = sequential([4], [dense(6), batchNorm(), relu(), dense(2)]);
const optimizer = adam();
const [EPOCHS, STEPS] = [4, 3];

const device = eagerDevice();
afterAll(() => device.dispose());

/** Three batches, the last one partial. */
function* batches(epoch: number, from: number): Iterable<HostBatch> {
  for (let batch = from; batch < STEPS; batch++) {
    const rng = createRng(0, epoch, batch);
    const count = batch === 2 ? 3 : 8;
    yield {
      images: Float32Array.from({ length: 4 * count }, () => rng.uniform()),
      labels: Int32Array.from({ length: count }, (_, i) => i % 2),
    };
  }
}

/** Trains; returns the state after every step, and calls `onEvent` with every event. */
async function train(changes: Partial<FitOptions>, onEvent: (event: FitEvent) => void = () => {}) {
  const states: HostState[] = [];
  let last: FitEvent | undefined;
  for await (const event of fit({
    ...{ device, model, optimizer, epochs: EPOCHS, stepsPerEpoch: STEPS, batches },
    plan: {
      objective: always(robustObjective()),
      epsilon: constantSchedule(0.02),
      targetEpsilon: 0.02,
      learningRate: constantSchedule(0.05),
      regWeight: constantSchedule(0),
      regularizedSteps: 0,
    },
    state: initialState(model, ibpInit(model, 2), optimizer),
    ...changes,
  })) {
    if (event.type === 'step') states.push(await toHost(event.state));
    onEvent(event);
    last = { ...event };
  }
  return { states, last: last! };
}

/** The average of the parameters after each step, computed here in float64. */
function average(states: readonly HostState[], weights: Schedule): (number[] | undefined)[] {
  let sum: number[] | undefined;
  return states.map(({ params }, step) => {
    const now = numbers(params);
    const weight = weights(step);
    if (weight > 0) sum = now.map((x, i) => (1 - weight) * (sum?.[i] ?? 0) + weight * x);
    return sum;
  });
}

const numbers = (params: HostParams) =>
  Object.values(params).flatMap((node) => Object.values(node).flatMap(({ data }) => [...data]));

const SWA = swaSchedule({ start: 2, stepsPerEpoch: STEPS });
const EMA = emaSchedule({ start: 2, stepsPerEpoch: STEPS, decay: 0.8 });

describe('fit with an average', () => {
  it.each([
    ['swa', SWA],
    ['ema', EMA],
  ])('%s keeps what float64 does, and trains as without', async (_name, weights) => {
    const compiled = await openDevice('cpu');
    const { states } = await train({ average: weights, device: compiled });
    const plain = await train({ device: compiled });
    expect(compiled.live).toBe(0);
    await compiled.dispose();
    expect(states.map(({ average: __, ...state }) => state)).toEqual(plain.states);
    const wanted = average(states, weights);
    states.forEach((state, step) => {
      const got = state.average && numbers(state.average);
      expect(got === undefined).toBe(wanted[step] === undefined);
      got?.forEach((x, i) => {
        expect(Math.abs(x - wanted[step]![i]!), `step ${step}`).toBeLessThan(1e-6);
      });
    });
  });

  it('swa of two epochs is half of both, and of one epoch its weights, bit for bit', async () => {
    const { states } = await train({ average: swaSchedule({ start: 3, stepsPerEpoch: STEPS }) });
    expect(states[8]!.average).toEqual(states[8]!.params);
    expect(states[9]!.average).toEqual(states[8]!.params);
    const [first, second] = [numbers(states[8]!.params), numbers(states[11]!.params)];
    numbers(states[11]!.average!).forEach((x, i) => {
      expect(x).toBeCloseTo((first[i]! + second[i]!) / 2, 6);
    });
    const one = await train({ average: swaSchedule({ start: 4, stepsPerEpoch: STEPS }) });
    expect(one.states[11]!.average).toEqual(one.states[11]!.params);
  });

  it.each([
    ['swa', SWA],
    ['ema', EMA],
  ])('%s continues from any step to the very same average, and frees what it used', async (_name, weights) => {
    const before = device.live;
    const whole = await train({ average: weights });
    expect(device.live).toBe(before);
    for (const stopAt of [2, 3, 4, 6, 7, 11]) {
      const abort = new AbortController();
      const { states, last } = await train({ average: weights, signal: abort.signal }, ({ position }) => {
        if (position.step === stopAt) abort.abort();
      });
      expect([last.type, last.position.step]).toEqual(['stopped', stopAt]);
      const position = JSON.parse(JSON.stringify(last.position));
      const rest = await train({ average: weights, state: states.at(-1)!, position });
      expect(rest.states).toEqual(whole.states.slice(stopAt));
    }
    expect(device.live).toBe(before);
  });

  it('holds one more copy of the parameters, whatever the number of steps', async () => {
    const live = async (weights?: Schedule) => {
      const counts: number[] = [];
      await train({ average: weights }, ({ type }) => type === 'step' && counts.push(device.live));
      return counts;
    };
    const tensors = Object.values(initialState(model, ibpInit(model, 2), optimizer).params).flatMap(
      Object.values,
    ).length;
    const plain = await live();
    const averaged = await live(EMA);
    expect(averaged.map((count, i) => count - plain[i]!)).toEqual(plain.map((_, i) => (i < STEPS ? 0 : tensors)));
  });

  it('does not begin an average where an earlier one was left out', async () => {
    const abort = new AbortController();
    const { states, last } = await train({ average: EMA, signal: abort.signal }, ({ position }) => {
      if (position.step === 5) abort.abort();
    });
    const { average: _, ...state } = states.at(-1)!;
    const before = device.live;
    await expect(train({ average: EMA, state, position: last.position })).rejects.toMatchObject({
      code: 'bad-argument',
      problem: 'Step 5 adds to an average of the parameters, but the state has none.',
      cure: expect.stringContaining('`average` included'),
    });
    expect(device.live).toBe(before);
  });
});

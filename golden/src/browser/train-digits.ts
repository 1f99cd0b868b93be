/** Steps of the network of digits/quick, on any device. */
import type { HostBatch } from '@cert/core';
import { ibpInit } from '@cert/init';
import type { Device } from '@cert/jit';
import { smallConv } from '@cert/models';
import { reluBalance, tightness } from '@cert/regularizers';
import {
  adam,
  constantSchedule,
  fallingWeight,
  fit,
  initialState,
  naturalThen,
  robustObjective,
  smoothedSchedule,
} from '@cert/trainer';

/** A minibatch as JSON. */
export interface PlainBatch {
  /** 0 to 255. */
  readonly pixels: readonly number[];
  readonly labels: readonly number[];
}

export const batchesOf = (plain: readonly PlainBatch[]): HostBatch[] =>
  plain.map(({ pixels, labels }) => ({
    images: Float32Array.from(pixels, (pixel) => pixel / 255),
    labels: Int32Array.from(labels),
  }));

/** What the steps gave. */
export interface Digits {
  /** The loss of each step. */
  readonly losses: readonly number[];
  /** Live arrays of the device after each step. */
  readonly live: readonly number[];
  /** Buffers of the GPU after each step. */
  readonly buffers: readonly number[];
  /** Milliseconds of each step; the first ones compile. */
  readonly times: readonly number[];
}

/**
 * Trains as the preset does: natural with regularizers in the first half, then with a growing radius.
 *
 * @param countBuffers how many buffers of the GPU there are
 */
export async function trainDigits(
  device: Device,
  batches: readonly HostBatch[],
  countBuffers = () => 0,
): Promise<Digits> {
  const model = smallConv({ inputShape: [28, 28, 1], classes: 10 });
  const optimizer = adam();
  const target = 0.1;
  const stepsPerEpoch = batches.length / 2;
  const events = fit({
    ...{ device, model, optimizer, stepsPerEpoch, epochs: 2 },
    regularizers: [tightness(), reluBalance()],
    plan: {
      objective: naturalThen(robustObjective()),
      epsilon: smoothedSchedule({ start: 2, length: 5, target, stepsPerEpoch }),
      targetEpsilon: target,
      learningRate: constantSchedule(2e-3),
      regWeight: fallingWeight(0.5),
      regularizedSteps: Number.POSITIVE_INFINITY,
    },
    batches: (epoch, from) => batches.slice((epoch - 1) * stepsPerEpoch + from, epoch * stepsPerEpoch),
    state: initialState(model, ibpInit(model, 0), optimizer),
  });
  const [losses, live, buffers, times] = [[], [], [], []] as [number[], number[], number[], number[]];
  let before = performance.now();
  for await (const { type, metrics } of events) {
    if (type !== 'step') continue;
    times.push(performance.now() - before);
    losses.push(metrics.loss!);
    live.push(device.live);
    buffers.push(countBuffers());
    before = performance.now();
  }
  return { losses, live, buffers, times };
}

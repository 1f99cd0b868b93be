import type { RuleTable } from '@cert/bounds';
import { type DataRange, type Model, sizeOf, type Tensor } from '@cert/core';
import { type Device, disposeTree, type OnDevice, putBatch, putScalars, turn } from '@cert/jit';
import type { AttackResult } from '../images/result.js';
import type { Item, Stage } from '../images/stage.js';
import { type ClassMargin, readMargins } from '../margins.js';
import type { Weights } from '../verifier.js';
import { type AttackOptions, attackStepSize, createAttackStep, randomStart } from './step.js';

/** What {@link attackStage} takes. */
export interface AttackStageOptions {
  readonly device: Device;
  readonly model: Model;
  readonly weights: OnDevice<Weights>;
  readonly range?: DataRange | null | undefined;
  readonly natural?: RuleTable<Tensor> | undefined;
  readonly epsilon: number;
  readonly attack: AttackOptions;
  /** Points that are moved in one step. */
  readonly batchSize: number;
  /** The images to attack; the others are given on at once. */
  readonly picks: (item: Item) => boolean;
  readonly settle: (item: Item, result: AttackResult) => Item;
  readonly signal?: AbortSignal | undefined;
}

/** An image under attack. */
interface Target {
  readonly item: Item;
  /** Restarts that have begun, and that have ended. */
  began: number;
  ended: number;
  /** The smallest margin at any point so far. */
  smallest: number;
}

/** One restart of one image, in one place of the batch. */
interface Restart {
  readonly target: Target;
  /** Points that it has visited. */
  visited: number;
}

/**
 * Attacks images until a misclassified point is found or all restarts are through. The batch stays full: a place that becomes free
 * is taken by another restart. Each image begins with one restart, as most of those that can be broken break at once; after that
 * the others run side by side. When there is no image left to begin with, free places take further restarts early.
 */
export const attackStage = ({ attack, batchSize, picks, settle, signal, ...options }: AttackStageOptions): Stage =>
  async function* (items) {
    const { steps = 40, restarts = 3, seed = 0 } = attack;
    const size = sizeOf(options.model.inputShape);
    const points = movingPoints({ ...options, batchSize, stepSize: attackStepSize(options.epsilon, steps) });
    const places: (Restart | undefined)[] = Array.from({ length: batchSize });
    const targets = new Set<Target>();
    const source = items[Symbol.asyncIterator]();
    let dry = false;
    const find = (wanted: (target: Target) => boolean) =>
      [...targets].find((target) => target.began < restarts && wanted(target));
    try {
      for (;;) {
        for (let place = 0; place < batchSize; place++) {
          if (places[place] !== undefined) continue;
          let target = find(({ ended }) => ended > 0);
          while (target === undefined && !dry) {
            const next = await source.next();
            if (next.done) dry = true;
            else if (!picks(next.value)) yield next.value;
            else target = { item: next.value, began: 0, ended: 0, smallest: Number.POSITIVE_INFINITY };
          }
          target ??= find(() => true);
          if (target === undefined) break;
          targets.add(target);
          const { index, pixels } = target.item;
          const restart = target.began++;
          points.set(
            place,
            target.item,
            randomStart(pixels, { epsilon: options.epsilon, size, first: index, seed, restart }),
          );
          places[place] = { target, visited: 0 };
        }
        if (targets.size === 0) return;

        const margins = await points.move();
        await turn();
        signal?.throwIfAborted();
        places.forEach((restart, place) => {
          if (restart === undefined) return;
          const { target } = restart;
          target.smallest = Math.min(target.smallest, margins[place]!.margin);
          // One point more than there are steps: the start is one.
          if (++restart.visited <= steps) return;
          target.ended++;
          places[place] = undefined;
        });
        for (const target of targets) {
          const found = !(target.smallest > 0);
          if (!found && target.ended < restarts) continue;
          targets.delete(target);
          places.forEach((restart, place) => {
            if (restart?.target === target) places[place] = undefined;
          });
          const margin = Number.isFinite(target.smallest) ? target.smallest : null;
          yield settle(target.item, { found, margin });
        }
      }
    } finally {
      await points.dispose();
      await source.return?.();
    }
  };

interface MovingPointsOptions
  extends Pick<AttackStageOptions, 'device' | 'model' | 'weights' | 'range' | 'natural' | 'epsilon' | 'batchSize'> {
  readonly stepSize: number;
}

/** A batch of points on the device, of which single ones can be replaced between two steps. */
interface MovingPoints {
  /** Puts an image and the point from which it is attacked into a place, in the next step. */
  set(place: number, item: Item, start: Float32Array): void;
  /** One step of all points. @returns the margins where they were */
  move(): Promise<readonly ClassMargin[]>;
  dispose(): Promise<void>;
}

function movingPoints({
  device,
  model,
  weights,
  range,
  natural,
  epsilon,
  stepSize,
  batchSize,
}: MovingPointsOptions): MovingPoints {
  const step = device.jit(createAttackStep(model, range, natural));
  const hyper = putScalars(device, { epsilon, stepSize });
  const size = sizeOf(model.inputShape);
  const shape = [batchSize, ...model.inputShape];
  const host = { images: new Float32Array(batchSize * size), labels: new Int32Array(batchSize) };
  const starts = new Map<number, Float32Array>();
  let batch = putBatch(device, model, host);
  let point = device.put(host.images, shape);

  async function replace(): Promise<void> {
    const values = Float32Array.from(await point.data());
    for (const [place, start] of starts) values.set(start, place * size);
    starts.clear();
    disposeTree([batch, point]);
    batch = putBatch(device, model, host);
    point = device.put(values, shape);
  }

  return {
    set(place, { pixels, label }, start) {
      host.images.set(pixels, place * size);
      host.labels[place] = label;
      starts.set(place, start);
    },
    async move() {
      if (starts.size > 0) await replace();
      const next = await step(weights, batch, point, hyper);
      const logits = await next.logits.data();
      disposeTree([point, next.logits]);
      point = next.point;
      return readMargins(logits, host.labels, model.classes);
    },
    async dispose() {
      disposeTree([batch, point, hyper]);
      await step.dispose();
    },
  };
}

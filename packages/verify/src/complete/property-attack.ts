import { naturalPass } from '@cert/bounds';
import { createRng, type Params, type Scalar, type Tensor, type Tensor3D, tf, valueAndGrad } from '@cert/core';
import { disposeTree, turn } from '@cert/jit';
import type { Weights } from '../verifier.js';
import { type Region, violates } from './region.js';
import { rowsOfCase } from './relus/domain.js';
import type { SearchControl } from './search.js';
import { drawSmoothing, type Smoothing, type SmoothingRates, smoothingAt, smoothRules } from './smooth-relu.js';
import { networkOf, readFloats, type SearchSetting, type Sides } from './weights.js';

/** Options of the attack on a property. */
export interface PropertyAttackOptions {
  /** Steps from each start; default 100. */
  readonly steps?: number;
  /** Starts for each case, at least: batches are filled; default 30. */
  readonly restarts?: number;
  /** Seed of the starts; default 0. */
  readonly seed?: number;
}

/** Points that are moved at once: few shapes, so that few functions are compiled. */
const SIZES = [16, 128];
/** Points around a given one. */
const AROUND = 128;
/** Step in the beginning and in the end, as a share of the width of the box. */
const [FIRST, LAST] = [0.25, 0.005];
/** The first step from points around a given one. */
const NEARBY = 0.05;
/** How much of the last direction is kept. */
const MOMENTUM = 0.75;

/** One step of points towards violations, compiled. */
const stepOf = ({ device, model, rules }: SearchSetting) =>
  device.jit(
    (
      own: Weights,
      box: Sides,
      { points, direction }: { readonly points: Tensor; readonly direction: Tensor },
      { matrix, bounds }: { readonly matrix: Tensor3D; readonly bounds: Tensor },
      smoothing: Smoothing,
      { rate, ...rates }: SmoothingRates & { readonly rate: Scalar },
    ) => {
      const network = networkOf(model, own);
      const here = naturalPass(network, points, rules.natural);
      const smooth = smoothRules(rules.natural, here.at, smoothing, rates);
      const { grads } = valueAndGrad(
        (now: Params) => {
          const { output } = naturalPass(network, now.points!.points!, smooth);
          const products = tf.squeeze(tf.matMul(matrix, tf.expandDims(output, 2) as Tensor3D), [2]);
          return { value: tf.sum(tf.max(tf.sub(products, bounds), 1)) as Scalar, aux: {} };
        },
        { points: { points } },
      );
      const towards = tf.neg(tf.sign(grads.points!.points!));
      const moved = tf.add(tf.mul(direction, MOMENTUM), tf.mul(towards, 1 - MOMENTUM));
      const width = tf.sub(box.upper, box.lower);
      const next = tf.add(points, tf.mul(tf.mul(tf.sign(moved), width), rate));
      return {
        output: here.output,
        state: { points: tf.minimum(tf.maximum(next, box.lower), box.upper), direction: moved },
      };
    },
  );

/** An attack with its compiled functions, for regions of one network. */
export interface PropertyAttack {
  /** @returns a witness that `confirm` accepted, or undefined */
  search(
    region: Region,
    control: Pick<SearchControl, 'confirm' | 'deadline' | 'signal'>,
    options?: PropertyAttackOptions,
  ): Promise<Float32Array | undefined>;
  /**
   * The same from points around a given one: at distances from none to the size of the box.
   *
   * @param of the case to violate
   */
  searchAround(
    point: Float32Array,
    of: number,
    region: Region,
    control: Pick<SearchControl, 'confirm' | 'deadline' | 'signal'>,
  ): Promise<Float32Array | undefined>;
  /** Frees the compiled functions. */
  dispose(): Promise<void>;
}

/**
 * Projected gradient descent on every case of a region: from random points, towards outputs that satisfy the inequality that is farthest
 * from it (Madry et al. 2018, with momentum and a step that shrinks geometrically). From every other point the ReLUs are smoothed at first.
 */
export function createPropertyAttack(setting: SearchSetting, options: PropertyAttackOptions = {}): PropertyAttack {
  const step = stepOf(setting);
  return {
    search: (region, control, own = options) => attackRegion(setting, step, region, control, own),
    searchAround: (point, of, region, control) => attackRegion(setting, step, region, control, options, { point, of }),
    dispose: () => step.dispose(),
  };
}

async function attackRegion(
  { device, model, weights }: SearchSetting,
  step: ReturnType<typeof stepOf>,
  region: Region,
  { confirm, deadline, signal }: Pick<SearchControl, 'confirm' | 'deadline' | 'signal'>,
  { steps = 100, restarts = 30, seed = 0 }: PropertyAttackOptions,
  around?: { readonly point: Float32Array; readonly of: number },
): Promise<Float32Array | undefined> {
  const rows = Math.max(...region.cases.map(({ length }) => length));
  const inputs = region.lower.length;
  const { classes } = model;
  const rng = createRng(seed, 'property attack');
  const shape = [1, ...model.inputShape];
  const box = { lower: device.put(region.lower, shape), upper: device.put(region.upper, shape) };
  const targets =
    around === undefined
      ? Array.from({ length: restarts }, () => region.cases.map((_, of) => of)).flat()
      : Array<number>(AROUND).fill(around.of);
  const size = SIZES.find((one) => one >= targets.length) ?? SIZES.at(-1)!;
  try {
    for (let from = 0; from < targets.length; from += size) {
      const places = Array.from({ length: size }, (_, k) => from + k);
      const found = await attackBatch(
        places.map((place) => targets[place % targets.length]!),
        places.map((place) => around === undefined && Math.floor(place / region.cases.length) % 2 === 0),
      );
      if (found !== undefined || Date.now() > deadline) return found;
    }
    return undefined;
  } finally {
    disposeTree(box);
  }

  async function attackBatch(cases: readonly number[], smooth: readonly boolean[]): Promise<Float32Array | undefined> {
    const matrix = new Float32Array(size * rows * classes);
    const bounds = new Float32Array(size * rows);
    cases.forEach((of, k) => {
      rowsOfCase(region, of, rows).forEach((row, r) => {
        const place = k * rows + r;
        matrix.set(region.matrix.subarray(row * classes, (row + 1) * classes), place * classes);
        bounds[place] = region.bounds[row]!;
      });
    });
    const goal = { matrix: device.put(matrix, [size, rows, classes]), bounds: device.put(bounds, [size, rows]) };
    const start = Float32Array.from({ length: size * inputs }, (_, i) => {
      const [l, u] = [region.lower[i % inputs]!, region.upper[i % inputs]!];
      const near = around?.point[i % inputs];
      const place = Math.floor(i / inputs) / size;
      const start = near === undefined ? l + (u - l) * rng.uniform() : near + (u - l) * (2 * rng.uniform() - 1) * place;
      return Math.min(u, Math.max(l, start));
    });
    const smoothing = drawSmoothing(device, model, rng, smooth);
    const points = [size, ...model.inputShape];
    const first = around === undefined ? FIRST : NEARBY;
    let state = { points: device.put(start, points), direction: device.put(new Float32Array(start.length), points) };
    try {
      for (let t = 0; t <= steps; t++) {
        signal?.throwIfAborted();
        const scalar = (value: number) => device.put(Float32Array.of(value), []);
        const { sharpness, fade } = smoothingAt(t / steps);
        const rates = {
          rate: scalar(first * (LAST / first) ** (t / steps)),
          ...{ sharpness: scalar(sharpness), fade: scalar(fade) },
        };
        const next = await step(weights, box, state, goal, smoothing, rates);
        const output = await readFloats(next.output);
        const hit = cases.findIndex((of, k) => violates(region, of, output.subarray(k * classes, (k + 1) * classes)));
        const found =
          hit < 0
            ? undefined
            : await confirm((await readFloats(state.points)).slice(hit * inputs, (hit + 1) * inputs), region);
        disposeTree([rates, next.output, state]);
        state = next.state;
        if (found !== undefined || Date.now() > deadline) return found;
        if (t % 10 === 9) await turn();
      }
      return undefined;
    } finally {
      disposeTree([state, goal, smoothing]);
    }
  }
}

import { epsilonUp, naturalPass, runningNorm } from '@cert/bounds';
import {
  type Batch,
  CertError,
  categoryVariants,
  checkEpsilon,
  checkInRange,
  eachFeature,
  fixedCategories,
  hullOf,
  type Perturbation,
  type Shape,
  UNIT_BALL,
} from '@cert/core';
import { disposeTree, putBatch, putScalars } from '@cert/jit';
import { checkCount, checkImage } from '../checked-images.js';
import { checkSound, readMargins } from '../margins.js';
import { isPositive, isVerified } from '../verdict.js';
import type { Weights } from '../verifier.js';
import type { CertifyOptions } from './certify-options.js';
import { proverAt } from './prover-at.js';
import { hasCategories } from './variants.js';

/** Options of {@link createPointCertifier}. */
export interface PointCertifierOptions
  extends Pick<CertifyOptions, 'device' | 'model' | 'weights' | 'natural' | 'verifiers' | 'arithmetic' | 'signal'> {
  /** The set around a point; its radius is replaced by that of each call. Default: an l-infinity ball, clipped to [0, 1]. */
  readonly perturbation?: Perturbation;
}

/** An input and its label. */
export interface LabelledPoint {
  /** Row-major [...inputShape], in the data range. */
  readonly pixels: Float32Array;
  /** From 0. */
  readonly label: number;
}

/** Bound over the ball around a point. Plain data. */
export interface PointBound {
  /** The largest lower bound of the smallest margin over all verifiers; null if none is finite. */
  readonly lower: number | null;
  /** The first verifier that verifies the ball; null if none does. */
  readonly verifiedBy: string | null;
}

/** Certified radius of a point. Plain data. */
export interface CertifiedRadius {
  /** The largest verified radius, a lower bound of the distance to the nearest adversarial example. 0 if none was verified. */
  readonly radius: number;
  /** The verifier that verifies it; null for a radius of 0. */
  readonly verifiedBy: string | null;
  /** The smallest radius that was tried and not verified; null if the ball contains the whole data range. */
  readonly unverified: number | null;
}

/** Options of {@link PointCertifier.radius}. */
export interface RadiusOptions {
  /** Relative tolerance: the search ends once the verified and the smallest unverified radius differ by less. Default 0.01. */
  readonly tolerance?: number;
  /** First radius to try; default 0.01. */
  readonly start?: number;
}

/** Certifies points one at a time; compiled once, for any number of points and radii. */
export interface PointCertifier {
  /**
   * Returns the logits of a point without perturbation.
   *
   * @throws CertError `bad-data` for a point outside the range; `shape-mismatch` for another number of values
   */
  logits(pixels: Float32Array): Promise<Float32Array>;
  /**
   * Bounds the margin over the ball of radius `epsilon`, in the units of the point. Tries verifiers in order until one verifies the ball.
   *
   * @throws CertError `unsound` if a lower bound is larger than the margin of the point itself; `bad-argument` for an epsilon that is not a
   * finite number >= 0; `bad-data` for a point outside the range or a label that is not one of the classes; `shape-mismatch` for another
   * number of values
   */
  bound(point: LabelledPoint, epsilon: number): Promise<PointBound>;
  /**
   * Searches for the largest verified radius by bisection. Larger radii below `unverified` may also be verifiable.
   *
   * @throws CertError as {@link PointCertifier.bound}; `bad-argument` for a tolerance or a start that is not a finite number > 0
   */
  radius(point: LabelledPoint, options?: RadiusOptions): Promise<CertifiedRadius>;
  /** Frees the compiled functions. */
  dispose(): Promise<void>;
}

/** The smallest radius that is tried, and the largest one without a data range. */
const [LEAST, MOST] = [1e-6, 1e6];

/** Creates a certifier for one network on one device; the caller disposes it. Nothing is compiled before the first point. */
export function createPointCertifier(options: PointCertifierOptions): PointCertifier {
  const { device, model, weights, verifiers, arithmetic = 'nearest', perturbation: set = UNIT_BALL, signal } = options;
  const perturbation = hasCategories(set) ? fixedCategories(set, model.inputShape) : set;
  const setting = { device, model, perturbation };
  const pass = device.jit(({ params, stats }: Weights, { images }: Batch) => ({
    logits: naturalPass({ model, params, norm: runningNorm(stats) }, images, options.natural).output,
  }));
  const provers = verifiers.map((verifier) => ({
    name: verifier.name,
    prover:
      verifier.searchOn === undefined
        ? proverAt(arithmetic, verifier, setting)
        : verifier.searchOn(setting, arithmetic),
  }));

  const logits = async (pixels: Float32Array): Promise<Float32Array> => {
    checkCount(pixels, 1, model.inputShape);
    checkInRange(pixels, perturbation.range, model.inputShape);
    const batch = putBatch(device, model, { images: pixels, labels: Int32Array.of(0) });
    const out = await pass(weights, batch);
    const values = Float32Array.from(await out.logits.data());
    disposeTree([batch, out]);
    return values;
  };

  /** What a verifier says of a ball: a lower margin, and the margin of a point that it found. */
  const ask = async ({ prover }: (typeof provers)[number], point: LabelledPoint, epsilon: number) => {
    if ('search' in prover) {
      const { margins, found } = await prover.search(weights, point, epsilon);
      return { lower: margins[arithmetic] ?? null, found: found?.margin };
    }
    const batch = putBatch(device, model, { images: point.pixels, labels: Int32Array.of(point.label) });
    const scalars = putScalars(device, { epsilon: arithmetic === 'nearest' ? epsilon : epsilonUp(epsilon) });
    try {
      const [margins] = await prover.margins(weights, batch, scalars, 1);
      return { lower: margins?.[arithmetic] ?? null, found: undefined };
    } finally {
      disposeTree([batch, scalars]);
    }
  };

  /** Each combination of categories, up to the first that is not verified where `all` is false. */
  const boundsOf = async (point: LabelledPoint, epsilon: number, all: boolean): Promise<readonly PointBound[]> => {
    checkEpsilon(epsilon);
    checkImage(point, model, perturbation.range);
    if (!hasCategories(set)) return [await boundOf(point, epsilon)];
    const bounds: PointBound[] = [];
    for (const pixels of categoryVariants(set, point.pixels, model.inputShape).inputs) {
      const bound = await boundOf({ ...point, pixels }, epsilon);
      bounds.push(bound);
      if (bound.verifiedBy === null && !all) break;
    }
    return bounds;
  };

  /** What verifies the last of the combinations, where all are verified. */
  const verifierOf = (bounds: readonly PointBound[]): string | null =>
    bounds.some(({ verifiedBy }) => verifiedBy === null) ? null : bounds.at(-1)!.verifiedBy;

  const boundOf = async (point: LabelledPoint, epsilon: number): Promise<PointBound> => {
    const [own] = readMargins(await logits(point.pixels), [point.label], model.classes);
    const { margin, size: largest } = own!;
    let best: number | null = null;
    for (const each of provers) {
      signal?.throwIfAborted();
      const { lower, found } = await ask(each, point, epsilon);
      const smallest = found === undefined ? margin : Math.min(margin, found ?? Number.NEGATIVE_INFINITY);
      const bound = lower ?? Number.NEGATIVE_INFINITY;
      checkSound({ method: each.name, image: 0, bound, found: smallest, size: largest });
      if (lower !== null && (best === null || lower > best)) best = lower;
      if (isVerified({ lower, found: smallest })) return { lower: best, verifiedBy: each.name };
      // No other method can verify what is misclassified.
      if (!isPositive(smallest)) break;
    }
    return { lower: best, verifiedBy: null };
  };

  return {
    logits,
    async bound(point, epsilon) {
      const bounds = await boundsOf(point, epsilon, true);
      const lower = bounds.map((bound) => bound.lower);
      return {
        lower: lower.some((bound) => bound === null) ? null : Math.min(...lower.map(Number)),
        verifiedBy: verifierOf(bounds),
      };
    },
    async radius(point, { tolerance = 0.01, start = 0.01 } = {}) {
      for (const [name, value] of Object.entries({ tolerance, start })) {
        if (value > 0 && Number.isFinite(value)) continue;
        throw new CertError('bad-argument', `The ${name} of the search is ${value}.`, 'Give a finite number > 0.');
      }
      const most = largestRadius(perturbation, model.inputShape);
      const best: { radius: number; verifiedBy: string | null; unverified: number | null } = {
        ...{ radius: 0, verifiedBy: null, unverified: null },
      };
      const attempt = async (epsilon: number) => {
        const verifiedBy = verifierOf(await boundsOf(point, epsilon, false));
        if (verifiedBy === null) best.unverified = epsilon;
        else Object.assign(best, { radius: epsilon, verifiedBy });
      };
      await attempt(Math.min(start, most));
      while (best.unverified === null && best.radius < most) await attempt(Math.min(2 * best.radius, most));
      while (best.unverified !== null && best.unverified > LEAST) {
        if (best.unverified - best.radius <= tolerance * best.unverified) break;
        const next = best.radius === 0 ? best.unverified / 4 : (best.radius + best.unverified) / 2;
        // No number lies in between.
        if (next <= best.radius || next >= best.unverified) break;
        await attempt(next);
      }
      return best;
    },
    async dispose() {
      await pass.dispose();
      for (const { prover } of provers) await prover.dispose();
    },
  };
}

/** The radius from which the set is the whole range; a large one where it has no end. */
function largestRadius(perturbation: Perturbation, shape: Shape): number {
  const { range } = perturbation;
  if (range === null) return MOST;
  const [least, most] = [eachFeature(range.min, shape), eachFeature(range.max, shape)];
  const widths = most.map((end, i) => end - least[i]!);
  if (perturbation.kind === 'l2') return Math.min(MOST, Math.hypot(...widths));
  const set = hullOf(perturbation, shape);
  const [up, down] = [eachFeature(set.up, shape), eachFeature(set.down, shape)];
  const needed = widths.flatMap((width, i) => [up[i]!, down[i]!].map((reach) => (reach === 0 ? 0 : width / reach)));
  return Math.min(
    MOST,
    needed.reduce((a, b) => Math.max(a, b), 0),
  );
}

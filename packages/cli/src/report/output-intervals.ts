import type { Arithmetic } from '@cert/bounds';
import { type Model, type Perturbation, withLabel, withTolerance } from '@cert/core';
import { imagesOf, type Split, TOLERANCE_CLASSES } from '@cert/datasets';
import { type Device, disposeTree, type OnDevice, putParams } from '@cert/jit';
import type { Catalog } from '@cert/trainer/pipeline';
import { createPointCertifier, type PointCertifier, type Verifier, type Weights } from '@cert/verify';

/** A prediction of a regression, in the units of the label. Plain data. */
export interface PredictedValue {
  readonly index: number;
  readonly target: number;
  /** Null if it is not finite. */
  readonly prediction: number | null;
  /** Where the prediction provably stays in the perturbation set; null where no method bounds it. */
  readonly interval: readonly [lower: number, upper: number] | null;
}

/** What {@link createValuer} bounds. */
export interface ValuerOptions {
  readonly device: Device;
  /** One output. */
  readonly model: Model;
  readonly perturbation: Perturbation;
  readonly weights: OnDevice<Weights>;
  /** How large differences of predictions are, such as the standard deviation of the label: bounds are computed in this unit. */
  readonly unit: number;
  readonly natural: Catalog['rules']['natural'];
  /** Bound methods; an interval is that of all of them together. */
  readonly verifiers: readonly Verifier[];
  readonly arithmetic: Arithmetic;
  readonly signal: AbortSignal;
}

/** Predicts numbers, and bounds them. */
export interface Valuer {
  /** The prediction at a row; null if it is not finite. */
  predict(row: Float32Array): Promise<number | null>;
  /** The interval of each of the first rows. @param split with targets */
  values(split: Split, count: number, epsilon: number): Promise<readonly PredictedValue[]>;
  dispose(): Promise<void>;
}

/** An end of an interval, by the class whose margin bounds it: the output f times `sign` is larger than what the bound says. */
const ENDS = {
  lower: { label: TOLERANCE_CLASSES.indexOf('too high'), sign: 1 },
  upper: { label: TOLERANCE_CLASSES.indexOf('too low'), sign: -1 },
} as const;

/** A bound method, without a claim about rounding and at the arithmetic of the report. */
interface Method {
  readonly nearest: PointCertifier;
  readonly asked: PointCertifier;
}

/** The relative error of the unit: `withTolerance` of `@cert/core` rounds its reciprocal up. */
const ROUNDED = 2 ** -21;

/** How far a bound is moved so that the nearest arithmetic surely verifies it: relative to the unit, and to the bound. */
const SLACK = { unit: 1e-3, bound: 1e-5 };

/** Prepares a regression for predictions and their intervals; the caller disposes it. */
export function createValuer(options: ValuerOptions): Valuer {
  const { model, perturbation, weights, unit, verifiers, arithmetic, ...setting } = options;
  const plain = createPointCertifier({ ...setting, model, perturbation, weights, verifiers: [] });
  const around = withTolerance(model, unit);
  const added = putParams(setting.device, around.params);
  const certifierAt = (verifier: Verifier, level: Arithmetic) =>
    createPointCertifier({
      ...{ ...setting, model: around.model, perturbation: withLabel(perturbation, model.inputShape[0]!) },
      weights: { params: { ...weights.params, ...added }, stats: weights.stats },
      ...{ verifiers: [verifier], arithmetic: level },
    });
  const methods = verifiers.map((verifier): Method => {
    const nearest = certifierAt(verifier, 'nearest');
    return { nearest, asked: arithmetic === 'nearest' ? nearest : certifierAt(verifier, arithmetic) };
  });

  const predict = async (row: Float32Array): Promise<number | null> => {
    const [value = Number.NaN] = await plain.logits(row);
    return Number.isFinite(value) ? value : null;
  };

  /** A lower bound of f times the sign of the end, by the margin of its class with a number in place of the label; null for none. */
  const boundAt = async (
    certifier: PointCertifier,
    row: Float32Array,
    { end, at, epsilon }: { readonly end: keyof typeof ENDS; readonly at: number; readonly epsilon: number },
  ): Promise<number | null> => {
    const { label, sign } = ENDS[end];
    const place = Math.fround(at);
    const { lower } = await certifier.bound({ pixels: Float32Array.of(...row, place), label }, epsilon);
    if (lower === null) return null;
    // With a = sign (f - place) / unit, the margin is the smaller of a - 1 and 2 a.
    const a = Math.max(lower + 1, lower / 2);
    return sign * place + a * unit * (a > 0 ? 1 - ROUNDED : 1);
  };

  /** An end of the interval of a method. At other levels than the nearest one, a bound is only sought for margins that are verified there. */
  const endOf = async (
    { nearest, asked }: Method,
    row: Float32Array,
    { end, at, epsilon }: Parameters<typeof boundAt>[2],
  ): Promise<number | null> => {
    const rough = await boundAt(nearest, row, { end, at, epsilon });
    if (rough === null || asked === nearest) return rough;
    const moved = rough - unit - SLACK.unit * unit - SLACK.bound * Math.abs(rough);
    return boundAt(asked, row, { end, at: ENDS[end].sign * moved, epsilon });
  };

  /** The largest bound of all methods. */
  const best = async (row: Float32Array, at: Parameters<typeof boundAt>[2]): Promise<number | null> => {
    const found: number[] = [];
    for (const method of methods) {
      const bound = await endOf(method, row, at);
      if (bound !== null) found.push(bound);
    }
    return found.length === 0 ? null : Math.max(...found);
  };

  const valueAt = async (split: Split, index: number, epsilon: number): Promise<PredictedValue> => {
    const { images: row } = imagesOf(split, [index]);
    const prediction = await predict(row);
    const known = { index, target: split.targets![index]!, prediction };
    if (prediction === null) return { ...known, interval: null };
    const lower = await best(row, { end: 'lower', at: prediction, epsilon });
    const upper = await best(row, { end: 'upper', at: prediction, epsilon });
    return { ...known, interval: lower === null || upper === null ? null : [lower, 0 - upper] };
  };

  return {
    predict,
    async values(split, count, epsilon) {
      const values: PredictedValue[] = [];
      for (let index = 0; index < Math.min(count, split.count); index++) {
        setting.signal.throwIfAborted();
        values.push(await valueAt(split, index, epsilon));
      }
      return values;
    },
    async dispose() {
      await plain.dispose();
      disposeTree(added);
      for (const { nearest, asked } of methods) {
        await nearest.dispose();
        if (asked !== nearest) await asked.dispose();
      }
    },
  };
}

import { CertError, sizeOf } from '@cert/core';
import { TOLERANCE_CLASSES } from '@cert/datasets';
import { disposeTree, putParams } from '@cert/jit';
import { evaluatedAs } from '@cert/trainer/pipeline';
import { type CertifiedRadius, createPointCertifier, type PointCertifierOptions } from '@cert/verify';

/** What is known about the prediction of a regression at one row. Plain data; numbers in the units of the label. */
export interface ValuePrediction {
  /** The prediction; null if it is not finite. */
  readonly prediction: number | null;
  /** The label of the row. */
  readonly label: number | null;
  readonly epsilon: number;
  /** The tolerance of the radius. */
  readonly delta: number;
  /** An upper bound of how far the prediction moves in the set of radius epsilon; null if none is finite. */
  readonly deviation: number | null;
  /** The method that verifies that the prediction moves by less than delta at epsilon; null if none does. */
  readonly verifiedBy: string | null;
  /** The largest radius at which the prediction moves by less than delta. */
  readonly radius: CertifiedRadius | null;
}

/** Options of {@link createValuePredictor}. */
export interface ValuePredictorOptions extends PointCertifierOptions {
  readonly perturbation: NonNullable<PointCertifierOptions['perturbation']>;
  readonly epsilon: number;
  readonly delta: number;
  /** Relative precision of the radius. */
  readonly tolerance: number;
}

/** Predicts numbers of one network after another. */
export interface ValuePredictor {
  /** Predicts a number, and certifies how far it moves: at a radius, and how far the radius may grow until it moves by delta. */
  predict(row: { readonly pixels: Float32Array; readonly label: number | null }): Promise<ValuePrediction>;
  dispose(): Promise<void>;
}

/** Makes a {@link ValuePredictor}. The caller disposes it; device and weights stay the caller's. */
export function createValuePredictor(options: ValuePredictorOptions): ValuePredictor {
  const { epsilon, delta, tolerance, ...setting } = options;
  const { device, model, weights, perturbation } = setting;
  const plain = createPointCertifier({ ...setting, verifiers: [] });
  const around = (pixels: Float32Array, value: number) => {
    // The prediction takes the place of the label: the property is about how far it moves.
    const test = {
      ...{ shape: model.inputShape, classes: 1, count: 1, images: pixels, scale: 1 },
      ...{ labels: Uint8Array.of(0), targets: Float32Array.of(value) },
    };
    return evaluatedAs({ model, perturbation, test }, delta);
  };
  const extended = around(new Float32Array(sizeOf(model.inputShape)), 0);
  const added = putParams(device, extended.params);
  const certifier = createPointCertifier({
    ...setting,
    ...{ model: extended.model, perturbation: extended.perturbation },
    weights: { params: { ...weights.params, ...added }, stats: weights.stats },
  });
  return {
    async predict({ pixels, label }) {
      const [value = Number.NaN] = await plain.logits(pixels);
      const known = { label, epsilon, delta };
      if (!Number.isFinite(value)) {
        return { ...known, prediction: null, deviation: null, verifiedBy: null, radius: null };
      }
      const point = { pixels: Float32Array.from(around(pixels, value).test.images), label: WITHIN };
      const { lower, verifiedBy } = await certifier.bound(point, epsilon);
      const radius = await certifier.radius(point, { tolerance, ...(epsilon > 0 && { start: epsilon }) });
      const deviation = lower === null ? null : delta * (1 - lower);
      return { ...known, prediction: value, deviation, verifiedBy, radius };
    },
    async dispose() {
      await plain.dispose();
      await certifier.dispose();
      disposeTree(added);
    },
  };
}

/** The class of a prediction within the tolerance. */
const WITHIN = TOLERANCE_CLASSES.indexOf('within the tolerance');

/** @throws CertError `bad-argument` for a class to certify, of which a regression has none */
export function refuseLabel(label: string | undefined): void {
  if (label === undefined) return;
  throw new CertError(
    'bad-argument',
    `--label is ${JSON.stringify(label)}, but the run is a regression, which has no classes.`,
    'Leave it out: the prediction is certified. Give its tolerance with --delta.',
  );
}

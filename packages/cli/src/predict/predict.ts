import type { CertifiedRadius, PointBound, PointCertifier } from '@cert/verify';

/** One of the classes with the largest logits. */
interface RankedClass {
  readonly class: number;
  readonly name: string | null;
  readonly logit: number;
  /** Of all logits, a probability. */
  readonly softmax: number;
}

/** What is known about one image. Plain data. */
export interface Prediction {
  /** The class of the largest logit; null if a logit is not finite. */
  readonly prediction: number | null;
  /** The label of the image; null for one without. */
  readonly label: number | null;
  readonly top: readonly RankedClass[];
  /** The class that is certified: the prediction, or the one that was given. */
  readonly certified: number | null;
  readonly epsilon: number;
  /** A lower bound of the smallest margin over the ball of radius epsilon, and which method verified it. */
  readonly bound: PointBound | null;
  readonly radius: CertifiedRadius | null;
}

/** Options of {@link predict}. */
export interface PredictOptions {
  readonly certifier: PointCertifier;
  readonly pixels: Float32Array;
  readonly label: number | null;
  /** The class to certify; null for the prediction. */
  readonly certify: number | null;
  readonly classNames: readonly string[] | undefined;
  readonly epsilon: number;
  readonly tolerance: number;
}

/** Classes that are shown. */
const TOP = 3;

/** Classifies an image, and certifies a class: at a radius, and as far as it goes. */
export async function predict(options: PredictOptions): Promise<Prediction> {
  const { certifier, pixels, label, certify, classNames, epsilon, tolerance } = options;
  const logits = Array.from(await certifier.logits(pixels));
  const finite = logits.every(Number.isFinite);
  const largest = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  const top = logits
    .map((logit, i) => ({ class: i, name: classNames?.[i] ?? null, logit, softmax: Math.exp(logit - largest) / sum }))
    .sort((a, b) => b.logit - a.logit)
    .slice(0, TOP);
  const prediction = finite ? top[0]!.class : null;
  const certified = certify ?? prediction;
  const known = { prediction, label, top: finite ? top : [], certified, epsilon };
  if (prediction === null || certified === null) return { ...known, bound: null, radius: null };
  const point = { pixels, label: certified };
  const bound = await certifier.bound(point, epsilon);
  const radius = await certifier.radius(point, { tolerance, ...(epsilon > 0 && { start: epsilon }) });
  return { ...known, bound, radius };
}

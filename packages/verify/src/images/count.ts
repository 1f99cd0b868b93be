import type { Arithmetic } from '@cert/bounds';
import { clopperPearson } from './clopper-pearson.js';
import {
  ARITHMETICS,
  firstVerifier,
  type ImageResult,
  isBroken,
  isCorrect,
  isNotFinite,
  isVerifiedAt,
  isVerifiedBy,
} from './result.js';

/** A number of images, as a fraction of all, with its exact (Clopper-Pearson) 95 % confidence interval. */
export interface Proportion {
  /** How many images. */
  readonly count: number;
  /** `count` over all images, from 0 to 1. */
  readonly fraction: number;
  /** Its confidence interval, fractions. */
  readonly interval: readonly [lower: number, upper: number];
}

/** Results of one bound method. */
export interface MethodSummary {
  /** Number of attempted images. */
  readonly tried: number;
  /** Number of verified images. */
  readonly verified: number;
  /** Number of images with NaN or infinite bounds. */
  readonly notFinite: number;
  /** Images that neither this method nor an earlier one verified. */
  readonly verifiedError: Proportion;
  /** Images that this method alone did not verify; null unless it was run on every image. */
  readonly aloneError: Proportion | null;
}

/** Results for one arithmetic. */
export interface ArithmeticSummary {
  /** Images that no method verified at this or a stronger arithmetic. */
  readonly verifiedError: Proportion;
}

/** What is known by arithmetic; only where `real` or `deployed` was asked for. */
export interface ArithmeticCounts {
  /** By arithmetic, from the weakest claim to the one asked for. */
  readonly levels: { readonly [arithmetic in Arithmetic]?: ArithmeticSummary };
  /** Verified images at the arithmetic asked for, by what the bounds were computed in. */
  readonly steps: { readonly float32: number; readonly float64: number };
}

/** Totals of an evaluation. Plain data. */
export interface EvaluationCounts {
  /** All images. */
  readonly images: number;
  /** Standard error: misclassified without perturbation. */
  readonly standardError: Proportion;
  /** Misclassified without perturbation or at a point that the attack found; null without an attack. */
  readonly pgdError: Proportion | null;
  /** By method, in the order in which they were tried. */
  readonly methods: { readonly [method: string]: MethodSummary };
  /** By arithmetic; null where nothing but `nearest` was asked for. */
  readonly arithmetic: ArithmeticCounts | null;
  /** Undecided images. */
  readonly undecided: number;
  /** Undecided images with a NaN or infinite bound, which might otherwise be verified. */
  readonly undecidedNotFinite: number;
  /** Images with a NaN or infinite logit; they count as misclassified. */
  readonly logitsNotFinite: number;
}

/**
 * Returns the totals of image results.
 *
 * @param results at least one
 * @param options `methods` in the order in which they were tried; `attack` is null when none was run; `arithmetic` that was asked for,
 * default nearest
 */
export function countResults(
  results: readonly ImageResult[],
  {
    methods,
    attack,
    arithmetic = 'nearest',
  }: { readonly methods: readonly string[]; readonly attack: unknown; readonly arithmetic?: Arithmetic | undefined },
): EvaluationCounts {
  const images = results.length;
  const count = (holds: (image: ImageResult) => boolean) => results.filter(holds).length;
  const proportion = (holds: (image: ImageResult) => boolean): Proportion => {
    const found = count(holds);
    return { count: found, fraction: found / images, interval: clopperPearson(found, images) };
  };
  const undecided = (image: ImageResult) => !isBroken(image) && firstVerifier(image, methods) === null;
  const byArithmetic = (): ArithmeticCounts => {
    const claimed = ARITHMETICS.slice(0, ARITHMETICS.indexOf(arithmetic) + 1);
    const unverified = (level: Arithmetic) => (image: ImageResult) =>
      !methods.some((method) => isVerifiedAt(image, method, level));
    const steps = results.map((image) => image.levels?.[firstVerifier(image, methods) ?? '']?.step);
    return {
      levels: Object.fromEntries(claimed.map((level) => [level, { verifiedError: proportion(unverified(level)) }])),
      steps: {
        float32: steps.filter((step) => step === 'float32').length,
        float64: steps.filter((step) => step === 'float64').length,
      },
    };
  };
  const summaries = methods.map((method, i): [string, MethodSummary] => {
    const tried = count(({ lower }) => method in lower);
    return [
      method,
      {
        tried,
        verified: count((image) => isVerifiedBy(image, method)),
        notFinite: count((image) => isNotFinite(image, method)),
        verifiedError: proportion((image) => firstVerifier(image, methods.slice(0, i + 1)) === null),
        aloneError: tried === images ? proportion((image) => !isVerifiedBy(image, method)) : null,
      },
    ];
  });
  return {
    images,
    standardError: proportion((image) => !isCorrect(image)),
    pgdError: attack === null ? null : proportion(isBroken),
    methods: Object.fromEntries(summaries),
    arithmetic: arithmetic === 'nearest' ? null : byArithmetic(),
    undecided: count(undecided),
    undecidedNotFinite: count((image) => undecided(image) && methods.some((method) => isNotFinite(image, method))),
    logitsNotFinite: count(({ prediction }) => prediction === null),
  };
}

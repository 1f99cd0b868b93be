import type { Arithmetic } from '@cert/bounds';
import { isPositive, isVerified } from '../verdict.js';
import type { LevelMargins } from '../verifier.js';

/** Result of an attack on one image. */
export interface AttackResult {
  /** Whether an adversarial example was found. */
  readonly found: boolean;
  /** The smallest margin at any point that the attack visited; null if a logit was not finite. */
  readonly margin: number | null;
  /** Name of the successful attack; only present if one was. */
  readonly by?: string;
}

/** Result of one image: a line in the JSONL file of an evaluation. Plain data. */
export interface ImageResult {
  /** Index of the image in the test set, from 0. */
  readonly index: number;
  /** Label, from 0. */
  readonly label: number;
  /** The class of the largest logit; null if a logit is not finite. */
  readonly prediction: number | null;
  /** Logit of the label minus the largest other logit, without perturbation; null if a logit is not finite. */
  readonly margin: number | null;
  /**
   * Of each bound method that was run on this image, the smallest lower margin at the arithmetic asked for; null where there is none that
   * is finite.
   */
  readonly lower: { readonly [method: string]: number | null };
  /** The same by arithmetic, and what decided; only where the arithmetic asked for is `real` or `deployed`. */
  readonly levels?: { readonly [method: string]: LevelMargins };
  /** The first method that verified the image; null if none did. */
  readonly verifiedBy: string | null;
  /** Result of the attack; null if no attack was run on this image. */
  readonly attack: AttackResult | null;
}

/** What {@link ImageResult} says, without the conclusion. */
export type ImageEvidence = Omit<ImageResult, 'verifiedBy'>;

/** Whether an image is classified correctly without perturbation. A tie or a logit that is not finite counts as an error. */
export const isCorrect = ({ margin }: ImageEvidence): boolean => isPositive(margin);

/** Whether an adversarial example is known, or the image itself is misclassified. */
export const isBroken = (image: ImageEvidence): boolean => !isCorrect(image) || image.attack?.found === true;

/** Whether a method verified an image: it was run on it, its lower margins prove that (see {@link isVerified}). */
export const isVerifiedBy = (image: ImageEvidence, method: string): boolean =>
  !isBroken(image) && isVerified({ lower: image.lower[method], found: image.margin });

/** The arithmetics, from the weakest claim to the strongest. Each claim includes the previous ones. */
export const ARITHMETICS = ['nearest', 'real', 'deployed'] as const satisfies readonly Arithmetic[];

/** Whether a method verified an image at an arithmetic or a stronger one. */
export const isVerifiedAt = (image: ImageEvidence, method: string, arithmetic: Arithmetic): boolean => {
  const found = image.margin;
  const margins = image.levels?.[method] ?? { nearest: image.lower[method] ?? null };
  const enough = ARITHMETICS.slice(ARITHMETICS.indexOf(arithmetic));
  return !isBroken(image) && enough.some((level) => isVerified({ lower: margins[level], found }));
};

/** Whether a method that was run on an image gave NaN or infinity. */
export const isNotFinite = (image: ImageEvidence, method: string): boolean => {
  // A search that found a misclassified point has no bound.
  if (image.attack?.by === method) return false;
  const levels = image.levels?.[method];
  if (levels === undefined) return image.lower[method] === null;
  return ARITHMETICS.some((level) => levels[level] === null);
};

/** The first of the methods, in this order, that verified an image; null when none did. */
export const firstVerifier = (image: ImageEvidence, methods: readonly string[]): string | null =>
  methods.find((method) => isVerifiedBy(image, method)) ?? null;

const isFiniteOrNull = (value: unknown): value is number | null =>
  value === null || (typeof value === 'number' && Number.isFinite(value));

const isIndex = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function isAttack(value: unknown): value is AttackResult | null {
  if (value === null) return true;
  const { found, margin, by } = (value ?? {}) as Partial<AttackResult>;
  if (typeof found !== 'boolean' || !isFiniteOrNull(margin)) return false;
  if (by !== undefined && !(found && typeof by === 'string')) return false;
  return found ? !(margin !== null && margin > 0) : margin !== null && margin > 0;
}

/** How far a lower margin may lie above a margin that was found, relative to both: rounding, at logits much larger than their margins too. */
const ROUNDING = 0.05;

/** Whether a bound claims more than what is known: a margin that was found below it. {@link certify} ends with an error there. */
function isContradicted(bound: number | null, found: number | null): boolean {
  if (bound === null || found === null) return false;
  return bound - found > ROUNDING * (1 + Math.max(Math.abs(bound), Math.abs(found)));
}

const STEPS: readonly unknown[] = [undefined, 'float32', 'float64'];

/** Whether a value is the margins by arithmetic of the methods that were run, and says of `arithmetic` what `lower` says. */
function isLevels(value: unknown, lower: ImageResult['lower'], arithmetic: Arithmetic): boolean {
  if (arithmetic === 'nearest') return value === undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const levels = value as { readonly [method: string]: Partial<LevelMargins> | null };
  if (Object.keys(levels).length !== Object.keys(lower).length) return false;
  return Object.entries(lower).every(([method, bound]) => {
    const own = Object.hasOwn(levels, method) ? levels[method] : null;
    if (typeof own !== 'object' || own === null || Array.isArray(own)) return false;
    const { step, ...margins } = own;
    const known = Object.entries(margins).every(
      ([level, margin]) => ARITHMETICS.includes(level as Arithmetic) && isFiniteOrNull(margin),
    );
    return known && STEPS.includes(step) && (own[arithmetic] ?? null) === bound;
  });
}

/**
 * Whether a value, such as a line of a file, is a result that {@link certify} can have given: every part has its type, and the parts agree
 * with each other and with the conclusion.
 *
 * @param methods those that were run, in their order
 * @param arithmetic what the lower margins hold for; default nearest
 */
export function isImageResult(
  value: unknown,
  methods: readonly string[],
  arithmetic: Arithmetic = 'nearest',
): value is ImageResult {
  const { index, label, prediction, margin, lower, levels, attack, verifiedBy } = (value ?? {}) as Partial<ImageResult>;
  if (!isIndex(index) || !isIndex(label) || !isFiniteOrNull(margin) || !isAttack(attack)) return false;
  if (prediction !== null && !isIndex(prediction)) return false;
  // Both are null where a logit is not finite. Equal logits give the margin 0 and the prediction of any of them.
  if ((prediction === null) !== (margin === null)) return false;
  if (margin !== null && margin !== 0 && margin > 0 !== (prediction === label)) return false;
  if (typeof lower !== 'object' || lower === null || Array.isArray(lower)) return false;
  if (!Object.entries(lower).every(([name, bound]) => methods.includes(name) && isFiniteOrNull(bound))) return false;
  if (!isLevels(levels, lower, arithmetic)) return false;
  const found = [margin, attack?.margin ?? null];
  // Weaker claims than the one asked for are counted, too.
  const others = Object.values(levels ?? {}).flatMap(({ nearest, real }) => [nearest ?? null, real ?? null]);
  const bounds = [...Object.values(lower), ...others];
  if (bounds.some((bound) => found.some((other) => isContradicted(bound, other)))) return false;
  return verifiedBy === firstVerifier({ index, label, prediction, margin, lower, attack }, methods);
}

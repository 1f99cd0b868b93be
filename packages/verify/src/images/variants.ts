import {
  CertError,
  categoryVariants,
  fixedCategories,
  type LinfPerturbation,
  type Perturbation,
  type Shape,
} from '@cert/core';
import type { BoxEvidence, CertificateEvidence } from '../certificate.js';
import type { LevelMargins } from '../verifier.js';
import type { CertifyOptions, IndexedImage } from './certify-options.js';
import { firstVerifier, type ImageEvidence, type ImageResult, isBroken, isCorrect } from './result.js';

/** Name in results of the attack that replaces categories: an input that is misclassified with other categories. */
export const CATEGORY_ATTACK = 'categories';

/** What is known of the inputs that one input became. */
interface Gathered {
  readonly image: IndexedImage;
  readonly results: ImageResult[];
  readonly variants: number;
  /** What searches have found for some variants, by their indices. */
  readonly found: Map<number, BoxEvidence>;
}

/**
 * Certifies inputs with categories that may change, box by box: an input is verified if it is verified with every combination of
 * categories, and broken if one of them is misclassified or attacked.
 *
 * @param certifyBoxes certifies inputs around which no category changes
 */
export async function* certifyVariants(
  options: CertifyOptions & { readonly perturbation: LinfPerturbation },
  shape: Shape,
  certifyBoxes: (options: CertifyOptions) => AsyncGenerator<ImageResult>,
): AsyncGenerator<ImageResult> {
  const { perturbation, arithmetic = 'nearest' } = options;
  const order = options.verifiers.map(({ name }) => name);
  const open = new Map<number, Gathered>();
  let count = 0;
  function* variants(): Iterable<IndexedImage> {
    for (const image of options.images) {
      const inputs = variantsOf(perturbation, image, shape);
      const gathered = { image, results: [], variants: inputs.length, found: new Map() };
      for (const pixels of inputs) {
        open.set(count, gathered);
        yield { index: count++, pixels, label: image.label };
      }
    }
  }
  const onEvidence: CertifyOptions['onEvidence'] = (variant, _, evidence) => {
    if (evidence.kind !== 'boxes') open.get(variant)!.found.set(variant, evidence);
  };
  const fixed = fixedCategories(perturbation, shape);
  for await (const result of certifyBoxes({ ...options, onEvidence, perturbation: fixed, images: variants() })) {
    const gathered = open.get(result.index)!;
    open.delete(result.index);
    gathered.results.push(result);
    if (gathered.results.length < gathered.variants) continue;
    const whole = combined(gathered, order, arithmetic);
    const evidence = evidenceOf(gathered, options);
    if (whole.verifiedBy !== null && evidence !== undefined) {
      options.onEvidence?.(whole.index, whole.verifiedBy, evidence);
    }
    yield whole;
  }
}

/** The evidence of all variants, in order; undefined where one has none. */
function evidenceOf(
  { results, found }: Gathered,
  { model, verifiers }: CertifyOptions,
): CertificateEvidence | undefined {
  const boxes = byIndex(results).flatMap(({ index, verifiedBy }) => {
    const verifier = verifiers.find(({ name }) => name === verifiedBy);
    const own = verifier?.searchOn === undefined ? verifier?.evidence?.(model) : found.get(index);
    return own === undefined ? [] : [own];
  });
  return boxes.length === results.length ? { kind: 'boxes', boxes } : undefined;
}

const byIndex = (results: readonly ImageResult[]) => results.toSorted((a, b) => a.index - b.index);

/** @throws CertError naming the input that is not one-hot */
function variantsOf(perturbation: LinfPerturbation, { index, pixels }: IndexedImage, shape: Shape) {
  try {
    return categoryVariants(perturbation, pixels, shape).inputs;
  } catch (error) {
    if (!(error instanceof CertError && error.code === 'bad-data')) throw error;
    throw new CertError(error.code, `Input ${index}: ${error.problem}`, error.cure, { cause: error });
  }
}

/** Whether some category may change. */
export const hasCategories = (perturbation: Perturbation): perturbation is LinfPerturbation =>
  perturbation.kind === 'linf' && perturbation.categories.length > 0;

/** The result of an input from those of its variants. */
function combined({ image, results }: Gathered, order: readonly string[], arithmetic: string): ImageResult {
  const byVariant = byIndex(results);
  const [own] = byVariant as [ImageResult];
  const { index, label } = image;
  const { prediction, margin } = own;
  const tried = order.filter((method) => byVariant.some(({ lower }) => method in lower));
  const lower = Object.fromEntries(tried.map((method) => [method, leastBound(byVariant, order, method)]));
  const attack = isCorrect(own) ? attackOf(byVariant) : own.attack;
  const evidence: ImageEvidence = { index, label, prediction, margin, lower, attack };
  const isIn64 = byVariant.some(({ levels = {} }) => Object.values(levels).some(({ step }) => step === 'float64'));
  const step = isIn64 ? ('float64' as const) : ('float32' as const);
  const levels = Object.fromEntries(
    tried.map((method): [string, LevelMargins] => [method, { [arithmetic]: lower[method]!, step }]),
  );
  return {
    ...{ index, label, prediction, margin, lower },
    ...(arithmetic !== 'nearest' && { levels }),
    ...{ verifiedBy: firstVerifier(evidence, order), attack },
  };
}

/** The smallest over the variants of the largest lower margin by a method or an earlier one; null if a variant has none. */
function leastBound(results: readonly ImageResult[], order: readonly string[], method: string): number | null {
  const until = order.slice(0, order.indexOf(method) + 1);
  const best = results.map(({ lower }) => {
    const known = until.flatMap((each) => (typeof lower[each] === 'number' ? [lower[each]] : []));
    return known.length === 0 ? null : Math.max(...known);
  });
  return best.every((bound): bound is number => bound !== null) ? Math.min(...best) : null;
}

/** What attacks say, the choice of other categories among them. */
function attackOf(results: readonly ImageResult[]): ImageResult['attack'] {
  const broken = results.filter(isBroken);
  const margins = results.flatMap(({ attack }) => (attack === null ? [] : [attack.margin]));
  if (broken.length === 0) {
    const least = margins.filter((margin) => margin !== null);
    return least.length === 0 ? null : { found: false, margin: Math.min(...least) };
  }
  const [first] = broken as [ImageResult];
  if (first.attack?.found === true) return first.attack;
  return { found: true, margin: first.margin, by: CATEGORY_ATTACK };
}

import { type Arithmetic, epsilonUp, naturalPass, runningNorm } from '@cert/bounds';
import { type Batch, CertError, checkEpsilon } from '@cert/core';
import { disposeTree, putBatch, putScalars } from '@cert/jit';
import { pgd } from '../attack/pgd.js';
import { attackStage } from '../attack/pool.js';
import { checkImage } from '../checked-images.js';
import { checkSound, readMargins } from '../margins.js';
import { batchSizeOf, type SearchedImage, type Weights } from '../verifier.js';
import type { CertifyOptions, IndexedImage } from './certify-options.js';
import { proverAt } from './prover-at.js';
import { firstVerifier, type ImageResult, isBroken } from './result.js';
import { fullBatch, type Item, inBatches, type Stage, timed } from './stage.js';
import { certifyVariants, hasCategories } from './variants.js';

/**
 * Certifies images one by one: prediction, lower margins by one method after another, and attacks. Images move from stage to stage; an
 * image that is misclassified, broken by an attack or verified is done (see `complete`). A stage waits for a full batch, so that each
 * computation is compiled for one shape; only the last batch is padded, with a repeated image. Where categories may change, images are
 * certified box by box (`categoryVariants` of `@cert/core`).
 *
 * @returns each image once, as soon as it is decided, not necessarily in input order
 * @throws CertError `unsound` if an adversarial example contradicts a proof; `bad-argument` for an epsilon that is not a finite number >= 0
 * and a batch size that is not a whole number > 0; `shape-mismatch` for an image with another number of values; `bad-data` for an image
 * outside the range and a label that is not one of the classes
 */
export async function* certify(options: CertifyOptions): AsyncGenerator<ImageResult> {
  const { perturbation, model, batchSize } = options;
  checkEpsilon(perturbation.epsilon);
  if (!(Number.isInteger(batchSize) && batchSize > 0)) {
    throw new CertError('bad-argument', `The batch size is ${batchSize}.`, 'Give a whole number > 0.');
  }
  const images = checkedImages(options);
  if (hasCategories(perturbation)) {
    yield* certifyVariants({ ...options, images, perturbation }, model.inputShape, certifyBoxes);
  } else {
    yield* certifyBoxes({ ...options, images });
  }
}

function* checkedImages({ images, model, perturbation }: CertifyOptions): Iterable<IndexedImage> {
  for (const image of images) {
    checkImage(image, model, perturbation.range);
    yield image;
  }
}

/** {@link certify} where no category changes. */
async function* certifyBoxes(options: CertifyOptions): AsyncGenerator<ImageResult> {
  const { device, model, weights, verifiers, attack, perturbation, batchSize, complete = false, signal } = options;
  const { arithmetic = 'nearest' } = options;
  const { epsilon } = perturbation;
  const order = verifiers.map(({ name }) => name);
  const named = (name: string, stage: Stage) => timed(stage, (seconds) => options.onTime?.(name, seconds));
  const isOpen = (item: Item) => !isBroken(item) && firstVerifier(item, order) === null;

  const pass = device.jit(({ params, stats }: Weights, { images }: Batch) => ({
    logits: naturalPass({ model, params, norm: runningNorm(stats) }, images, options.natural).output,
  }));
  const naturalStage = inBatches({
    ...{ batchSize, signal },
    picks: () => true,
    async look(items) {
      const batch = putBatch(device, model, fullBatch(items, batchSize));
      const out = await pass(weights, batch);
      const labels = items.map(({ label }) => label);
      const margins = readMargins(await out.logits.data(), labels, model.classes);
      disposeTree([batch, out]);
      return items.map((item, i) => ({ ...item, ...margins[i]!, margin: finiteOrNull(margins[i]!.margin) }));
    },
  });

  const scalars = putScalars(device, { epsilon: arithmetic === 'nearest' ? epsilon : epsilonUp(epsilon) });
  const setting = { device, model, perturbation };
  const provers = verifiers.map((verifier) =>
    verifier.searchOn === undefined ? proverAt(arithmetic, verifier, setting) : verifier.searchOn(setting, arithmetic),
  );
  const methodStages = verifiers.map((verifier, m) => {
    const prover = provers[m]!;
    if ('search' in prover) {
      return inBatches({
        ...{ batchSize: 1, signal },
        picks: (item) => (complete ? !isBroken(item) : isOpen(item)),
        async look([item]) {
          const found = await prover.search(weights, item!, epsilon);
          if (found.evidence !== undefined) options.onEvidence?.(item!.index, verifier.name, found.evidence);
          return [searchedItem(item!, verifier.name, arithmetic, found)];
        },
      });
    }
    const most = batchSizeOf(verifier, model, batchSize);
    return inBatches({
      ...{ batchSize: most, signal },
      picks: complete ? () => true : isOpen,
      async look(items) {
        const batch = putBatch(device, model, fullBatch(items, most));
        const margins = await prover.margins(weights, batch, scalars, items.length);
        disposeTree(batch);
        return items.map((item, i) => {
          const own = margins[i]!;
          const lower = { ...item.lower, [verifier.name]: own[arithmetic] ?? null };
          if (arithmetic === 'nearest') return checked({ ...item, lower });
          return checked({ ...item, lower, levels: { ...item.levels, [verifier.name]: own } });
        });
      },
    });
  });

  const inTurn = (afterAttack: boolean) =>
    verifiers.flatMap(({ name, cost }, m) => (cost.afterAttack === afterAttack ? [named(name, methodStages[m]!)] : []));
  const stages = [named('natural', naturalStage), ...inTurn(false)];
  const attacks = [...(attack === null ? [] : [pgd(attack)]), ...(options.attacks ?? [])];
  for (const each of attacks) {
    const stage = attackStage({
      ...{ device, model, weights, perturbation, batchSize, signal, natural: options.natural },
      attack: each,
      picks: complete ? (item) => !isBroken(item) : isOpen,
      settle: (item, result) => checked({ ...item, attack: result }),
    });
    stages.push(named(each.name, stage));
  }
  stages.push(...inTurn(true));
  try {
    const items = stages.reduce((before, stage) => stage(before), fresh(options.images, arithmetic !== 'nearest'));
    for await (const item of items) {
      const { index, label, prediction, margin, lower, levels, attack: attacked } = item;
      yield {
        ...{ index, label, prediction, margin, lower },
        ...(levels !== undefined && { levels }),
        ...{ verifiedBy: firstVerifier(item, order), attack: attacked },
      };
    }
  } finally {
    disposeTree(scalars);
    for (const compiled of [pass, ...provers]) await compiled.dispose();
  }
}

/** An image with what a search found out; a misclassified point counts like that of an attack. */
function searchedItem(item: Item, name: string, arithmetic: Arithmetic, { margins, found }: SearchedImage): Item {
  const known = {
    ...item,
    lower: { ...item.lower, [name]: margins[arithmetic] ?? null },
    ...(arithmetic !== 'nearest' && { levels: { ...item.levels, [name]: margins } }),
  };
  if (found === undefined) return checked(known);
  return checked({ ...known, attack: { found: true, margin: found.margin, by: name } });
}

/** Images of which nothing is known yet. */
async function* fresh(images: Iterable<IndexedImage>, levels: boolean): AsyncIterable<Item> {
  for (const image of images) {
    yield { ...image, ...(levels && { levels: {} }), prediction: null, margin: null, lower: {}, attack: null, size: 0 };
  }
}

const finiteOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** The item itself, when no lower margin lies above a margin that was found. */
function checked(item: Item): Item {
  const margins = item.attack === null ? [item.margin] : [item.margin, item.attack.margin];
  const found = Math.min(...margins.map((margin) => margin ?? Number.NEGATIVE_INFINITY));
  for (const [method, lower] of Object.entries(item.lower)) {
    const bound = lower ?? Number.NEGATIVE_INFINITY;
    checkSound({ method, image: item.index, bound, found, size: item.size });
  }
  return item;
}

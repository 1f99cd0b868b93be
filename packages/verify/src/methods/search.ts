import { type Arithmetic, type Rules, soundIbp } from '@cert/bounds';
import { type Model, type Property, sizeOf } from '@cert/core';
import { turn } from '@cert/jit';
import { createDecider, type Decider, type Decision } from '../complete/decide.js';
import type { ReluSplitOptions } from '../complete/domain-search.js';
import type { HostNetwork } from '../complete/host-network.js';
import type { ProvedPart } from '../complete/search.js';
import { type Box64, boxAround } from '../float64/intervals.js';
import { encloseTightly, type Leaf, treeMargins } from '../float64/tree.js';
import { readMargins, smallestBound } from '../margins.js';
import { endsOf, hostWeights, usable } from '../sound-verifier.js';
import { isPositive } from '../verdict.js';
import type { ImageSearch, SearchedImage, Verifier, VerifierSetting } from '../verifier.js';

/** Options of {@link babVerifier} and {@link alphaCrownVerifier}. */
export interface SearchVerifierOptions {
  /** Seconds for each image; default 60. An image that takes longer stays undecided. */
  readonly timeout?: number;
  /** The rules of the model's ops; default those of the built-in ones. */
  readonly rules?: Rules;
}

/**
 * Branch and bound over ReLUs with linear relaxation (alpha-beta-CROWN; Wang et al. 2021): decides an image, given time. It finds misclassified
 * points, too. At the levels `real` and `deployed` every part of the search is proved again in float64, from the slopes and multipliers that
 * the search has found.
 *
 * @returns a verifier named `bab`, run after the attack
 */
export const babVerifier = (options: SearchVerifierOptions = {}): Verifier => searchVerifier('bab', {}, options);

/**
 * CROWN with optimized slopes, for the margins and for the bounds of hidden neurons (alpha-CROWN; Xu et al. 2021).
 *
 * @returns a verifier named `alpha-crown`, run after the attack
 */
export const alphaCrownVerifier = (options: SearchVerifierOptions = {}): Verifier =>
  searchVerifier('alpha-crown', { splits: false }, options);

const searchVerifier = (
  name: string,
  relus: ReluSplitOptions,
  { timeout = 60, rules }: SearchVerifierOptions,
): Verifier => ({
  name,
  cost: { rows: ({ classes }) => classes - 1, images: 1, afterAttack: true },
  searchOn: (setting, arithmetic) => imageSearch(setting, arithmetic, { relus, timeout, rules }),
  on(setting) {
    const search = imageSearch(setting, 'nearest', { relus, timeout, rules });
    const { classes, inputShape } = setting.model;
    return {
      async lowerMargins(weights, batch, hyper) {
        const [images, labels] = [await batch.images.data(), await batch.labels.data()];
        const [epsilon] = await hyper.epsilon!.data();
        const size = sizeOf(inputShape);
        const margins = new Float32Array(labels.length * (classes - 1));
        for (const [i, label] of labels.entries()) {
          const pixels = Float32Array.from(images.subarray(i * size, (i + 1) * size));
          const { margins: own } = await search.search(weights, { pixels, label }, epsilon!);
          margins.fill(own.nearest ?? Number.NaN, i * (classes - 1), (i + 1) * (classes - 1));
        }
        return margins;
      },
      dispose: () => search.dispose(),
    };
  },
});

/** How often a search is made for a proof with rounding accounted for, each time with more to spare. */
const TRIES = 4;
/** What a proof in float32 has to spare at first, as a multiple of the largest error of a logit. */
const SPARE = 8;
/** What it has to spare next, as a multiple of what float64 found missing. */
const MORE = 1.25;

function imageSearch(
  { device, model, range }: VerifierSetting,
  arithmetic: Arithmetic,
  {
    relus,
    timeout,
    rules,
  }: { readonly relus: ReluSplitOptions; readonly timeout: number; readonly rules: Rules | undefined },
): ImageSearch {
  const onHost = hostWeights();
  const rows = model.classes - 1;
  // A search splits on ReLUs in place of leaky ones and of maxima; float64 knows these as they are.
  const { rules: known64 } = soundIbp({ level: 'deployed' });
  const sound = model.nodes.every(({ op }) => op in known64 && op !== 'leakyRelu' && op !== 'maxPool');
  let known: { readonly of: unknown; readonly decider: Decider } | undefined;

  async function deciderOf(weights: unknown, network: HostNetwork): Promise<Decider> {
    if (known !== undefined && known.of === weights) return known.decider;
    await known?.decider.dispose();
    // Bounds of hidden neurons that float64 is to find again have the usual slopes, and are those of the whole box.
    const root = arithmetic === 'nearest' || !sound ? {} : { rootIterations: 0, bottlenecks: false };
    const decider = createDecider({
      ...{ device, network, attack: null, split: 'relus', relus: { ...relus, ...root } },
      ...(rules && { rules }),
    });
    known = { of: weights, decider };
    return decider;
  }

  return {
    async search(weights, { pixels, label }, epsilon): Promise<SearchedImage> {
      const deadline = Date.now() + timeout * 1000;
      const expired = () => Date.now() > deadline;
      const network = { model, ...(await onHost(weights)) };
      const decider = await deciderOf(weights, network);
      const box = boxAround(pixels, epsilon, await endsOf(range, model.inputShape.at(-1)!));
      const property = robustness(box, label, model.classes);
      const left = () => Math.max(0, (deadline - Date.now()) / 1000);
      if (arithmetic === 'nearest' || !sound)
        return searched(await decider.decide(property, { timeout, arithmetic: 'nearest' }), label, model);

      const problem = { network, box, label, level: arithmetic };
      const bounds = encloseTightly(problem, expired);
      const error = bounds.at.get(model.nodes.at(-1)!.name)!.error?.reduce((a, b) => Math.max(a, b), 0) ?? 0;
      let best: SearchedImage = { margins: { nearest: null } };
      let least = SPARE * error;
      for (let t = 0; t < TRIES && !expired(); t++) {
        const parts: ProvedPart[] = [];
        const decision = await decider.decide(property, {
          ...{ timeout: left(), least, arithmetic: 'nearest' },
          onProved: (part) => parts.push(part),
        });
        const result = searched(decision, label, model);
        if (decision.verdict !== 'verified') return t === 0 ? result : best;
        const leaves = parts.map((part) => leafOf(part, label));
        await turn();
        const proved = usable(smallestBound(treeMargins(problem, bounds, leaves, expired), 0, rows));
        best = { margins: { nearest: decision.lower, [arithmetic]: proved, step: 'float64' } };
        if (isPositive(proved)) return best;
        least = MORE * (decision.lower - (proved ?? 0));
        if (arithmetic === 'deployed') {
          const real = { ...problem, level: 'real' as const };
          const margins = treeMargins(real, encloseTightly(real, expired), leaves, expired);
          best = { margins: { ...best.margins, real: usable(smallestBound(margins, 0, rows)) } };
        }
      }
      return best;
    },
    async dispose() {
      await known?.decider.dispose();
    },
  };
}

/** What a decision says of an image. */
function searched(decision: Decision, label: number, { classes }: Model): SearchedImage {
  if (decision.verdict !== 'falsified') {
    return { margins: { nearest: Number.isFinite(decision.lower) ? decision.lower : null } };
  }
  const [read] = readMargins(decision.witness.output, [label], classes);
  const { margin } = read!;
  return { margins: { nearest: null }, found: { margin: Number.isFinite(margin) ? margin : null } };
}

/** That the logit of the label is above every other one in a box: cases in the order of the other classes. */
function robustness({ lower, upper }: Box64, label: number, classes: number): Property {
  const others = Array.from({ length: classes }, (_, j) => j).filter((j) => j !== label);
  const cases = others.map((other) => {
    const coefficients = new Float64Array(classes);
    coefficients[label] = 1;
    coefficients[other] = -1;
    return { lower, upper, outputs: [{ coefficients, bound: 0 }] };
  });
  return { inputs: lower.length, outputs: classes, cases };
}

/** A part of a search as a leaf in float64. */
const leafOf = ({ of, splits, mixtures }: ProvedPart, label: number): Leaf => ({
  other: of < label ? of : of + 1,
  splits: splits.map(({ node, neuron, sign, multipliers }) => ({ node, neuron, sign, multiplier: multipliers[0]! })),
  slopes: mixtures[0]!,
});

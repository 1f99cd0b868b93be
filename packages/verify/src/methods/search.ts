import type { Arithmetic, Rules } from '@cert/bounds';
import { type Perturbation, type Property, sizeOf, UNIT_BALL } from '@cert/core';
import { checkLabel } from '../checked-images.js';
import { createDecider, type Decision } from '../complete/decide.js';
import type { HostNetwork } from '../complete/host-network.js';
import { marginOfSoftmax, withoutSoftmax } from '../complete/last-softmax.js';
import type { ProofResult } from '../complete/proofs/proof.js';
import { canProve, createProofSearch } from '../complete/proofs/proof-search.js';
import { emptyInput } from '../complete/region.js';
import type { ReluSplitOptions } from '../complete/relus/domain-search.js';
import { type Box64, boxAround } from '../float64/enclosure.js';
import { readMargins } from '../margins.js';
import { hostWeights } from '../sound-verifier.js';
import type { ImageSearch, SearchedImage, Verifier, VerifierSetting } from '../verifier.js';

/** Options of {@link babVerifier} and {@link alphaCrownVerifier}. */
export interface SearchVerifierOptions {
  /** Time limit per image in seconds; default 60. An image that takes longer stays undecided. */
  readonly timeout?: number;
  /** Rules of the ops of the model; default: built-in ops. */
  readonly rules?: Rules;
}

/**
 * Branch and bound over ReLUs with linear relaxation (alpha-beta-CROWN; Wang et al. 2021): complete, given enough time. Also finds
 * adversarial examples. At the levels `real` and `deployed` every part of the search is proved again in float64, from the slopes and
 * multipliers that the search has found.
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

function imageSearch(
  { device, model, perturbation = UNIT_BALL }: VerifierSetting,
  arithmetic: Arithmetic,
  {
    relus,
    timeout,
    rules,
  }: { readonly relus: ReluSplitOptions; readonly timeout: number; readonly rules: Rules | undefined },
): ImageSearch {
  const onHost = hostWeights();
  const level = arithmetic !== 'nearest' && canProve({ model }) ? arithmetic : undefined;
  let known: { readonly of: unknown; readonly opened: Promise<Opened> } | undefined;

  function open(network: HostNetwork): Opened {
    const setting = { ...{ device, network, relus, attack: null }, ...(rules && { rules }) };
    if (level === undefined) {
      const decider = createDecider({ ...setting, split: 'relus' });
      const decide: Opened['decide'] = async (property) => {
        const decision = await decider.decide(property, { timeout, arithmetic: 'nearest' });
        return { decision, lower: {}, evidence: {} };
      };
      return { decide, dispose: () => decider.dispose() };
    }
    const search = createProofSearch({ ...setting, split: 'relus' });
    return { decide: (property) => search.prove(property, { level, timeout }), dispose: () => search.dispose() };
  }

  /** One for the weights, also for calls that come before it is open. */
  function openedFor(weights: unknown, network: HostNetwork): Promise<Opened> {
    if (known?.of !== weights) {
      const close = dispose();
      known = { of: weights, opened: close.then(() => open(network)) };
    }
    return known!.opened;
  }

  async function dispose(): Promise<void> {
    const opened = known?.opened;
    known = undefined;
    // One that could not be opened has told so where it was asked for.
    await (await opened?.catch(() => undefined))?.dispose();
  }

  return {
    async search(weights, { pixels, label }, epsilon): Promise<SearchedImage> {
      const network = { model, ...(await onHost(weights)) };
      const { decide } = await openedFor(weights, network);
      const box = boxAround(pixels, perturbation, model.inputShape, epsilon);
      if (emptyInput(box) >= 0) return { margins: { nearest: null } };
      const { decision, lower, evidence } = await decide(robustness(box, label, model.classes));
      const { margins, found } = searched(decision, label, network, perturbation);
      const own = level && evidence[level];
      return {
        margins: { ...margins, ...lower, ...(level !== undefined && level in lower && { step: 'float64' as const }) },
        ...(found && { found }),
        ...(own && { evidence: own }),
      };
    },
    dispose,
  };
}

/** Decides properties, and proves them again where that is asked for. */
interface Opened {
  readonly decide: (property: Property) => Promise<ProofResult>;
  readonly dispose: () => Promise<void>;
}

/** What a decision about the box around a set says of an image. */
function searched(decision: Decision, label: number, network: HostNetwork, { kind }: Perturbation): SearchedImage {
  const { classes } = network.model;
  // A point of the box may lie outside a Euclidean ball.
  if (decision.verdict === 'falsified' && kind === 'l2') return { margins: { nearest: null } };
  if (decision.verdict !== 'falsified') {
    // The bound is one of logits before a softmax, all other margins are of its probabilities.
    const lower = withoutSoftmax(network) === network ? decision.lower : marginOfSoftmax(decision.lower, classes);
    return { margins: { nearest: Number.isFinite(decision.lower) ? lower : null } };
  }
  const [read] = readMargins(decision.witness.output, [label], classes);
  const { margin } = read!;
  return { margins: { nearest: null }, found: { margin: Number.isFinite(margin) ? margin : null } };
}

/** That the logit of the label is above every other one in a box: cases in the order of the other classes. */
function robustness({ lower, upper }: Box64, label: number, classes: number): Property {
  checkLabel(label, classes);
  const others = Array.from({ length: classes }, (_, j) => j).filter((j) => j !== label);
  const cases = others.map((other) => {
    const coefficients = new Float64Array(classes);
    coefficients[label] = 1;
    coefficients[other] = -1;
    return { lower, upper, outputs: [{ coefficients, bound: 0 }] };
  });
  return { inputs: lower.length, outputs: classes, cases };
}

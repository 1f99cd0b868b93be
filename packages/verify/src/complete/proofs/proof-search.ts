import { type Rules, type SoundLevel, soundIbp } from '@cert/bounds';
import type { Property } from '@cert/core';
import type { Device } from '@cert/jit';
import type { Enclosures } from '../../float64/enclosure.js';
import { encloseTightly } from '../../float64/tree.js';
import { usable } from '../../sound-verifier.js';
import {
  checkProblem,
  createDecider,
  type DecideOptions,
  type Decider,
  type DeciderOptions,
  type Decision,
  splitOf,
} from '../decide.js';
import type { HostNetwork } from '../host-network.js';
import { boxOf, byBox, type Region, regionsOf, sayTheSame } from '../region.js';
import type { ReluSplitOptions } from '../relus/domain-search.js';
import type { BoxTree, ProvedPart } from '../search.js';
import { evidenceOfBoxes } from './box-evidence.js';
import { proveBoxes } from './box-proof.js';
import type { MissingEvidence, OneProof, ProofOptions, ProofResult } from './proof.js';
import { proveEach } from './several-boxes.js';
import { proveTrees } from './tree-evidence.js';

/** Options of {@link createProofSearch}. */
export interface ProofSearchOptions extends Pick<DeciderOptions, 'device' | 'network' | 'attack' | 'replay' | 'split'> {
  /** The compute device. */
  readonly device: Device;
  /** The network. */
  readonly network: HostNetwork;
  /** Rules of the ops of the network; default: built-in ops. */
  readonly rules?: Rules;
  /** Settings of the search over ReLUs. */
  readonly relus?: ReluSplitOptions;
}

/** Searches for proofs that a certificate can hold. */
export interface ProofSearch {
  /**
   * Decides a property, and proves it again in float64 with rounding accounted for, from the slopes and multipliers of the search. Where these are not
   * enough, it searches again with more to spare.
   *
   * @throws CertError as {@link Decider.decide}
   */
  prove(property: Property, options: ProofOptions): Promise<ProofResult>;
  /** Frees the network and the compiled functions. */
  dispose(): Promise<void>;
}

/** How often a search is made for a proof with rounding accounted for, each time with more to spare. */
const TRIES = 4;
/** What a proof in float32 has to spare at first, as a multiple of the largest error of an output. */
const SPARE = 8;
/** What it has to spare next, as a multiple of what float64 found missing. */
const MORE = 1.25;
/** The most parts of a proof. */
const MOST_PARTS = 20_000;
/** The most boxes that a search over inputs bounds. */
const MOST_BOXES = 40_000;
/** What the proof of a box has to spare, as a multiple of the largest error of an output: a checker's bounds differ a little. */
const SPARE_OF_BOX = 1;
/** The share of the time that bounds of hidden neurons in float64 may take. */
const BOUNDS_SHARE = 0.5;

/** Whether proofs hold for a network as it is and can be checked: a search splits on ReLUs in place of leaky ones and of maxima. */
export function canProve({ model }: Pick<HostNetwork, 'model'>): boolean {
  const { rules } = soundIbp({ level: 'deployed' });
  return model.nodes.every(({ op }) => op in rules && op !== 'leakyRelu' && op !== 'maxPool');
}

/**
 * Prepares a network for proofs by splits of ReLUs or, for few inputs, of the box, with bounds of hidden neurons that a checker finds again: those of
 * the usual slopes. The boxes of a property are proved one by one. A network of other ops than ReLUs and linear ones, and a property that does not
 * ask the same of the outputs for all its boxes, are decided without evidence.
 */
export function createProofSearch(options: ProofSearchOptions): ProofSearch {
  const { network, relus, split } = options;
  const decider: Decider = createDecider({ ...options, relus: { ...relus, rootIterations: 0, refine: false } });
  const none = (decision: Decision, missing?: MissingEvidence): OneProof => ({
    ...{ decision, lower: {}, evidence: {} },
    ...(missing && decision.verdict === 'verified' && { missing }),
  });

  /** Proves a region by splits of its box. */
  async function proveBySplittingInputs(
    property: Property,
    region: Region,
    level: SoundLevel,
    expired: () => boolean,
    plain: DecideOptions,
  ): Promise<OneProof> {
    let tree: BoxTree | undefined;
    const decision = await decider.decide(property, {
      ...{ ...plain, mostBoxes: MOST_BOXES },
      onBoxes: (boxes) => {
        tree = boxes;
      },
    });
    if (decision.verdict !== 'verified' || tree === undefined) return none(decision, 'parts');
    const result = { decision, lower: {}, evidence: {} };
    for (const at of level === 'deployed' ? (['deployed', 'real'] as const) : (['real'] as const)) {
      const proof = await proveBoxes({ network, region, tree, level: at, expired, spare: SPARE_OF_BOX });
      const lower = usable(proof?.lower ?? Number.NaN);
      if (proof === undefined || lower === null) continue;
      const evidence = { [at]: evidenceOfBoxes(proof.tree, region.cases.length) };
      return { decision: { ...decision, arithmetic: at }, lower: { [at]: lower }, evidence };
    }
    return { ...result, missing: 'rounding' };
  }

  /** Proves a property of one box. */
  async function proveOne(
    property: Property,
    { level, timeout = 360, onProgress, signal }: ProofOptions,
  ): Promise<OneProof> {
    const began = Date.now();
    const deadline = began + timeout * 1000;
    const expired = () => {
      signal?.throwIfAborted();
      return Date.now() > deadline;
    };
    const left = () => Math.max(0, (deadline - Date.now()) / 1000);
    const plain = { ...(onProgress && { onProgress }), ...(signal && { signal }), arithmetic: 'nearest' as const };
    const [region] = regionsOf(property);
    const alone = async (missing: MissingEvidence) =>
      none(await decider.decide(property, { ...plain, timeout: left() }), missing);
    if (!canProve(network)) return alone('op');
    if (region === undefined) return alone('boxes');
    if ((split ?? splitOf(region)) === 'inputs')
      return proveBySplittingInputs(property, region, level, expired, { ...plain, timeout: left() });
    const boundsDue = began + BOUNDS_SHARE * timeout * 1000;
    const box = boxOf(region);
    const boundsAt = (at: SoundLevel, late: () => boolean) => encloseTightly({ network, box, level: at }, late);
    const bounds = boundsAt(level, () => Date.now() > boundsDue);
    if (!bounds.usable) return alone('bounds');
    const error = bounds.at.get(network.model.nodes.at(-1)!.name)!.error?.reduce((a, b) => Math.max(a, b), 0) ?? 0;
    let atReal: Enclosures | undefined;
    let [lower, evidence]: [OneProof['lower'], OneProof['evidence']] = [{}, {}];
    let best: Extract<Decision, { verdict: 'verified' }> | undefined;
    let least = SPARE * error;
    for (let t = 0; t < TRIES && (best === undefined || !expired()); t++) {
      const parts: ProvedPart[] = [];
      const decision = await decider.decide(property, {
        ...{ ...plain, timeout: left(), least },
        onProved: (part) => {
          if (parts.length < MOST_PARTS) parts.push(part);
        },
      });
      const tooMany = parts.length === MOST_PARTS;
      if (best === undefined && (decision.verdict !== 'verified' || tooMany)) return none(decision, 'parts');
      if (decision.verdict !== 'verified' || tooMany) break;
      best = decision;
      const problem = { network, region, parts, expired };
      const proof = await proveTrees({ ...problem, bounds });
      const found = usable(proof?.lower ?? Number.NaN);
      lower = { ...lower, [level]: found };
      if (proof !== undefined && found !== null && found > 0) {
        return { decision: { ...decision, arithmetic: level }, lower, evidence: { [level]: proof.evidence } };
      }
      least = MORE * (decision.lower - (found ?? 0));
      if (level === 'real' || evidence.real !== undefined) continue;
      atReal ??= boundsAt('real', expired);
      const real = await proveTrees({ ...problem, bounds: atReal });
      const above = usable(real?.lower ?? Number.NaN);
      lower = { ...lower, real: above };
      if (real !== undefined && above !== null && above > 0) evidence = { real: real.evidence };
    }
    if (evidence.real === undefined) return { decision: best!, lower, evidence, missing: 'rounding' };
    return { decision: { ...best!, arithmetic: 'real' }, lower, evidence };
  }

  return {
    async prove(property, options) {
      checkProblem(network, property, { timeout: options.timeout });
      const parts = byBox(property);
      if (parts.length <= 1) return proveOne(property, options);
      if (canProve(network) && sayTheSame(parts)) return proveEach(parts, options, proveOne);
      const { level: _, ...plain } = options;
      const decision = await decider.decide(property, { ...plain, arithmetic: 'nearest' });
      return none(decision, canProve(network) ? 'boxes' : 'op');
    },
    dispose: () => decider.dispose(),
  };
}

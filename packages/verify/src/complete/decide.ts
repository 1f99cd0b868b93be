import { type Arithmetic, naturalPass, type Rules, standardRules } from '@cert/bounds';
import { CertError, type HostParams, type Property, sizeOf, type Tensor } from '@cert/core';
import { type Device, disposeTree, putParams } from '@cert/jit';
import type { Weights } from '../verifier.js';
import { asRelus } from './as-relus.js';
import type { HostNetwork } from './host-network.js';
import { createInputSplit } from './inputs/input-split.js';
import { comparesOutputs, valuesOfSoftmax, withoutSoftmax } from './last-softmax.js';
import { hasFloat64, type Proof, proveAgain } from './proofs/recheck.js';
import { createPropertyAttack, type PropertyAttackOptions } from './property-attack.js';
import { ceil32, checkCases, floor32, type Region, regionsOf, violates } from './region.js';
import type { ReluSplitOptions } from './relus/domain-search.js';
import { createReluSplit } from './relus/relu-split.js';
import {
  type BoxTree,
  type ProvedPart,
  type SearchControl,
  type SearchProgress,
  type SearchResult,
  type UnknownReason,
  withoutWitness,
} from './search.js';
import { networkOf, readFloats, type SearchSetting } from './weights.js';

/** Options of {@link createDecider}. */
export interface DeciderOptions {
  /** The compute device. */
  readonly device: Device;
  /** The network. */
  readonly network: HostNetwork;
  /** Attack to run if the first bounds are not enough, after a short initial attack; null for none. */
  readonly attack?: PropertyAttackOptions | null;
  /** What to split: `inputs` is best for few inputs, `relus` for many; default: by the number of inputs. */
  readonly split?: 'inputs' | 'relus';
  /** Rules of the ops of the network; default: built-in ops. */
  readonly rules?: Rules;
  /** Settings of the search over ReLUs. */
  readonly relus?: ReluSplitOptions;
  /**
   * Runs a witness in an independent runtime; a witness counts only if the outputs violate the property there too. Default: only the
   * network on the device.
   *
   * @returns the outputs
   */
  readonly replay?: (input: Float32Array) => Promise<ArrayLike<number>>;
}

/** Options of {@link Decider.decide}. */
export interface DecideOptions {
  /** Time limit in seconds, after which the answer is `unknown`; default 360. */
  readonly timeout?: number;
  /** Maximum number of undecided parts of the search, beyond which the answer is `unknown`; default 500,000. */
  readonly mostOpen?: number;
  /**
   * Strongest arithmetic to prove, if time is left and the proof takes less than a third of the search time (or two seconds); default
   * `deployed`. Supported for networks of ReLUs and linear ops; when splitting inputs, also with leaky ReLUs and max pooling.
   */
  readonly arithmetic?: Arithmetic;
  /** Lower bound that proves a part, >= 0, for the variables passed to `onProved`; default 0, for the best variables. */
  readonly least?: number;
  /** Called with every part proved by ReLU splits, for a check in another arithmetic. */
  readonly onProved?: (part: ProvedPart) => void;
  /** Called with the input splits of a region's box once all of it is proved, unless there are more than {@link mostBoxes}. */
  readonly onBoxes?: (tree: BoxTree) => void;
  /** The most boxes of which a search over inputs records how it splits; default 5000, and 0 where nothing asks for it. */
  readonly mostBoxes?: number;
  /** Called periodically with the progress of the search. */
  readonly onProgress?: (progress: DecideProgress) => void;
  /** Aborts: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Decides properties of one network. */
export interface Decider {
  /**
   * Decides whether a property holds.
   *
   * @param property inputs in the order of the model's input, row-major
   * @throws CertError `shape-mismatch` for a property with other numbers of inputs, outputs or coefficients; `bad-argument` for boxes that are
   * empty, infinite or NaN, for a timeout that is negative or NaN, and for `least` that is negative, NaN or infinite
   */
  decide(property: Property, options?: DecideOptions): Promise<Decision>;
  /** Frees the network and the compiled functions. */
  dispose(): Promise<void>;
}

/** Progress of {@link Decider.decide}. */
export interface DecideProgress extends SearchProgress {
  /** The current region, from 1. */
  readonly region: number;
  /** Number of regions. */
  readonly regions: number;
}

/** An input that violates a property. */
export interface Witness {
  /** In the order of the model input, inside the box of the property. */
  readonly input: Float32Array;
  /** Outputs of the network for the input, as computed. */
  readonly output: Float32Array;
}

/** Decision about a property. */
export type Decision = {
  /** Time in seconds. */
  readonly seconds: number;
  /** Number of bounded parts of the search. */
  readonly visited: number;
} & (
  | {
      /** Proved: no input in the boxes violates the property. */
      readonly verdict: 'verified';
      /** What the proof claims; `nearest` holds up to the rounding of float32 bounds. */
      readonly arithmetic: Arithmetic;
      /** The smallest lower bound by which each case violates an inequality, > 0; infinity if there are no cases. */
      readonly lower: number;
    }
  | {
      readonly verdict: 'falsified';
      /** An input that violates the property. */
      readonly witness: Witness;
    }
  | {
      readonly verdict: 'unknown';
      /** Reason why the property is undecided. */
      readonly reason: UnknownReason;
      /** The smallest lower bound over all undecided parts; NaN if unknown. */
      readonly lower: number;
    }
);

/** The most parts, or boxes, that are kept to be proved again. */
const MOST_PARTS = 5000;
/** The attack before anything is bounded. */
const QUICK: PropertyAttackOptions = { steps: 20, restarts: 1 };
/** The share of the time of a search that attacks take, after the first one. */
const ATTACK_SHARE = 0.1;
/** Most inputs of positive width for which the search splits inputs. */
const FEW_INPUTS = 12;

/**
 * Creates a decider for properties of a network: attack, then branch and bound with linear relaxation until every part of the input set is
 * proved or a witness is found. The search computes bounds in float32 with rounding to nearest; proofs are repeated in float64 with
 * rounding accounted for, if that is fast.
 *
 * Functions are compiled on first use and kept.
 */
export function createDecider(options: DeciderOptions): Decider {
  const { device, network, replay, split, attack, relus, rules = standardRules } = options;
  const { model } = network;
  const weights = { params: putParams(device, network.params), stats: putParams(device, network.stats) };
  const setting: SearchSetting = { device, model, weights, rules };
  // Witnesses are found and run on the network itself, bounds are those of one that can be split on.
  const bounded = asRelus(withoutSoftmax(network));
  const searched: SearchSetting = {
    ...{ device, rules, model: bounded.model },
    weights: { params: putParams(device, bounded.params), stats: putParams(device, bounded.stats) },
  };
  const run = device.jit((own: Weights, x: Tensor) => ({
    output: naturalPass(networkOf(model, own), x, rules.natural).output,
  }));
  const pgd = createPropertyAttack(setting, attack ?? {});
  const searches = { inputs: createInputSplit(searched), relus: createReluSplit(searched, bounded, relus) };
  const finite = allFinite(network.params) && allFinite(network.stats);

  /** Runs a point as the property asks for it. */
  async function confirmed(point: Float32Array, region: Region): Promise<Witness | undefined> {
    const input = clampExactly(point, region);
    const x = device.put(input, [1, ...model.inputShape]);
    const out = await run(weights, x);
    const output = await readFloats(out.output);
    disposeTree([x, out]);
    const violating = (values: ArrayLike<number>) => region.cases.some((_, one) => violates(region, one, values));
    if (!output.every(Number.isFinite) || !violating(output)) return undefined;
    if (replay !== undefined && !violating(await replay(input))) return undefined;
    return { input, output };
  }

  /** The strongest arithmetic, up to the one asked for, in which all regions are proved before time is up. */
  async function strongest(
    proofs: readonly Proof[],
    asked: Arithmetic,
    regions: number,
    expired: () => boolean,
  ): Promise<Arithmetic> {
    if (proofs.length < regions || !hasFloat64(network)) return 'nearest';
    if (bounded !== network && proofs.some((proof) => 'parts' in proof)) return 'nearest';
    for (const level of (['deployed', 'real'] as const).slice(asked === 'deployed' ? 0 : asked === 'real' ? 1 : 2)) {
      let holds = true;
      for (const proof of proofs) holds &&= await proveAgain(network, proof, level, expired);
      if (holds) return level;
    }
    return 'nearest';
  }

  /** An attack that is repeated with other seeds, as long as it takes a small part of the time. */
  function paced(search: (seed: number) => Promise<Float32Array | undefined>): SearchControl['attack'] {
    const began = Date.now();
    let [spent, seed] = [0, attack?.seed ?? 0];
    return async () => {
      const now = Date.now();
      if (attack === null || spent > ATTACK_SHARE * (now - began)) return undefined;
      const witness = await search(seed++);
      spent += Date.now() - now;
      return witness;
    };
  }

  return {
    async decide(
      property,
      {
        timeout = 360,
        mostOpen = 500_000,
        onProgress,
        signal,
        least,
        onProved,
        onBoxes,
        mostBoxes,
        arithmetic = 'deployed',
      } = {},
    ) {
      const began = Date.now();
      checkProblem(network, property, { timeout, least });
      const deadline = began + timeout * 1000;
      let visited = 0;
      let proved = Number.POSITIVE_INFINITY;
      const spent = () => ({ visited, seconds: (Date.now() - began) / 1000 });
      // Without an input that could violate it, a property holds, whatever the network is.
      if (property.cases.length === 0)
        return { verdict: 'verified', arithmetic: 'deployed', lower: Number.POSITIVE_INFINITY, ...spent() };
      const unknown = (reason: UnknownReason, lower = Number.NaN): Decision => ({
        ...{ verdict: 'unknown', reason, lower },
        ...spent(),
      });
      if (!finite) return unknown('not finite');
      if (timeout === 0) return unknown('timeout');
      if (model.nodes.at(-1)!.op === 'softmax' && !comparesOutputs(property)) throw valuesOfSoftmax();
      let witness: Witness | undefined;
      const confirm: SearchControl['confirm'] = async (point, region) => {
        const found = await confirmed(point, region);
        witness ??= found;
        return found?.input;
      };
      const regions = regionsOf(property);
      for (const region of regions) {
        if (attack === null) break;
        await pgd.search(region, { confirm, deadline, signal }, QUICK);
        if (witness !== undefined) return { verdict: 'falsified', witness, ...spent() };
      }
      const recorded = onBoxes !== undefined || (arithmetic !== 'nearest' && hasFloat64(network));
      const proofs: Proof[] = [];
      const open: Extract<SearchResult, { verdict: 'unknown' }>[] = [];
      for (const [k, region] of regions.entries()) {
        const how = split ?? splitOf(region);
        const { search } = searches[how];
        const parts: ProvedPart[] = [];
        const result = await search(region, {
          ...{ confirm, mostOpen, signal, least, mostBoxes: recorded ? (mostBoxes ?? MOST_PARTS) : 0 },
          onProved: (part) => {
            onProved?.(part);
            if (parts.length < MOST_PARTS) parts.push(part);
          },
          attack: paced((seed) => pgd.search(region, { confirm, deadline, signal }, { ...attack, seed })),
          searchAround: (point, of, where) => pgd.searchAround(point, of, where, { confirm, deadline, signal }),
          // What is left of the time is shared by the regions that are left.
          deadline: Date.now() + (deadline - Date.now()) / (regions.length - k),
          onProgress: (progress) => onProgress?.({ ...progress, region: k + 1, regions: regions.length }),
        });
        visited += result.visited;
        if (witness !== undefined) return { verdict: 'falsified', witness, ...spent() };
        const settled = withoutWitness(result);
        if (settled.verdict === 'unknown') {
          open.push(settled);
          continue;
        }
        proved = Math.min(proved, settled.lower);
        const { tree, refined } = settled;
        if (tree !== undefined) {
          onBoxes?.(tree);
          proofs.push({ region, tree });
        } else if (how === 'relus' && refined !== true && parts.length < MOST_PARTS) proofs.push({ region, parts });
      }
      const [first] = open;
      // What comes too late is no answer: whoever set the time has gone.
      if (first === undefined && Date.now() > deadline) return unknown('timeout', proved);
      if (first === undefined) {
        const end = Math.min(deadline, Date.now() + Math.max(2000, (Date.now() - began) / 3));
        const held = await strongest(proofs, arithmetic, regions.length, () => {
          signal?.throwIfAborted();
          return Date.now() > end;
        });
        return { verdict: 'verified', arithmetic: held, lower: proved, ...spent() };
      }
      return unknown(first.reason, Math.min(...open.map(({ lower }) => lower)));
    },
    async dispose() {
      disposeTree([weights, searched.weights]);
      await run.dispose();
      await pgd.dispose();
      for (const { dispose } of Object.values(searches)) await dispose();
    },
  };
}

/** What a region is split on where nothing else is said. */
export const splitOf = ({ lower, upper }: Region): 'inputs' | 'relus' =>
  lower.filter((l, i) => l < upper[i]!).length <= FEW_INPUTS ? 'inputs' : 'relus';

const allFinite = (tree: HostParams): boolean =>
  Object.values(tree).every((own) => Object.values(own).every(({ data }) => data.every(Number.isFinite)));

/** The point inside of the box whose ends are not rounded; where no float32 lies in between, the one nearest to it. */
const clampExactly = (point: Float32Array, { exact: { lower, upper } }: Region): Float32Array =>
  point.map((x, i) => {
    const [least, most] = [ceil32(lower[i]!), floor32(upper[i]!)];
    return least <= most ? Math.min(most, Math.max(least, x)) : Math.fround((lower[i]! + upper[i]!) / 2);
  });

/** @throws CertError as {@link Decider.decide} */
export function checkProblem(
  { model }: HostNetwork,
  property: Property,
  { timeout = 0, least = 0 }: { readonly timeout?: number | undefined; readonly least?: number | undefined },
): void {
  const { inputs, outputs } = property;
  const size = sizeOf(model.inputShape);
  if (inputs !== size || outputs !== model.classes) {
    throw new CertError(
      'shape-mismatch',
      `The property has ${inputs} inputs and ${outputs} outputs, but the network has ${size} inputs and ${model.classes} outputs.`,
      'Give a property of this network.',
    );
  }
  checkCases(property);
  if (!(timeout >= 0)) {
    throw new CertError('bad-argument', `The timeout is ${timeout}.`, 'Give a number of seconds >= 0.');
  }
  if (!(least >= 0 && Number.isFinite(least))) {
    throw new CertError('bad-argument', `least is ${least}.`, 'Give a finite number >= 0.');
  }
}

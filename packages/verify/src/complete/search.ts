import type { Region } from './region.js';

/** How far a search has come. */
export interface SearchProgress {
  /** Parts of the input set, or of the network's states, that were bounded. */
  readonly visited: number;
  /** Parts that are open. */
  readonly open: number;
  /** The smallest lower bound over all open parts, relative to what has to be exceeded: the region is safe when it is > 0. */
  readonly lower: number;
}

/** What a search ends with. `unknown` says why. */
export type SearchResult =
  | {
      readonly verdict: 'verified';
      readonly visited: number;
      /** The smallest lower bound over all parts: > 0. */
      readonly lower: number;
      /** How a search over inputs has split the region's box, where this was recorded: see {@link SearchControl.mostBoxes}. */
      readonly tree?: BoxTree;
      /** Whether bounds of neurons are needed that were refined by a search of their own: a second proof does not find them. */
      readonly refined?: boolean;
    }
  | { readonly verdict: 'falsified'; readonly witness: Float32Array; readonly visited: number }
  | {
      readonly verdict: 'unknown';
      readonly reason: UnknownReason;
      readonly visited: number;
      /** The smallest lower bound over all open parts. */
      readonly lower: number;
    };

/**
 * What a search says of its region where no violation was confirmed: a witness without confirmation and a bound that is not positive decide
 * nothing.
 */
export function withoutWitness(result: SearchResult): Exclude<SearchResult, { readonly verdict: 'falsified' }> {
  if (result.verdict === 'unknown' || (result.verdict === 'verified' && result.lower > 0)) return result;
  return { verdict: 'unknown', reason: 'rounding', visited: result.visited, lower: Number.NaN };
}

/** Reason why the property is undecided. */
export type UnknownReason = 'timeout' | 'memory' | 'not finite' | 'rounding' | 'incomplete relaxation' | 'no splits';

/** What proves a case where some splits of ReLUs hold: numbers with which linear relaxation gives a bound that is large enough. */
export interface ProvedPart {
  /** The place of the case in its region. */
  readonly of: number;
  /** The splits, with the multiplier of each row. */
  readonly splits: readonly {
    readonly node: string;
    readonly neuron: number;
    readonly sign: 1 | -1;
    readonly multipliers: readonly number[];
  }[];
  /** For each row, which lower line the neurons have: [...shape] in [0, 1], by node. */
  readonly mixtures: readonly { readonly [node: string]: Float32Array }[];
}

/** A box of inputs, what a search says of it, and how it was split. Plain data. */
export interface BoxTree {
  /** The places of the cases that are excluded on the whole box, besides those that are on a box around it. */
  readonly excluded: readonly number[];
  /** Where it was split in two: both sides share the value of the input, exactly as it stands here. */
  readonly split?: { readonly input: number; readonly at: number; readonly low: BoxTree; readonly high: BoxTree };
}

/** What every search is given besides its region. */
export interface SearchControl {
  /**
   * Whether a point violates the region: the network itself is run on the point, clipped into the box. What a search returns as a witness
   * has passed this.
   *
   * @returns the point as it was run, or undefined
   */
  readonly confirm: (point: Float32Array, region: Region) => Promise<Float32Array | undefined>;
  /**
   * Looks for a violation by a longer attack, and confirms it: called when the first bounds are not enough, and again after each round of the search.
   * It returns at once where attacks have had their share of the time.
   */
  readonly attack: () => Promise<Float32Array | undefined>;
  /** Looks for a violation of one case around a point, and confirms it. */
  readonly searchAround: (point: Float32Array, of: number, region: Region) => Promise<Float32Array | undefined>;
  /** Milliseconds since the epoch after which the search gives up. */
  readonly deadline: number;
  /**
   * A part is proved when its lower bound is above this; default 0. Where it is given, the variables that {@link onProved} is told have that bound;
   * else the bound may be one from earlier steps. More than 0 leaves room for the rounding that a later check accounts for.
   */
  readonly least?: number | undefined;
  /** Told of every part that is proved by splits of ReLUs. */
  readonly onProved?: ((part: ProvedPart) => void) | undefined;
  /**
   * A search over inputs records how it splits as long as it has bounded at most this number of boxes; default 0. Until then it cuts nothing off: there are
   * more boxes to bound, and fewer to prove again.
   */
  readonly mostBoxes?: number | undefined;
  /** The most open parts that are held. */
  readonly mostOpen: number;
  /** Told now and then. */
  readonly onProgress?: ((progress: SearchProgress) => void) | undefined;
  /** Aborts the search: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A search with its compiled functions, for regions of one network. */
export interface Search {
  search(region: Region, control: SearchControl): Promise<SearchResult>;
  /** Frees the compiled functions. */
  dispose(): Promise<void>;
}

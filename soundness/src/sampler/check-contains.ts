import { createRng } from '@cert/core';
import { type Ball, drawPoint, drawRealPoint, float32Ends } from '../box.js';
import { compare, type Dyadic, dyadic, subtract, toNumber } from '../exact/dyadic.js';
import { executeExact } from '../exact/execute-exact.js';
import { executor } from '../execute/execute.js';
import { drawExecution, type Execution, listExecutions } from '../execute/execution.js';
import type { HostNetwork } from '../network.js';
import { drawProblem, type RandomProblem } from '../random/draw-network.js';

/** `real`: the network over the real numbers. `deployed`: every float32 execution of it. */
export type Level = 'real' | 'deployed';

/** Bounds of the logits [classes], or of logit_label - logit_j [classes - 1] with j increasing. NaN claims nothing. */
export interface Sides {
  readonly lower: ArrayLike<number>;
  readonly upper?: ArrayLike<number>;
}

/** Bounds over a ball by any method. */
export type BoundFunction = (
  network: HostNetwork,
  ball: Ball & { readonly label: number },
  level: Level,
) => Sides | Promise<Sides>;

/** What {@link checkContains} checks. */
export interface CheckedBounds {
  readonly name: string;
  readonly level: Level;
  readonly quantity: 'logits' | 'margins';
  readonly bound: BoundFunction;
}

/** A value outside of its bounds, with what is needed to see it again. Plain data. */
export interface Violation {
  /** The network and the ball are `drawProblem(seed, index)`. */
  readonly seed: number;
  readonly index: number;
  readonly point: readonly number[];
  /** Null where the value is the exact one. */
  readonly execution: Execution | null;
  /** Which logit or margin. */
  readonly element: number;
  readonly value: number;
  readonly lower: number;
  readonly upper: number | null;
  /** By how much, relative to the size of the largest bound. */
  readonly relative: number;
}

/** What was seen of one method. */
export interface Count {
  readonly name: string;
  readonly level: Level;
  /** Pairs of a point and an execution; at level `real`, points. */
  readonly pairs: number;
  readonly networks: number;
  /** Pairs with a value outside of its bounds. */
  readonly violations: number;
  /** The largest violation, relative. */
  readonly worst: number;
  /** The first of each network, up to a few. */
  readonly examples: readonly Violation[];
}

/** How much is sampled. */
export interface SampleOptions {
  readonly seed: number;
  /** The number of the first network. */
  readonly from: number;
  readonly networks: number;
  /** Pairs of a point and an execution for each network. */
  readonly pairs: number;
  /** Points that are evaluated exactly for each network, for methods at level `real`; default 2. */
  readonly exactPoints?: number;
}

/** Points for one execution: a random order is worth more than one. */
const POINTS_PER_EXECUTION = 8;

/** Examples that a count keeps. */
const EXAMPLES = 5;

/** The count of a method that was not sampled yet. */
export const noCount = ({ name, level }: CheckedBounds): Count => ({
  ...{ name, level },
  ...{ pairs: 0, networks: 0, violations: 0, worst: 0, examples: [] },
});

/** The sum of two counts of one method. */
export const addCounts = (a: Count, b: Count): Count => ({
  ...a,
  pairs: a.pairs + b.pairs,
  networks: a.networks + b.networks,
  violations: a.violations + b.violations,
  worst: Math.max(a.worst, b.worst),
  examples: [...a.examples, ...b.examples].slice(0, EXAMPLES),
});

/**
 * Samples points of balls around random images of random networks, evaluates each under random float32 executions (or exactly, for
 * methods at level `real`), and counts the values that lie outside of bounds. Comparisons are exact.
 *
 * @returns one count for each method, in order
 */
export async function checkContains(methods: readonly CheckedBounds[], options: SampleOptions): Promise<Count[]> {
  let counts = methods.map(noCount);
  for (let index = options.from; index < options.from + options.networks; index++) {
    const problem = drawProblem(options.seed, index);
    const seen = await checkProblem(methods, problem, index, options);
    counts = counts.map((count, m) => addCounts(count, seen[m]!));
  }
  return counts;
}

async function checkProblem(
  methods: readonly CheckedBounds[],
  problem: RandomProblem,
  index: number,
  { seed, pairs, exactPoints = 2 }: SampleOptions,
): Promise<Count[]> {
  const { network, label } = problem;
  const tallies = await Promise.all(
    methods.map(async (method) => tallyOf(method, await method.bound(network, problem, method.level), label)),
  );
  const rng = createRng(seed, 'points', index);
  const ends = float32Ends(problem);
  const run = executor(network);
  const fixed = listExecutions(rng, 0);
  const deployed = tallies.filter(({ level }) => level === 'deployed');
  for (let pair = 0, k = 0; deployed.length > 0 && pair < pairs; k++) {
    const execution = fixed[k] ?? drawExecution(rng);
    for (let i = 0; i < POINTS_PER_EXECUTION && pair < pairs; i++, pair++) {
      const point = drawPoint(ends, problem.image, rng);
      const logits = run(point, execution);
      for (const tally of deployed) tally.see(logits, () => ({ seed, index, point: [...point], execution }));
    }
  }
  const real = tallies.filter(({ level }) => level === 'real');
  for (let k = 0; real.length > 0 && k < exactPoints; k++) {
    const point = drawRealPoint(problem, rng);
    const { lower, upper } = executeExact(network, point);
    for (const tally of real) tally.seeExact(lower, upper, () => ({ seed, index, point, execution: null }));
  }
  return tallies.map(({ count }) => count());
}

interface Tally {
  readonly level: Level;
  see(logits: Float32Array, where: () => Place): void;
  seeExact(lower: readonly Dyadic[], upper: readonly Dyadic[], where: () => Place): void;
  count(): Count;
}

type Place = Pick<Violation, 'seed' | 'index' | 'point' | 'execution'>;

function tallyOf({ name, level, quantity }: CheckedBounds, { lower, upper }: Sides, label: number): Tally {
  let [pairs, violations, worst] = [0, 0, 0];
  const examples: Violation[] = [];
  const size = Math.max(...Array.from(lower, Math.abs), ...Array.from(upper ?? [], Math.abs), 2 ** -100);
  const note = (element: number, value: number, by: number, where: () => Place): void => {
    worst = Math.max(worst, by / size);
    if (examples.length > 0) return;
    const sides = { lower: lower[element]!, upper: upper?.[element] ?? null };
    examples.push({ ...where(), element, value, ...sides, relative: by / size });
  };
  /** Which logit a bound's element is compared with, and which one is subtracted from. */
  const other = (element: number) => (element < label ? element : element + 1);
  return {
    level,
    see(logits, where) {
      pairs++;
      let outside = false;
      for (let i = 0; i < lower.length; i++) {
        // A float64 difference that is less than a float64 bound is so without rounding too, as rounding is monotone.
        const value = quantity === 'logits' ? logits[i]! : logits[label]! - logits[other(i)]!;
        const by =
          value < lower[i]! ? lower[i]! - value : upper !== undefined && value > upper[i]! ? value - upper[i]! : 0;
        if (by === 0) continue;
        outside = true;
        note(i, value, by, where);
      }
      if (outside) violations++;
    },
    seeExact(low, high, where) {
      pairs++;
      let outside = false;
      for (let i = 0; i < lower.length; i++) {
        const least = quantity === 'logits' ? low[i]! : subtract(low[label]!, high[other(i)]!);
        const greatest = quantity === 'logits' ? high[i]! : subtract(high[label]!, low[other(i)]!);
        // Outside for certain: the whole enclosure is.
        const below = Number.isFinite(lower[i]) && compare(greatest, dyadic(lower[i]!)) < 0;
        const above = upper !== undefined && Number.isFinite(upper[i]) && compare(least, dyadic(upper[i]!)) > 0;
        if (!below && !above) continue;
        outside = true;
        const value = toNumber(below ? greatest : least);
        const by = Math.abs(
          toNumber(subtract(below ? dyadic(lower[i]!) : least, below ? greatest : dyadic(upper![i]!))),
        );
        note(i, value, by, where);
      }
      if (outside) violations++;
    },
    count: () => ({ name, level, pairs, networks: 1, violations, worst, examples }),
  };
}

/** The value of a violation, computed again; null for one at level `real`. */
export function reproduce({ seed, index, point, execution }: Violation): Float32Array | null {
  return execution === null ? null : executor(drawProblem(seed, index).network)(point, execution);
}

/** Comparing trials by two errors: dominance, fronts and crowding, as in NSGA-II (Deb et al. 2002). */

/** Two errors, fractions of the validation images: smaller is better in both. */
export interface Errors {
  readonly standardError: number;
  readonly verifiedError: number;
}

/** Whether `a` is no worse than `b` in both errors, and better in one. */
export const dominates = (a: Errors, b: Errors): boolean =>
  a.standardError <= b.standardError &&
  a.verifiedError <= b.verifiedError &&
  (a.standardError < b.standardError || a.verifiedError < b.verifiedError);

/**
 * The fronts of a set: the first one is dominated by none, the second one by the first alone, and so on (Deb et al. 2002, section III-A).
 *
 * @returns indices, each front in the order of the set
 */
export function frontsOf(all: readonly Errors[]): readonly (readonly number[])[] {
  const fronts: number[][] = [];
  let rest = all.map((_, i) => i);
  while (rest.length > 0) {
    const front = rest.filter((i) => !rest.some((j) => dominates(all[j]!, all[i]!)));
    fronts.push(front);
    rest = rest.filter((i) => !front.includes(i));
  }
  return fronts;
}

/**
 * The crowding distance of each member of a front: the sum over both errors of the distance between its neighbours, as a share of the
 * range (Deb et al. 2002, section III-B). Ends have infinity.
 */
export function crowdingOf(front: readonly Errors[]): readonly number[] {
  const crowding = front.map(() => 0);
  for (const name of ['standardError', 'verifiedError'] as const) {
    const order = front.map((_, i) => i).sort((a, b) => front[a]![name] - front[b]![name] || a - b);
    const value = (place: number) => front[order[place]!]![name];
    const range = value(order.length - 1) - value(0);
    for (const [place, i] of order.entries()) {
      const end = place === 0 || place === order.length - 1;
      if (end) crowding[i] = Number.POSITIVE_INFINITY;
      else if (range > 0) crowding[i]! += (value(place + 1) - value(place - 1)) / range;
    }
  }
  return crowding;
}

/** Orders a set: by front, within a front the less crowded first. @returns indices */
export function byFrontAndCrowding(all: readonly Errors[]): readonly number[] {
  return frontsOf(all).flatMap((front) => {
    const crowding = crowdingOf(front.map((i) => all[i]!));
    return front
      .map((index, place) => ({ index, crowding: crowding[place]! }))
      .sort((a, b) => (a.crowding === b.crowding ? a.index - b.index : b.crowding - a.crowding))
      .map(({ index }) => index);
  });
}

/** The score that ranks trials in one number: `weight` times the standard error and `1 - weight` times the verified error. */
export const scoreOf = ({ standardError, verifiedError }: Errors, weight: number): number =>
  weight * standardError + (1 - weight) * verifiedError;

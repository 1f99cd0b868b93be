import { type Choice, unstableOf } from './domain.js';
import type { Structure } from './structure.js';
import type { HostSides } from './weights.js';

/** Bounds at every node that a relaxation reads, on the host. */
type Sides = { readonly [node: string]: HostSides };

/** A layer with at most so many unstable neurons is a bottleneck. */
const NARROW = 12;

/**
 * The neurons of a bottleneck: the layer with the fewest unstable neurons, in front of others. Bounds behind a split are computed anew, which
 * tightens them most where a layer has few ways to be.
 *
 * @param splittable nodes that can be split on, by place
 * @returns none where there is no bottleneck
 */
export function bottleneck({ bounded }: Structure, splittable: readonly string[], sides: Sides): Choice[] {
  const nodes = bounded
    .filter(({ name, behind }) => splittable.includes(name) && behind.length > 0)
    .map(({ name }) => ({ name, unstable: Array.from(unstableOf(sides[name]!)) }));
  const [narrowest] = nodes
    .filter(({ unstable: { length } }, k) => {
      const later = nodes.slice(k + 1).some(({ unstable }) => unstable.length > 0);
      return length > 0 && length <= NARROW && later;
    })
    .sort((a, b) => a.unstable.length - b.unstable.length);
  if (narrowest === undefined) return [];
  const node = splittable.indexOf(narrowest.name);
  return narrowest.unstable.map((neuron) => ({ node, neuron }));
}

/** How far the two lines of an unstable neuron are apart where they are farthest. */
const gapOf = (lower: number, upper: number): number =>
  lower < 0 && upper > 0 ? (-lower * upper) / (upper - lower) : 0;

/** How far the lines of all neurons behind a node are apart: what a split of one of its neurons can make smaller. */
export function loosenessBehind({ bounded }: Structure, node: string, sides: Sides): number {
  const later = bounded.slice(bounded.findIndex(({ name }) => name === node) + 1);
  return later.reduce((sum, { name }) => {
    const { lower, upper } = sides[name]!;
    return lower.reduce((all, l, i) => all + gapOf(l, upper[i]!), sum);
  }, 0);
}

/** A copy of bounds where a neuron of a node is >= 0 (1) or <= 0 (-1). */
export function withSign(sides: Sides, node: string, neuron: number, sign: 1 | -1): Sides {
  const copy = Object.fromEntries(
    Object.entries(sides).map(([name, { lower, upper }]) => [name, { lower: lower.slice(), upper: upper.slice() }]),
  );
  const own = copy[node]!;
  if (sign > 0) own.lower[neuron] = Math.max(0, own.lower[neuron]!);
  else own.upper[neuron] = Math.min(0, own.upper[neuron]!);
  return copy;
}

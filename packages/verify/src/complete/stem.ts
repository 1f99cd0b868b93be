import { type Split, unstableOf } from './domain.js';
import type { Structure } from './structure.js';
import type { HostSides } from './weights.js';

/** Bounds at every node that a relaxation reads, on the host. */
type Sides = { readonly [node: string]: HostSides };

/** A layer with at most so many unstable neurons is a bottleneck. */
const NARROW = 12;

/** The share of the looseness behind a split that must not be left. */
const WORTH = 0.95;

/**
 * The neuron of a bottleneck to split on before all others: a layer with few unstable neurons, in front of others. Bounds behind a split
 * are computed anew, which tightens them most where a layer has few ways to be.
 *
 * @param splittable nodes that can be split on, by place
 * @returns the neuron whose relaxation is loosest, or undefined where there is no bottleneck
 */
export function bottleneck(
  { bounded }: Structure,
  splittable: readonly string[],
  sides: Sides,
): Omit<Split, 'sign'> | undefined {
  const nodes = bounded.filter(({ name, behind }) => splittable.includes(name) && behind.length > 0);
  const unstable = new Map(nodes.map(({ name }) => [name, unstableOf(sides[name]!)]));
  const narrow = nodes
    .filter(({ name }, k) => {
      const count = unstable.get(name)!.length;
      return count > 0 && count <= NARROW && nodes.slice(k + 1).some((node) => unstable.get(node.name)!.length > 0);
    })
    .sort((a, b) => unstable.get(a.name)!.length - unstable.get(b.name)!.length)[0];
  if (narrow === undefined) return undefined;
  const { lower, upper } = sides[narrow.name]!;
  const gap = (i: number) => gapOf(lower[i]!, upper[i]!);
  const neuron = unstable.get(narrow.name)!.reduce((best, i) => (gap(i) > gap(best) ? i : best));
  return { node: splittable.indexOf(narrow.name), neuron };
}

/** How far the two lines of an unstable neuron are apart where they are farthest. */
const gapOf = (lower: number, upper: number): number =>
  lower < 0 && upper > 0 ? (-lower * upper) / (upper - lower) : 0;

/**
 * Whether a split on a neuron of a node made the relaxations behind it so much tighter that another one may pay.
 *
 * @param before bounds of the part that was split
 * @param after bounds of one of its halves
 */
export function tightened({ bounded }: Structure, node: string, before: Sides, after: Sides): boolean {
  const later = bounded.slice(bounded.findIndex(({ name }) => name === node) + 1);
  const looseness = (sides: Sides) =>
    later.reduce((sum, { name }) => {
      const { lower, upper } = sides[name]!;
      return lower.reduce((all, l, i) => all + gapOf(l, upper[i]!), sum);
    }, 0);
  return looseness(after) < WORTH * looseness(before);
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

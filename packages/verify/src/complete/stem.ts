import { type Split, unstableOf } from './domain.js';
import type { Structure } from './structure.js';
import type { HostSides } from './weights.js';

/** Bounds at every node that a relaxation reads, on the host. */
type Sides = { readonly [node: string]: HostSides };

/** A layer with at most so many unstable neurons is a bottleneck. */
const NARROW = 12;
/** With fewer unstable neurons in the layers behind it, there is little that could become tighter. */
const MOST_BEHIND = 16;

/**
 * The neuron of a bottleneck to split on before all others: a layer with few unstable neurons, in front of one with many. Bounds behind a split
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
      const later = nodes.slice(k + 1).reduce((sum, node) => sum + unstable.get(node.name)!.length, 0);
      return count > 0 && count <= NARROW && later >= Math.max(MOST_BEHIND, 2 * count);
    })
    .sort((a, b) => unstable.get(a.name)!.length - unstable.get(b.name)!.length)[0];
  if (narrow === undefined) return undefined;
  const { lower, upper } = sides[narrow.name]!;
  const gap = (i: number) => (-lower[i]! * upper[i]!) / (upper[i]! - lower[i]!);
  const neuron = unstable.get(narrow.name)!.reduce((best, i) => (gap(i) > gap(best) ? i : best));
  return { node: splittable.indexOf(narrow.name), neuron };
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

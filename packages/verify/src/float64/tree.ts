import type { Node } from '@cert/core';
import {
  adaptive,
  addRelaxation,
  type LowerSlopes,
  linearOnInput,
  lowerValue,
  noRelaxations,
  type Relaxations,
} from './backward.js';
import { type Enclosure, type Enclosures, endsOf, fromEnds } from './enclosure.js';
import { enclose } from './intervals.js';
import { difference, type MarginProblem, nothing, otherClasses } from './margins.js';
import type { Network64 } from './network.js';

/** What bounds a linear function of the outputs where some splits hold. Any numbers give a bound; good ones give a good one. */
export interface Evidence64 {
  /** What is assumed of inputs of ReLUs, as an execution computes them. */
  readonly splits: readonly LeafSplit[];
  /** Lower slopes of unstable neurons, [...shape], by the name of the ReLU; the adaptive choice for a ReLU without. */
  readonly slopes: { readonly [relu: string]: ArrayLike<number> };
}

/** A leaf of a search over ReLUs: what proves one margin where its splits hold. */
export interface Leaf extends Evidence64 {
  /** The other class of the margin. */
  readonly other: number;
}

/** A split with its multiplier. */
interface LeafSplit {
  /** The node that the ReLU reads. */
  readonly node: string;
  /** Its place in the flattened shape. */
  readonly neuron: number;
  /** 1: the value is >= 0; -1: it is <= 0. */
  readonly sign: 1 | -1;
  /** Any number >= 0. */
  readonly multiplier: number;
}

/**
 * Bounds at all nodes: intervals from node to node, and at the inputs of ReLUs the tighter ones of these and of CROWN with the adaptive slopes,
 * in float64 with all roundings accounted for.
 *
 * @param expired asked before each neuron; when it says so, the bounds are not `usable`
 * @param around bounds on a box that contains this one, of the same network and level: where a neuron has one sign there, its bounds are taken as
 * they are
 * @throws CertError `missing-rule` for an op without bounds in float64
 */
export function encloseTightly(
  { network, box, level }: Pick<MarginProblem, 'network' | 'box' | 'level'>,
  expired: () => boolean = () => false,
  around?: Enclosures,
): Enclosures {
  const { nodes } = network.model;
  const read = new Set(nodes.filter(({ op }) => op === 'relu').map(({ inputs }) => inputs[0]!));
  const relaxations = noRelaxations();
  let late = false;
  const bounds = enclose(network, box, level, (node, loose, sofar) => {
    // What a nonlinear node reads was tightened when it was reached.
    const name = node.inputs[0]!;
    addRelaxation(relaxations, node, sofar.shapes.get(name)!, endsOf(sofar.at.get(name)!), adaptive);
    if (!read.has(node.name) || relaxations.lines.size + relaxations.maxima.size === 0) return loose;
    const isLate = () => {
      late ||= expired();
      return late;
    };
    const known = around === undefined ? loose : within(loose, around.at.get(node.name)!);
    return tightened(node, known, { ...sofar, network, relaxations, isLate });
  });
  return { ...bounds, usable: bounds.usable && !late };
}

/** What two enclosures of the same values have in common. */
function within(loose: Enclosure, other: Enclosure): Enclosure {
  const [own, around] = [endsOf(loose), endsOf(other)];
  const lower = own.lower.map((l, i) => Math.max(l, around.lower[i]!));
  const upper = own.upper.map((u, i) => Math.min(u, around.upper[i]!));
  return { ...loose, ...fromEnds(lower, upper) };
}

function tightened(
  node: Node,
  loose: Enclosure,
  {
    network,
    at,
    relaxations,
    isLate,
    ...others
  }: Omit<Enclosures, 'usable'> & {
    readonly network: MarginProblem['network'];
    readonly relaxations: Relaxations;
    readonly isLate: () => boolean;
  },
): Enclosure {
  const { lower, upper } = endsOf(loose);
  const all = { ...others, at: new Map(at).set(node.name, loose) };
  lower.forEach((l, i) => {
    if (l >= 0 || upper[i]! <= 0 || isLate()) return;
    const unit = (sign: number) => {
      const coefficients = new Float64Array(lower.length);
      coefficients[i] = sign;
      return { node: node.name, coefficients };
    };
    const raise = () => {
      lower[i] = Math.max(l, lowerValue(network, all, relaxations, unit(1)));
    };
    const drop = () => {
      upper[i] = Math.min(upper[i]!, -lowerValue(network, all, relaxations, unit(-1)));
    };
    // Most neurons have one sign after all: where the likely end shows it, the other one tells a ReLU nothing.
    if (upper[i]! > -l) {
      raise();
      if (!(lower[i]! >= 0)) drop();
    } else {
      drop();
      if (!(upper[i]! <= 0)) raise();
    }
  });
  return { ...loose, ...fromEnds(lower, upper) };
}

/**
 * Lower margins by a tree of splits over ReLUs: the least over the leaves of each other class.
 *
 * @param bounds of {@link encloseTightly}
 * @param expired asked before each leaf
 * @returns one for each other class, in order; NaN for a class whose leaves do not cover everything, and for all where bounds are of no use or
 * time is up
 */
export function treeMargins(
  problem: MarginProblem,
  bounds: Enclosures,
  leaves: readonly Leaf[],
  expired: () => boolean = () => false,
): number[] {
  if (!bounds.usable) return nothing(problem);
  const least = new Map<number, number>();
  for (const leaf of leaves) {
    if (expired()) return nothing(problem);
    const lower = lowerWith(problem.network, bounds, leaf, difference(problem, leaf.other));
    least.set(leaf.other, Math.min(least.get(leaf.other) ?? Number.POSITIVE_INFINITY, lower));
  }
  return otherClasses(problem).map((other) => {
    const splits = leaves.filter((leaf) => leaf.other === other).map((leaf) => leaf.splits);
    return covers(splits) ? least.get(other)! : Number.NaN;
  });
}

/** A lower bound of a linear function of the outputs where splits hold; the largest number where they contradict the bounds. */
export function lowerWith(
  network: Network64,
  { at, shapes }: Enclosures,
  { splits, slopes }: Evidence64,
  coefficients: Float64Array,
): number {
  const multipliers = new Map<string, Float64Array>();
  for (const { node, neuron, sign, multiplier } of splits) {
    const own = multipliers.get(node) ?? new Float64Array(at.get(node)!.center.length);
    own[neuron] = sign * multiplier;
    multipliers.set(node, own);
  }
  const relaxations = noRelaxations();
  for (const node of network.model.nodes) {
    const name = node.inputs[0]!;
    const ends = endsOf(at.get(name)!);
    if (node.op === 'relu') {
      for (const { node: split, neuron, sign } of splits) {
        if (split !== name) continue;
        if (sign > 0) ends.lower[neuron] = Math.max(0, ends.lower[neuron]!);
        else ends.upper[neuron] = Math.min(0, ends.upper[neuron]!);
      }
    }
    const own = slopes[node.name];
    const choose: LowerSlopes = own === undefined ? adaptive : () => own;
    addRelaxation(relaxations, node, shapes.get(name)!, ends, choose);
  }
  // Where splits contradict the bounds nothing can happen, and any margin holds.
  for (const { node, neuron, sign } of splits) {
    const { lower, upper } = endsOf(at.get(node)!);
    if (sign > 0 ? upper[neuron]! < 0 : lower[neuron]! > 0) return Number.MAX_VALUE;
  }
  const last = network.model.nodes.at(-1)!.name;
  return lowerValue(network, { at, shapes }, relaxations, { node: last, coefficients }, multipliers);
}

/** The coefficients on the inputs of a linear function that lies below one of the outputs, up to rounding: by the usual slopes. */
export function influencesOf(network: Network64, bounds: Enclosures, coefficients: Float64Array): Float64Array {
  const relaxations = noRelaxations();
  for (const node of network.model.nodes) {
    const name = node.inputs[0]!;
    addRelaxation(relaxations, node, bounds.shapes.get(name)!, endsOf(bounds.at.get(name)!), adaptive);
  }
  const last = network.model.nodes.at(-1)!.name;
  return linearOnInput(network, bounds, relaxations, { node: last, coefficients }).coefficients;
}

/**
 * Whether the splits of leaves cover everything: there is one leaf without splits, or all leaves split on one neuron and both halves are covered
 * by the rest.
 */
export function covers(leaves: readonly (readonly Pick<LeafSplit, 'node' | 'neuron' | 'sign'>[])[]): boolean {
  if (leaves.length === 0) return false;
  if (leaves.some((splits) => splits.length === 0)) return true;
  const [{ node, neuron }] = leaves[0] as readonly [LeafSplit];
  const half = (sign: 1 | -1) =>
    leaves.flatMap((splits) => {
      const on = splits.find((split) => split.node === node && split.neuron === neuron);
      if (on === undefined) return [splits];
      return on.sign === sign ? [splits.filter((split) => split !== on)] : [];
    });
  return covers(half(1)) && covers(half(-1));
}

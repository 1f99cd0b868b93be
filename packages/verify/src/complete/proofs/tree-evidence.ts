import type { Model, Node } from '@cert/core';
import { turn } from '@cert/jit';
import { toBase64 } from '../../base64.js';
import type { CertificateLeaf, CertificateSplit, TreeEvidence } from '../../certificate.js';
import { adaptive } from '../../float64/backward.js';
import { type Enclosures, endsOf } from '../../float64/enclosure.js';
import type { Network64 } from '../../float64/network.js';
import { type Evidence64, lowerWith } from '../../float64/tree.js';
import { type Region, rowAt } from '../region.js';
import type { ProvedPart } from '../search.js';

/** A part of a search as a certificate holds it. */
interface Tree {
  readonly entries: (CertificateSplit | CertificateLeaf)[];
  /** The smallest bound of its leaves, relative to what has to be exceeded. */
  lower: number;
}

/** Options of {@link proveTrees}. */
export interface TreeProblem {
  readonly network: Network64;
  /** Of `encloseTightly`, for the region. */
  readonly bounds: Enclosures;
  readonly region: Region;
  /** What a search says that it has proved. */
  readonly parts: readonly ProvedPart[];
  /** Asked before each leaf. */
  readonly expired: () => boolean;
}

/**
 * Proves a region in float64, with all roundings accounted for, by what a search has found, rounded to the few digits that a certificate holds:
 * what is proved is what is written.
 *
 * @returns the evidence with the smallest bound of all leaves; undefined where bounds are of no use, parts make no tree, or time is up
 */
export async function proveTrees(
  problem: TreeProblem,
): Promise<{ readonly evidence: TreeEvidence; readonly lower: number } | undefined> {
  const { network, bounds, region, parts } = problem;
  if (!bounds.usable) return undefined;
  const relus = relusOf(network.model, bounds);
  const listed = listedOf(relus, parts);
  const trees: Tree[] = [];
  for (const of of region.cases.keys()) {
    const tree: Tree = { entries: [], lower: Number.POSITIVE_INFINITY };
    const own = parts.filter((part) => part.of === of);
    if (!(await grow(tree, own, 0, problem, relus, listed))) return undefined;
    trees.push(tree);
  }
  const neurons = relus.flatMap(({ name }, k) =>
    listed[k]!.length === 0 ? [] : [{ relu: name, neurons: listed[k]! }],
  );
  return {
    evidence: { kind: 'tree', intermediate: 'crown', neurons, cases: trees.map(({ entries }) => entries) },
    lower: trees.reduce((least, { lower }) => Math.min(least, lower), Number.POSITIVE_INFINITY),
  };
}

/** A ReLU, what it reads, and the slopes that it has where nothing else is said. */
interface Relu {
  readonly name: string;
  readonly input: string;
  readonly usual: ArrayLike<number>;
  /** Neurons with both signs. */
  readonly unstable: readonly number[];
}

const relusOf = ({ nodes }: Model, { at }: Enclosures): Relu[] =>
  nodes
    .filter(({ op }) => op === 'relu')
    .map((node: Node) => {
      const input = node.inputs[0]!;
      const { lower, upper } = endsOf(at.get(input)!);
      const unstable = Array.from(lower.keys()).filter((i) => lower[i]! < 0 && upper[i]! > 0);
      return { name: node.name, input, usual: adaptive(node, lower, upper), unstable };
    });

/** A slope as a byte. */
const byteOf = (slope: number): number => Math.round(255 * Math.min(1, Math.max(0, slope)));

/** For each ReLU the neurons of which some part has another slope than the usual one. */
const listedOf = (relus: readonly Relu[], parts: readonly ProvedPart[]): (readonly number[])[] =>
  relus.map(({ name, usual, unstable }) =>
    unstable.filter((i) =>
      parts.some(({ mixtures }) =>
        mixtures.some((own) => own[name] !== undefined && byteOf(own[name][i]!) !== 255 * usual[i]!),
      ),
    ),
  );

/**
 * Adds the tree of parts that share their first splits.
 *
 * @returns false where they make no tree, or time is up
 */
async function grow(
  tree: Tree,
  parts: readonly ProvedPart[],
  depth: number,
  problem: TreeProblem,
  relus: readonly Relu[],
  listed: readonly (readonly number[])[],
): Promise<boolean> {
  // A search may tell of a part and later of parts of it.
  const whole = parts.find(({ splits }) => splits.length === depth);
  if (whole !== undefined) {
    if (tree.entries.length % 16 === 0) await turn();
    if (problem.expired()) return false;
    const { leaf, lower } = prove(whole, problem, relus, listed);
    tree.entries.push(leaf);
    tree.lower = Math.min(tree.lower, lower);
    return true;
  }
  const first = parts[0]?.splits[depth];
  if (first === undefined) return false;
  const { node, neuron } = first;
  if (!parts.every(({ splits }) => splits[depth]!.node === node && splits[depth]!.neuron === neuron)) return false;
  const relu = relus.find(({ input }) => input === node);
  if (relu === undefined) return false;
  tree.entries.push({ relu: relu.name, neuron });
  for (const sign of [1, -1]) {
    const side = parts.filter(({ splits }) => splits[depth]!.sign === sign);
    if (!(await grow(tree, side, depth + 1, problem, relus, listed))) return false;
  }
  return true;
}

/** A part as a leaf, about the inequality that it misses by most. */
function prove(
  { of, splits, mixtures }: ProvedPart,
  { network, bounds, region }: TreeProblem,
  relus: readonly Relu[],
  listed: readonly (readonly number[])[],
): { readonly leaf: CertificateLeaf; readonly lower: number } {
  const candidates = region.cases[of]!.map((place, row) => {
    const bytes = relus.flatMap(({ name, usual }, k) =>
      listed[k]!.map((i) => byteOf(mixtures[row]![name]?.[i] ?? usual[i]!)),
    );
    const multipliers = splits.map((split) => rounded(split.multipliers[row]!));
    const evidence: Evidence64 = {
      slopes: slopesOf(relus, listed, bytes),
      splits: splits.map(({ node, neuron, sign }, i) => ({ node, neuron, sign, multiplier: multipliers[i]! })),
    };
    const { coefficients, bound } = rowAt(region, place);
    const lower = lowerWith(network, bounds, evidence, coefficients) - bound;
    return { leaf: { row, slopes: toBase64(Uint8Array.from(bytes)), multipliers }, lower };
  });
  return candidates.reduce((best, one) => (one.lower > best.lower ? one : best));
}

/** Slopes by the name of the ReLU: the bytes of a leaf, and the usual ones elsewhere. */
function slopesOf(relus: readonly Relu[], listed: readonly (readonly number[])[], bytes: readonly number[]) {
  let next = 0;
  return Object.fromEntries(
    relus.map(({ name, usual }, k) => {
      const slopes = Float64Array.from(usual);
      for (const i of listed[k]!) slopes[i] = bytes[next++]! / 255;
      return [name, slopes];
    }),
  );
}

/** Four digits of a multiplier. */
const rounded = (multiplier: number): number => Number(Math.max(0, multiplier).toPrecision(4));

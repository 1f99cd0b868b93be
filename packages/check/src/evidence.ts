/** The evidence of a certificate, checked against the network: what bounds each case of the property on a box, or on parts of it. */
import type { Bounds } from './bounds.js';
import { base64 } from './bytes.js';
import { any, count, type Json, kindOf, list, number, object, oneOf, record, text } from './json.js';
import type { Layer } from './layers.js';
import { demand } from './refused.js';

/** Says that what a ReLU reads is >= 0 (sign 1) or <= 0 (sign -1). */
export interface Split {
  /** The layer that the ReLU reads. */
  readonly layer: Layer;
  readonly neuron: number;
  readonly sign: 1 | -1;
}

export type SlopeOf = (relu: Layer, neuron: number) => number | undefined;

/** Bounds one inequality where all its splits hold, on a part of the box. */
export interface Leaf {
  /** The place of the inequality in its case. */
  readonly row: number;
  readonly splits: readonly Split[];
  /** One for each split, at least 0. */
  readonly multipliers: readonly number[];
  /** What splits of the box leave of it. */
  readonly part: Bounds;
  /** The slope of the line below a neuron of a ReLU, in [0, 1]; undefined: the usual choice. */
  readonly slopeOf: SlopeOf;
  /** Goes backward through the last layer alone: interval bound propagation. */
  readonly ibp: boolean;
}

const INTERMEDIATE = { kind: any, intermediate: oneOf('ibp', 'crown') };
const TREES = object({ ...INTERMEDIATE, neurons: record(list(count(0))), cases: list(any) });
const SIDES = list(any, 2, 2);
const CUT = object({ input: count(0), at: number, sides: SIDES });
const SPLIT = object({ relu: text, neuron: count(0), sides: SIDES });
const LEAF = object({ row: count(0), slopes: base64, multipliers: list(number) });

/**
 * How bounds of intermediate values are derived, and the leaves for each case of the property.
 *
 * @param box the inputs that the evidence is about
 * @param cases the inequalities of each case
 */
export function readEvidence(
  field: Json,
  layers: readonly Layer[],
  box: Bounds,
  cases: readonly (readonly unknown[])[],
): { readonly intermediate: 'ibp' | 'crown'; readonly leaves: readonly (readonly Leaf[])[] } {
  const [where, kind] = ['the evidence', kindOf(field, 'the evidence', 'ibp', 'linear', 'tree')];
  const usual = { row: 0, splits: [], multipliers: [], part: box, slopeOf: () => undefined, ibp: kind === 'ibp' };
  const leaves = cases.map(() => [usual]);
  if (kind === 'ibp') return { ...object({ kind: any })(field, where), intermediate: 'ibp', leaves };
  if (kind === 'linear') return { ...object(INTERMEDIATE)(field, where), leaves };
  const { neurons, intermediate, cases: trees } = TREES(field, where);
  demand(trees.length === cases.length, `the evidence has ${trees.length} trees for ${cases.length} cases`);
  // The place of each neuron among the slopes of a leaf.
  let size = 0;
  const placesOf = (own: readonly number[]) => new Map(own.map((neuron) => [neuron, size++]));
  const places = new Map([...neurons].map(([name, own]) => [reluOf(name, own, layers), placesOf(own)]));

  /** The leaves of a tree: one of the two sides of each split holds, so that they cover everything. */
  const leavesOf = (tree: Json, rows: number, splits: readonly Split[], part: Bounds): readonly Leaf[] => {
    const has = record(any)(tree, 'a tree');
    if (has.has('input')) {
      const { input, at, sides } = CUT(tree, 'a split');
      demand(input < part.lower.length, `a split is on input ${input} of a network that has ${part.lower.length}`);
      const [l, u] = [part.lower[input]!, part.upper[input]!];
      demand(l < at && at < u, `a split of input ${input} at ${at} is not inside of [${l}, ${u}]`);
      const below = leavesOf(sides[0]!, rows, splits, { ...part, upper: part.upper.with(input, at) });
      return [...below, ...leavesOf(sides[1]!, rows, splits, { ...part, lower: part.lower.with(input, at) })];
    }
    if (has.has('relu')) {
      const { relu, neuron, sides } = SPLIT(tree, 'a split');
      const layer = reluOf(relu, [neuron], layers).inputs[0]!;
      const signs = [1, -1] as const;
      return signs.flatMap((sign, i) => leavesOf(sides[i]!, rows, [...splits, { layer, neuron, sign }], part));
    }
    const { row, slopes: bytes, multipliers } = LEAF(tree, 'a leaf');
    demand(row < rows, `a leaf is about inequality ${row} of a case that has ${rows}`);
    demand(bytes.length === size, `a leaf has ${bytes.length} slopes for ${size} neurons`);
    demand(multipliers.length === splits.length, 'a leaf does not have one multiplier for each split');
    demand(!multipliers.some((multiplier) => multiplier < 0), 'a multiplier is below 0');
    const slopeOf = (relu: Layer, neuron: number) => {
      const place = places.get(relu)?.get(neuron);
      return place === undefined ? undefined : bytes[place]! / 255;
    };
    return [{ row, splits, multipliers, part, slopeOf, ibp: false }];
  };
  return { intermediate, leaves: trees.map((tree, k) => leavesOf(tree, cases[k]!.length, [], box)) };
}

/** A ReLU of the network that has some neurons, by the name of its node. */
function reluOf(name: string, neurons: readonly number[], layers: readonly Layer[]): Layer {
  const layer = layers.find((each) => each.kind === 'relu' && each.name === name);
  demand(layer !== undefined, `the evidence names "${name}", which is no ReLU of the network`);
  const more = neurons.find((neuron) => neuron >= layer.size);
  demand(more === undefined, `the evidence names neuron ${more} of a ReLU that has ${layer.size}`);
  return layer;
}

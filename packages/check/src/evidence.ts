/** The evidence of a certificate, checked against the network: what bounds each case of the property, in one part of the box or in several. */
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
  /** At least 0. */
  readonly multiplier: number;
}

/** Bounds one inequality where all its splits hold, on a part of the box. */
export interface Leaf {
  /** The place of the inequality in its case. */
  readonly row: number;
  readonly splits: readonly Split[];
  /** What splits of the box leave of it; undefined: all. */
  readonly part?: Bounds | undefined;
  /** The slope of the line below a neuron of a ReLU, in [0, 1]; undefined: the usual choice. */
  readonly slopeOf: (relu: Layer, neuron: number) => number | undefined;
}

/** One backward pass with the usual slopes. */
export const USUAL: Leaf = { row: 0, splits: [], slopeOf: () => undefined };

const INTERMEDIATE = { kind: any, intermediate: oneOf('ibp', 'crown') };
const NEURONS = object({ relu: text, neurons: list(count(0)) });
const TREE = object({ ...INTERMEDIATE, neurons: list(NEURONS), cases: list(list(any)) });
const CUT = object({ input: count(0), at: number });
const SPLIT = object({ relu: text, neuron: count(0) });
const BOXES = object({ kind: any, boxes: list(any) });
const LEAF = object({ row: count(0), slopes: base64, multipliers: list(number, 'a multiplier') });

/** The most splits of a leaf. */
const MOST_SPLITS = 1000;

/** The evidence for each box: of several boxes it is a list. */
export function evidenceOf(field: Json, boxes: readonly Bounds[]): readonly Json[] {
  if (boxes.length === 1) return [field];
  const where = 'the evidence';
  kindOf(field, where, 'boxes');
  const { boxes: each } = BOXES(field, where);
  demand(each.length === boxes.length, `there is evidence of ${each.length} boxes, not of ${boxes.length}`);
  return each;
}

/**
 * How bounds of intermediate values are derived, and the leaves for each case of the property; a leaf that is null stands for interval bound
 * propagation.
 *
 * @param box the inputs that the certificate speaks of
 * @param cases the inequalities of each case
 */
export function readEvidence(
  field: Json,
  layers: readonly Layer[],
  box: Bounds,
  cases: readonly (readonly unknown[])[],
): { readonly intermediate: 'ibp' | 'crown'; readonly leaves: readonly (readonly (Leaf | null)[])[] } {
  const where = 'the evidence';
  const kind = kindOf(field, where, 'ibp', 'linear', 'tree');
  if (kind === 'ibp') {
    object({ kind: any })(field, where);
    return { intermediate: 'ibp', leaves: cases.map(() => [null]) };
  }
  if (kind === 'linear') {
    return { ...object(INTERMEDIATE)(field, where), leaves: cases.map(() => [USUAL]) };
  }
  const { neurons, intermediate, cases: trees } = TREE(field, where);
  demand(trees.length === cases.length, `the evidence has ${trees.length} trees for ${cases.length} cases`);
  const places = placesOf(neurons, layers);
  return { intermediate, leaves: trees.map((tree, k) => leavesOf(tree, layers, box, places, cases[k]!.length)) };
}

/** A ReLU of the network that has some neurons, by the name of its node. */
function reluOf(name: string, neurons: readonly number[], layers: readonly Layer[]): Layer {
  const layer = layers.find((each) => each.kind === 'relu' && each.name === name);
  demand(layer !== undefined, `the evidence names "${name}", which is no ReLU of the network`);
  const more = neurons.find((neuron) => neuron >= layer.size);
  demand(more === undefined, `the evidence names neuron ${more} of a ReLU that has ${layer.size}`);
  return layer;
}

/** Neurons that leaves have slopes for: the place of each among a leaf's slopes. */
function placesOf(listed: readonly ReturnType<typeof NEURONS>[], layers: readonly Layer[]) {
  const places = new Map<Layer, Map<number, number>>();
  let size = 0;
  for (const { relu: name, neurons } of listed) {
    const relu = reluOf(name, neurons, layers);
    demand(!places.has(relu), 'the evidence lists neurons of a ReLU twice');
    places.set(relu, new Map(neurons.map((neuron) => [neuron, size++])));
  }
  return { places, size };
}

/**
 * The leaves of a tree: a list in which each split stands before the tree of z >= 0, and that before the tree of z <= 0; or before the tree of
 * input <= at, and that before the tree of input >= at. A list that ends where the tree does covers everything, since one of the two holds at
 * each split.
 *
 * @param rows how many inequalities the case has
 */
function leavesOf(
  tree: readonly Json[],
  layers: readonly Layer[],
  box: Bounds,
  { places, size }: ReturnType<typeof placesOf>,
  rows: number,
): Leaf[] {
  const leaves: Leaf[] = [];
  let next = 0;
  const below = (depth: number, splits: readonly Omit<Split, 'multiplier'>[], part: Bounds | undefined): void => {
    const entry = tree[next++];
    demand(entry !== undefined, 'a tree lacks a leaf');
    demand(depth <= MOST_SPLITS, `a leaf has more than ${MOST_SPLITS} splits`);
    const has = record(any)(entry, 'an entry of a tree');
    if (has.has('input')) {
      const { input, at } = CUT(entry, 'a split');
      const { lower, upper } = part ?? box;
      demand(input < lower.length, `a split is on input ${input} of a network that has ${lower.length}`);
      const [l, u] = [lower[input]!, upper[input]!];
      demand(l < at && at < u, `a split of input ${input} at ${at} is not inside of [${l}, ${u}]`);
      below(depth + 1, splits, { ...(part ?? box), upper: upper.with(input, at) });
      below(depth + 1, splits, { ...(part ?? box), lower: lower.with(input, at) });
    } else if (has.has('relu')) {
      const { relu, neuron } = SPLIT(entry, 'a split');
      const layer = reluOf(relu, [neuron], layers).inputs[0]!;
      for (const sign of [1, -1] as const) below(depth + 1, [...splits, { layer, neuron, sign }], part);
    } else {
      const { row, slopes, multipliers } = LEAF(entry, 'a leaf');
      demand(row < rows, `a leaf is about inequality ${row} of a case that has ${rows}`);
      demand(slopes.length === size, `a leaf has ${slopes.length} slopes for ${size} neurons`);
      demand(multipliers.length === splits.length, 'a leaf does not have one multiplier for each split');
      demand(!multipliers.some((multiplier) => multiplier < 0), 'a multiplier is below 0');
      const own = splits.map((split, i) => ({ ...split, multiplier: multipliers[i]! }));
      const slopeOf = (relu: Layer, neuron: number) => {
        const place = places.get(relu)?.get(neuron);
        return place === undefined ? undefined : slopes[place]! / 255;
      };
      leaves.push({ row, part, splits: own, slopeOf });
    }
  };
  below(0, [], undefined);
  demand(next === tree.length, 'a tree continues behind its last leaf');
  return leaves;
}

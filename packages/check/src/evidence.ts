/** The evidence of a certificate, checked against the network: what bounds each case of the property, in one part of the box or in several. */
import { floatsOf, fromBase64 } from './bytes.js';
import type { Bounds } from './ibp.js';
import { countOf, fieldsOf, type Json, listOf, numberOf, objectOf, textOf } from './json.js';
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

/** Says that an input is <= `at` (sign -1) or >= `at` (sign 1). */
export interface Cut {
  readonly input: number;
  readonly at: number;
  readonly sign: 1 | -1;
}

/** Bounds one inequality where all its splits hold, on the part of the box that its cuts leave. */
export interface Leaf {
  /** The place of the inequality in its case. */
  readonly row: number;
  readonly splits: readonly Split[];
  readonly cuts: readonly Cut[];
  /** The slope of the line below a neuron of a ReLU, in [0, 1]; undefined: the usual choice. */
  readonly slopeOf: (relu: Layer, neuron: number) => number | undefined;
}

export interface Evidence {
  readonly intermediate: 'ibp' | 'crown';
  /** For each case of the property; null: interval bound propagation. */
  readonly leaves: readonly (readonly Leaf[])[] | null;
}

const FIELDS = new Map([
  ['ibp', []],
  ['linear', ['slopes', 'intermediate']],
  ['tree', ['neurons', 'cases', 'intermediate']],
]);
/** What is split above an entry of a tree. */
interface Path {
  readonly splits: readonly Omit<Split, 'multiplier'>[];
  readonly cuts: readonly Cut[];
}

/** The most splits of a leaf. */
const MOST_SPLITS = 1000;

/** The part of a box that cuts leave. */
export function partOf(box: Bounds, cuts: readonly Cut[]): Bounds {
  const part = { lower: box.lower.slice(), upper: box.upper.slice() };
  for (const { input, at, sign } of cuts) part[sign > 0 ? 'lower' : 'upper'][input] = at;
  return part;
}

/**
 * @param box the inputs that the certificate speaks of
 * @param cases how many inequalities each case of the property has
 */
export function readEvidence(
  json: Json | undefined,
  layers: readonly Layer[],
  box: Bounds,
  cases: readonly number[],
): Evidence {
  const kind = textOf(objectOf(json, 'evidence').get('kind'), 'evidence: kind');
  const keys = FIELDS.get(kind);
  demand(keys !== undefined, `evidence of the kind "${kind}" is not known`);
  const fields = fieldsOf(json, 'evidence', ['kind', ...keys]);
  if (kind === 'ibp') return { leaves: null, intermediate: 'ibp' };
  const intermediate = fields.get('intermediate');
  demand(intermediate === 'ibp' || intermediate === 'crown', 'evidence: intermediate is neither "ibp" nor "crown"');
  if (kind === 'linear') {
    const slopeOf = readSlopes(fields.get('slopes'), layers);
    return { intermediate, leaves: cases.map(() => [{ row: 0, splits: [], cuts: [], slopeOf }]) };
  }
  const places = readNeurons(fields.get('neurons'), layers);
  const trees = listOf(fields.get('cases'), 'evidence: cases');
  demand(trees.length === cases.length, `the evidence has ${trees.length} trees for ${cases.length} cases`);
  return { intermediate, leaves: trees.map((tree, k) => readTree(tree, layers, box, places, cases[k]!)) };
}

/** A ReLU of the network, by the name of its node. */
function reluOf(name: string, layers: readonly Layer[]): Layer {
  const layer = layers.find((each) => each.kind === 'relu' && each.name === name);
  demand(layer !== undefined, `the evidence names "${name}", which is no ReLU of the network`);
  return layer;
}

function neuronOf(json: Json | undefined, relu: Layer): number {
  const neuron = countOf(json, 'evidence: a neuron', 0);
  demand(neuron < relu.size, `the evidence names neuron ${neuron} of a ReLU that has ${relu.size}`);
  return neuron;
}

/** Slopes of all neurons of some ReLUs. */
function readSlopes(json: Json | undefined, layers: readonly Layer[]): Leaf['slopeOf'] {
  const slopes = new Map<Layer, Float32Array>();
  for (const [name, values] of objectOf(json, 'evidence: slopes')) {
    const [relu, where] = [reluOf(name, layers), `evidence: slopes of "${name}"`];
    const own = floatsOf(fromBase64(textOf(values, where), where), where);
    demand(own.length === relu.size, `the slopes of "${name}" have another number of neurons`);
    const valid = own.every((slope) => slope >= 0 && slope <= 1);
    demand(valid, `a slope of "${name}" is not in [0, 1]`);
    slopes.set(relu, own);
  }
  return (relu, neuron) => slopes.get(relu)?.[neuron];
}

/** Neurons that leaves have slopes for: the place of each among a leaf's slopes. */
function readNeurons(json: Json | undefined, layers: readonly Layer[]) {
  const places = new Map<Layer, Map<number, number>>();
  let count = 0;
  for (const each of listOf(json, 'evidence: neurons')) {
    const fields = fieldsOf(each, 'evidence: neurons', ['relu', 'neurons']);
    const relu = reluOf(textOf(fields.get('relu'), 'evidence: neurons'), layers);
    demand(!places.has(relu), 'the evidence lists neurons of a ReLU twice');
    const own = listOf(fields.get('neurons'), 'evidence: neurons').map((neuron) => neuronOf(neuron, relu));
    places.set(relu, new Map(own.map((neuron) => [neuron, count++])));
  }
  return { places, count };
}

/** A split of the box in two that share the value: it lies inside of what the cuts above leave. */
function readCut(json: Json, box: Bounds, above: readonly Cut[]): Omit<Cut, 'sign'> {
  const fields = fieldsOf(json, 'a split', ['input', 'at']);
  const [input, at] = [countOf(fields.get('input'), 'a split: input', 0), numberOf(fields.get('at'), 'a split: at')];
  const inputs = box.lower.length;
  demand(input < inputs, `a split is on input ${input} of a network that has ${inputs}`);
  const ends = { lower: box.lower[input]!, upper: box.upper[input]! };
  for (const cut of above) if (cut.input === input) ends[cut.sign > 0 ? 'lower' : 'upper'] = cut.at;
  const { lower, upper } = ends;
  demand(lower < at && at < upper, `a split of input ${input} at ${at} is not inside of [${lower}, ${upper}]`);
  return { input, at };
}

/**
 * The leaves of a tree: a list in which each split stands before the tree of z >= 0, and that before the tree of z <= 0; or before the tree of
 * input <= at, and that before the tree of input >= at. A list that ends where the tree does covers everything, since one of the two holds at
 * each split.
 *
 * @param rows how many inequalities the case has
 */
function readTree(
  json: Json,
  layers: readonly Layer[],
  box: Bounds,
  { places, count }: ReturnType<typeof readNeurons>,
  rows: number,
): Leaf[] {
  const leaves: Leaf[] = [];
  const open: Path[] = [{ splits: [], cuts: [] }];
  for (const entry of listOf(json, 'a tree')) {
    const path = open.pop();
    demand(path !== undefined, 'a tree goes on behind its last leaf');
    const { splits, cuts } = path;
    const [onRelu, onInput] = ['relu', 'input'].map((key) => objectOf(entry, 'an entry of a tree').has(key));
    if (onRelu || onInput) {
      demand(splits.length + cuts.length < MOST_SPLITS, `a leaf has more than ${MOST_SPLITS} splits`);
    }
    if (onInput) {
      const cut = readCut(entry, box, cuts);
      open.push({ splits, cuts: [...cuts, { ...cut, sign: 1 }] }, { splits, cuts: [...cuts, { ...cut, sign: -1 }] });
      continue;
    }
    if (onRelu) {
      const fields = fieldsOf(entry, 'a split', ['relu', 'neuron']);
      const relu = reluOf(textOf(fields.get('relu'), 'a split'), layers);
      const on = { layer: relu.inputs[0]!, neuron: neuronOf(fields.get('neuron'), relu) };
      open.push({ cuts, splits: [...splits, { ...on, sign: -1 }] }, { cuts, splits: [...splits, { ...on, sign: 1 }] });
      continue;
    }
    const fields = fieldsOf(entry, 'a leaf', ['row', 'slopes', 'multipliers']);
    const row = countOf(fields.get('row'), 'a leaf: row', 0);
    demand(row < rows, `a leaf is about inequality ${row} of a case that has ${rows}`);
    const slopes = fromBase64(textOf(fields.get('slopes'), 'a leaf: slopes'), 'a leaf: slopes');
    demand(slopes.length === count, `a leaf has ${slopes.length} slopes for ${count} neurons`);
    const multipliers = listOf(fields.get('multipliers'), 'a leaf: multipliers').map((m) =>
      numberOf(m, 'a multiplier'),
    );
    demand(multipliers.length === splits.length, 'a leaf does not have one multiplier for each split');
    demand(
      multipliers.every((multiplier) => multiplier >= 0),
      'a multiplier is below 0',
    );
    leaves.push({
      row,
      cuts,
      splits: splits.map((split, i) => ({ ...split, multiplier: multipliers[i]! })),
      slopeOf(relu, neuron) {
        const place = places.get(relu)?.get(neuron);
        return place === undefined ? undefined : slopes[place]! / 255;
      },
    });
  }
  demand(open.length === 0, 'a tree lacks a leaf');
  return leaves;
}

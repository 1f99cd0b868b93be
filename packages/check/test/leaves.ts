/** Evidence in the form in which bounds take it. */
import type { Bounds } from '../src/bounds.ts';
import type { Leaf, SlopeOf, Split } from '../src/evidence.ts';
import type { Layer } from '../src/layers.ts';
import type { Inequality } from '../src/linear.ts';
import type { Random } from './make.ts';

/** logit_label > logit_other. */
export function ahead(classes: number, label: number, other: number): Inequality {
  const coefficients = new Float64Array(classes);
  [coefficients[label], coefficients[other]] = [1, -1];
  return { coefficients, bound: 0 };
}

const part: Bounds = { lower: new Float64Array(), upper: new Float64Array() };

/** The usual slopes. */
export const usual: Leaf = { row: 0, splits: [], multipliers: [], part, slopeOf: () => undefined, ibp: false };

/** Interval bound propagation. */
export const ibp: Leaf = { ...usual, ibp: true };

/** Any slopes. */
export function anySlopes(layers: readonly Layer[], random: Random): SlopeOf {
  const slopes = new Map(layers.map((layer) => [layer, Float64Array.from({ length: layer.size }, random)]));
  return (relu, neuron) => slopes.get(relu)![neuron]!;
}

/** The leaves of a tree of random splits, with any slopes and multipliers. */
export function anyTree(layers: readonly Layer[], depth: number, random: Random): Leaf[] {
  const inputs = layers.flatMap((layer) => (layer.kind === 'relu' ? layer.inputs : []));
  const below = (splits: readonly Split[], multipliers: readonly number[], left: number): Leaf[] => {
    if (left === 0 || inputs.length === 0) {
      return [{ ...usual, splits, multipliers, slopeOf: anySlopes(layers, random) }];
    }
    const layer = inputs[Math.floor(random() * inputs.length)]!;
    const neuron = Math.floor(random() * layer.size);
    return ([1, -1] as const).flatMap((sign) => {
      const multiplier = random() < 0.3 ? 0 : random() * 2 ** Math.floor(random() * 6 - 2);
      return below([...splits, { layer, neuron, sign }], [...multipliers, multiplier], left - 1);
    });
  };
  return below([], [], depth);
}

/** The tree of splits and leaves in order, each split before its first side, and that before its second one. */
export function nested(entries: readonly object[]): object {
  let next = 0;
  const tree = (): object => {
    const entry = entries[next++]!;
    return 'multipliers' in entry ? entry : { ...entry, sides: [tree(), tree()] };
  };
  return tree();
}

/** The same tree where each of its splits in turn has too few sides or too many. */
export function withOtherSides(tree: object): readonly object[] {
  const own = (tree as { readonly sides?: readonly object[] }).sides;
  if (own === undefined) return [];
  const below = own.flatMap((side, i) => withOtherSides(side).map((other) => own.with(i, other)));
  const wrong = [[], [own[0]!], [own[1]!], [own[0]!, own[0]!, own[1]!], [own[0]!, own[1]!, own[1]!]];
  return [...wrong, ...below].map((sides) => ({ ...tree, sides }));
}

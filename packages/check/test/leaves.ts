/** Evidence in the form in which bounds take it. */
import { type Leaf, type Split, USUAL } from '../src/evidence.ts';
import type { Layer } from '../src/layers.ts';
import type { Inequality } from '../src/linear.ts';
import type { Random } from './make.ts';

/** logit_label > logit_other. */
export function ahead(classes: number, label: number, other: number): Inequality {
  const coefficients = new Float64Array(classes);
  [coefficients[label], coefficients[other]] = [1, -1];
  return { coefficients, bound: 0 };
}

/** The usual slopes. */
export const usual: Leaf = USUAL;

/** Any slopes. */
export function anySlopes(layers: readonly Layer[], random: Random): Leaf['slopeOf'] {
  const slopes = new Map(layers.map((layer) => [layer, Float64Array.from({ length: layer.size }, random)]));
  return (relu, neuron) => slopes.get(relu)?.[neuron];
}

/** The leaves of a tree of random splits, with any slopes and multipliers. */
export function anyTree(layers: readonly Layer[], depth: number, random: Random): Leaf[] {
  const inputs = layers.flatMap((layer) => (layer.kind === 'relu' ? layer.inputs : []));
  const below = (splits: readonly Split[], left: number): Leaf[] => {
    if (left === 0 || inputs.length === 0) return [{ row: 0, splits, slopeOf: anySlopes(layers, random) }];
    const layer = inputs[Math.floor(random() * inputs.length)]!;
    const neuron = Math.floor(random() * layer.size);
    return ([1, -1] as const).flatMap((sign) => {
      const multiplier = random() < 0.3 ? 0 : random() * 2 ** Math.floor(random() * 6 - 2);
      return below([...splits, { layer, neuron, sign, multiplier }], left - 1);
    });
  };
  return below([], depth);
}

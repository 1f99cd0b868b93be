import type { Region } from '../region.js';
import type { ProvedPart } from '../search.js';
import type { HostSides } from '../weights.js';

/** A ReLU's input that is split on: where, and whether it is >= 0 (1) or <= 0 (-1). */
export interface Split {
  /** The place of the node among those that can be split on. */
  readonly node: number;
  readonly neuron: number;
  readonly sign: 1 | -1;
}

/** A neuron to split on. */
export type Choice = Omit<Split, 'sign'>;

/** A part of the states that a network can be in over a region. */
export interface Domain {
  /** The case of the region that is to be excluded here. */
  readonly of: number;
  readonly splits: readonly Split[];
  /** The multipliers of the splits, for each the rows in order. */
  readonly multipliers: Float32Array;
  /** The mixtures of neurons that are unstable over the region: for each row, node by node. */
  readonly mixtures: Float32Array;
  /** The largest excess of a lower bound of the case's rows; the case is excluded when it is > 0. */
  readonly bound: number;
  /** Neurons to split on, the most promising first. */
  readonly choices: readonly Choice[];
  /** Where the linear bound of its first row is least. */
  readonly point: Float32Array;
  /** How often it was optimized with nothing left to split on. */
  readonly efforts: number;
}

/** Where the numbers of a batch lie: nodes with a mixture and nodes that can be split on, with the neurons that are unstable. */
export interface Layout {
  readonly curved: readonly Place[];
  readonly splittable: readonly Place[];
  /** Rows of a domain: those of the largest case. */
  readonly rows: number;
}

/** Neurons of one node. */
interface Place {
  readonly name: string;
  readonly shape: readonly number[];
  readonly size: number;
  /** Those that are unstable over the region. */
  readonly unstable: Int32Array;
}

/** The neurons of bounds that are neither active nor inactive. */
export const unstableOf = ({ lower, upper }: HostSides): Int32Array =>
  Int32Array.from(Array.from(lower, (_, i) => i).filter((i) => !(lower[i]! >= 0 || upper[i]! <= 0)));

/** The rows of a case, the last one repeated up to `count`. */
export const rowsOfCase = ({ cases }: Region, one: number, count: number): number[] => {
  const rows = cases[one]!;
  return Array.from({ length: count }, (_, k) => rows[Math.min(k, rows.length - 1)]!);
};

/** What a batch of domains is sent to the device as: arrays by node. */
export interface DomainArrays {
  readonly signs: { readonly [node: string]: Float32Array };
  readonly mixtures: { readonly [node: string]: Float32Array };
  readonly multipliers: { readonly [node: string]: Float32Array };
}

/** Arrays of `size` domains; the last one is repeated where there are fewer. */
export function packDomains(
  { curved, splittable, rows }: Layout,
  domains: readonly Domain[],
  size: number,
): DomainArrays {
  const zeros = (places: readonly Place[], each: number) =>
    Object.fromEntries(places.map(({ name, size: width }) => [name, new Float32Array(size * each * width)]));
  const [signs, multipliers, mixtures] = [zeros(splittable, 1), zeros(splittable, rows), zeros(curved, rows)];
  for (let k = 0; k < size; k++) {
    const domain = domains[Math.min(k, domains.length - 1)]!;
    domain.splits.forEach(({ node, neuron, sign }, i) => {
      const { name, size: width } = splittable[node]!;
      signs[name]![k * width + neuron] = sign;
      for (let row = 0; row < rows; row++) {
        multipliers[name]![(k * rows + row) * width + neuron] = domain.multipliers[i * rows + row]!;
      }
    });
    let from = 0;
    for (let row = 0; row < rows; row++) {
      for (const { name, size: width, unstable } of curved) {
        const start = (k * rows + row) * width;
        for (const neuron of unstable) mixtures[name]![start + neuron] = domain.mixtures[from++]!;
      }
    }
  }
  return { signs, mixtures, multipliers };
}

/** The variables of one domain of a batch, as they are kept. */
export function unpackDomain(
  { curved, splittable, rows }: Layout,
  arrays: Pick<DomainArrays, 'mixtures' | 'multipliers'>,
  k: number,
  splits: readonly Split[],
): Pick<Domain, 'mixtures' | 'multipliers'> {
  const multipliers = Float32Array.from({ length: splits.length * rows }, (_, i) => {
    const { node, neuron } = splits[Math.floor(i / rows)]!;
    const { name, size } = splittable[node]!;
    return arrays.multipliers[name]![(k * rows + (i % rows)) * size + neuron]!;
  });
  const mixtures = new Float32Array(rows * curved.reduce((sum, { unstable }) => sum + unstable.length, 0));
  let to = 0;
  for (let row = 0; row < rows; row++) {
    for (const { name, size, unstable } of curved) {
      const start = (k * rows + row) * size;
      for (const neuron of unstable) mixtures[to++] = arrays.mixtures[name]![start + neuron]!;
    }
  }
  return { multipliers, mixtures };
}

/** The child of a domain in which a neuron has a sign; its multiplier begins at 0. */
export function childOf(domain: Domain, { node, neuron }: Choice, sign: 1 | -1, rows: number): Domain {
  const multipliers = new Float32Array((domain.splits.length + 1) * rows);
  multipliers.set(domain.multipliers);
  return { ...domain, splits: [...domain.splits, { node, neuron, sign }], multipliers, choices: [] };
}

/**
 * The neurons with the largest scores of one domain, then those whose upper lines cost most, each once.
 *
 * @param most of each kind
 */
export function choicesOf(
  { splittable }: Layout,
  tables: readonly { readonly [node: string]: Float32Array }[],
  k: number,
  splits: readonly Split[],
  most: number,
): Choice[] {
  const taken = new Set(splits.map(({ node, neuron }) => `${node}:${neuron}`));
  const chosen: Choice[] = [];
  for (const table of tables) {
    const best: { score: number; choice: Choice }[] = [];
    splittable.forEach(({ name, size, unstable }, node) => {
      const scores = table[name];
      if (scores === undefined) return;
      for (const neuron of unstable) {
        const score = scores[k * size + neuron]!;
        if (!(score > 0) || (best.length === most && score <= best.at(-1)!.score)) continue;
        if (taken.has(`${node}:${neuron}`)) continue;
        best.push({ score, choice: { node, neuron } });
        best.sort((a, b) => b.score - a.score);
        if (best.length > most) best.pop();
      }
    });
    for (const { choice } of best) {
      taken.add(`${choice.node}:${choice.neuron}`);
      chosen.push(choice);
    }
  }
  return chosen;
}

/** Any neuron that is unstable and not split on. */
export function anyChoice({ splittable }: Layout, splits: readonly Split[]): Choice | undefined {
  const taken = new Set(splits.map(({ node, neuron }) => `${node}:${neuron}`));
  for (const [node, { unstable }] of splittable.entries()) {
    for (const neuron of unstable) if (!taken.has(`${node}:${neuron}`)) return { node, neuron };
  }
  return undefined;
}

/** What proves a domain, by the names of nodes. */
export function provedPart(
  { curved, splittable, rows }: Layout,
  { of, splits }: Domain,
  { multipliers, mixtures }: Pick<Domain, 'multipliers' | 'mixtures'>,
): ProvedPart {
  let from = 0;
  return {
    of,
    splits: splits.map(({ node, neuron, sign }, i) => ({
      ...{ node: splittable[node]!.name, neuron, sign },
      multipliers: Array.from(multipliers.subarray(i * rows, (i + 1) * rows)),
    })),
    mixtures: Array.from({ length: rows }, () =>
      Object.fromEntries(
        curved.map(({ name, size, unstable }) => {
          const whole = new Float32Array(size);
          for (const neuron of unstable) whole[neuron] = mixtures[from++]!;
          return [name, whole];
        }),
      ),
    ),
  };
}

import { type Lines, linesOf, lowerBound, unitRows } from '@cert/bounds';
import { type Bounds, INPUT, type IntervalTensor, type Params, type Tensor, type Tensor1D, tf } from '@cert/core';
import { type DeviceArray, disposeTree, type OnDevice, putScalars, turn } from '@cert/jit';
import type { Weights } from '../verifier.js';
import { type AscentRates, type AscentState, ascend, noMoments, ratesOf } from './ascent.js';
import { TOO_LARGE } from './region.js';
import type { BoundedNode, Structure } from './structure.js';
import { type HostSides, networkOf, readFloats, readSides, type SearchSetting, type Sides } from './weights.js';

/** Bounds at every node that a relaxation reads, of one box. */
export interface RootBounds {
  /** On the host, by node. */
  readonly host: { readonly [node: string]: HostSides };
  /** On the device, [1, ...shape]; the caller's to dispose. */
  readonly device: { readonly [node: string]: OnDevice<Sides> };
  /** Whether all of them are finite, and not so large that what is computed of them may overflow. */
  readonly finite: boolean;
}

/** Options of {@link createRootBounds}. */
export interface RootBoundsOptions {
  /** Steps in which the slopes of each neuron's bounds are optimized; default 0, CROWN. */
  readonly iterations?: number;
  /** Milliseconds since the epoch after which no more slopes are optimized; default never. */
  readonly deadline?: number;
  /** Bounds of the same box that are known; they are changed in place. Default: intervals. */
  readonly known?: { readonly [node: string]: HostSides };
}

/** Numbers of float32 that the mixtures of one call may take. */
const BUDGET = 2 ** 22;
/** Neurons of a node times mixtures of each: beyond this, slopes are not optimized, which would take longer than splitting. */
const MOST_MIXTURES = 2 ** 23;
/** Rows of a call: few shapes, so that few functions are compiled. */
const SIZES = [8, 64, 512];

/**
 * Computes the bounds from the first layer to the last: intervals, then for each neuron that these leave unstable CROWN, then
 * alpha-CROWN with slopes of its own (Xu et al. 2021). Each bound is the tightest one found.
 */
export function createRootBounds(setting: SearchSetting, { bounded, curved }: Structure) {
  const { device, model, weights, rules } = setting;
  const start = device.jit((own: Weights, box: Sides) => {
    const { at } = rules.ibp.bound({ network: networkOf(model, own), box });
    return Object.fromEntries(bounded.map(({ name }) => [name, { lower: at[name]!.lower, upper: at[name]!.upper }]));
  });
  const families = new Set(curved.map(({ name }) => name));
  const layers = new Map(bounded.map((node) => [node.name, layerFunctions(setting, node, families)] as const));

  return {
    async bound(
      box: OnDevice<Sides>,
      { iterations = 0, deadline = Number.POSITIVE_INFINITY, known }: RootBoundsOptions = {},
    ): Promise<RootBounds> {
      const loose = known === undefined ? await start(weights, box) : undefined;
      const host: { [node: string]: HostSides } = {};
      const at: { [node: string]: OnDevice<Sides> } = {};
      for (const node of bounded) {
        const sides = known?.[node.name] ?? (await readSides(loose![node.name]!));
        if (node.behind.length > 0) {
          const { tighten } = layers.get(node.name)!;
          const neurons = unstable(sides, node.reluOnly);
          const most = Math.max(SIZES[0]!, Math.floor(BUDGET / (2 * sizeBehind(node))));
          for (let from = 0; from < neurons.length; ) {
            const left = neurons.length - from;
            const fitting = SIZES.filter((size) => size <= most);
            const size = fitting.find((one) => one >= left) ?? fitting.at(-1)!;
            const chosen = neurons.slice(from, from + size);
            from += size;
            const few = neurons.length * sizeBehind(node) <= MOST_MIXTURES;
            const rounds = few && Date.now() < deadline ? iterations : 0;
            await tighten(box, at, sides, chosen, size, rounds);
            await turn();
          }
        }
        host[node.name] = sides;
        const shape = [1, ...node.shape];
        at[node.name] = { lower: device.put(sides.lower, shape), upper: device.put(sides.upper, shape) };
      }
      disposeTree(loose);
      const inRange = (x: number) => Math.abs(x) < TOO_LARGE;
      const finite = Object.values(host).every(({ lower, upper }) => lower.every(inRange) && upper.every(inRange));
      return { host, device: at, finite };
    },
    async dispose() {
      await start.dispose();
      for (const { dispose } of layers.values()) await dispose();
    },
  };

  function sizeBehind({ behind }: BoundedNode): number {
    const sizes = new Map(curved.map((node) => [node.name, node.shape.reduce((a, b) => a * b, 1)]));
    return behind.reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0);
  }
}

/** The functions that bound neurons of one node. */
function layerFunctions(
  { device, model, weights, rules }: SearchSetting,
  node: BoundedNode,
  families: ReadonlySet<string>,
) {
  const own = node.behind.filter((name) => families.has(name));
  /** Rows for the lower bounds of the neurons, then for those of the negated ones. */
  const rowsFor = (neurons: Tensor) => {
    const unit = unitRows(neurons as Tensor1D, node.shape);
    return { coefficients: tf.concat([unit, tf.neg(unit)], 0), count: 2 * neurons.shape[0]! };
  };
  const settingOf = (own: Weights, box: IntervalTensor, at: Bounds['at']) => {
    const network = networkOf(model, own);
    const all = { ...at, [INPUT]: box };
    return { network, box, at: all, lines: linesOf(rules.linearRelaxation, network, all) };
  };
  const plain = device.jit((all: Weights, box: Sides, at: Bounds['at'], neurons: Tensor) => {
    const { coefficients, count } = rowsFor(neurons);
    return lowerBound(rules.linearRelaxation, settingOf(all, box, at), node.name, { coefficients, count });
  });
  const begin = device.jit((all: Weights, box: Sides, at: Bounds['at'], neurons: Tensor): AscentState => {
    const { lines } = settingOf(all, box, at);
    const variables = usualMixtures(lines, own, 2 * neurons.shape[0]!);
    return { variables, ...noMoments(variables) };
  });
  const step = device.jit(
    (
      all: Weights,
      box: Sides,
      at: Bounds['at'],
      neurons: Tensor,
      state: AscentState,
      best: Tensor,
      rates: AscentRates,
    ) => {
      const setting = settingOf(all, box, at);
      const rows = rowsFor(neurons);
      const mixturesOf = (variables: Params) =>
        Object.fromEntries(Object.entries(variables).map(([name, { mixture }]) => [name, mixture!]));
      const bound = (variables: Params) =>
        lowerBound(rules.linearRelaxation, { ...setting, mixtures: mixturesOf(variables) }, node.name, rows);
      const { lower, state: next } = ascend(state, bound, rates);
      return { best: tf.maximum(best, lower), state: next };
    },
  );

  return {
    /** Improves both sides of the chosen neurons in place. `size`: how many rows are computed; the last neuron is repeated. */
    async tighten(
      box: OnDevice<Sides>,
      at: { readonly [node: string]: OnDevice<Sides> },
      sides: HostSides,
      chosen: readonly number[],
      size: number,
      iterations: number,
    ): Promise<void> {
      const neurons = device.put(
        Int32Array.from({ length: size }, (_, k) => chosen[Math.min(k, chosen.length - 1)]!),
        [size],
      );
      let best: DeviceArray = await plain(weights, box, at, neurons);
      if (iterations > 0 && own.length > 0) {
        let state = await begin(weights, box, at, neurons);
        for (let t = 0; t < iterations; t++) {
          const rates = putScalars(device, ratesOf(t, { mixture: 0.1 }));
          const next = await step(weights, box, at, neurons, state, best, rates);
          disposeTree([state, best, rates]);
          ({ best, state } = next);
        }
        disposeTree(state);
      }
      const values = await readFloats(best);
      disposeTree([neurons, best]);
      chosen.forEach((neuron, k) => {
        // Both are NaN where one of the two is.
        sides.lower[neuron] = Math.max(sides.lower[neuron]!, values[k]!);
        sides.upper[neuron] = Math.min(sides.upper[neuron]!, -values[size + k]!);
      });
    },
    async dispose() {
      for (const compiled of [plain, begin, step]) await compiled.dispose();
    },
  };
}

/**
 * The mixtures that stand for the usual line below, for `count` rows: {@link Lines.family}.
 *
 * @returns by node `mixture`, [images, count, ...shape]
 */
export function usualMixtures(
  lines: { readonly [node: string]: Lines },
  nodes: readonly string[],
  count: number,
): Params {
  return Object.fromEntries(
    nodes.flatMap((name) => {
      const { family, lowerSlope } = lines[name]!;
      if (family === undefined) return [];
      const [from, to] = family;
      const span = tf.sub(to.slope, from.slope);
      const differs = tf.notEqual(span, 0);
      const share = tf.div(tf.sub(lowerSlope, from.slope), tf.where(differs, span, tf.onesLike(span)));
      const mixture = tf.clipByValue(tf.where(differs, share, tf.zerosLike(share)), 0, 1);
      const repeats = [1, count, ...mixture.shape.slice(1).map(() => 1)];
      return [[name, { mixture: tf.tile(tf.expandDims(mixture, 1), repeats) }]];
    }),
  );
}

/** The neurons that are neither active nor inactive on the whole box, or all where that does not make them linear. NaN counts as unstable. */
function unstable({ lower, upper }: HostSides, reluOnly: boolean): number[] {
  const neurons = Array.from(lower, (_, i) => i);
  return reluOnly ? neurons.filter((i) => !(lower[i]! >= 0 || upper[i]! <= 0)) : neurons;
}

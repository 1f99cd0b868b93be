import {
  type BackwardTable,
  boundNeurons,
  foldBatchNorm,
  foldedModel,
  type Lines,
  linesOf,
  neuronsOf,
} from '@cert/bounds';
import {
  type BoundMethod,
  type Bounds,
  INPUT,
  type Model,
  type Params,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  tf,
} from '@cert/core';
import { type Device, type DeviceArray, disposeTree, type OnDevice, putScalars, turn } from '@cert/jit';
import type { Weights } from '../../verifier.js';
import { TOO_LARGE } from '../region.js';
import { type HostSides, networkOf, readFloats, readSides, type Sides } from '../weights.js';
import { type AscentRates, type AscentState, ascend, noMoments, ratesOf } from './ascent.js';
import { type Call, callsFor } from './neuron-calls.js';
import { type BoundedNode, structureOf } from './structure.js';

/** Bounds at every node that a relaxation reads, of a batch of boxes. */
export interface RootBounds {
  /** On the host, by node, [batch, ...shape]. */
  readonly host: { readonly [node: string]: HostSides };
  /** On the device, [batch, ...shape]; the caller's to dispose. */
  readonly device: { readonly [node: string]: OnDevice<Sides> };
  /** Whether all of them are finite, and not so large that what is computed of them may overflow. */
  readonly finite: boolean;
}

/** Where bounds are computed, and with which rules. */
export interface RootSetting {
  readonly device: Device;
  readonly model: Model;
  /** Bounds to start with. */
  readonly forward: BoundMethod;
  /** The rules of the backward passes. */
  readonly backward: BackwardTable;
}

/** Options of {@link createRootBounds}. */
export interface RootBoundsOptions {
  /** Steps in which the slopes of each neuron's bounds are optimized; default 0, CROWN. */
  readonly iterations?: number;
  /** Milliseconds since the epoch after which no more slopes are optimized; default never. */
  readonly deadline?: number;
  /** How many boxes of the batch are bounded; the others keep the bounds of the forward method. Default all. */
  readonly boxes?: number;
  /** Bounds of the same boxes that are known; they are changed in place. Default: those of the forward method. */
  readonly known?: { readonly [node: string]: HostSides };
}

/** Neurons of a node times mixtures of each: beyond this, slopes are not optimized, which would take longer than splitting. */
const MOST_MIXTURES = 2 ** 23;

/**
 * The learning rate of slopes, and by how much it shrinks in a step: most of the best slopes are at an end of [0, 1], which a few large steps
 * reach and small ones do not.
 */
const [RATE, DECAY] = [0.3, 0.9];
/** By how much the bounds of a call have to grow in a step, as a share of their sum, for another step to follow. */
const LEAST_GAIN = 1e-3;

/**
 * Computes the bounds from the first layer to the last: those of the forward method, then for each neuron that these leave unstable CROWN, then
 * alpha-CROWN with slopes of its own (Xu et al. 2021). Each bound is the tightest one found.
 */
export function createRootBounds(setting: RootSetting) {
  const { device, forward, backward } = setting;
  // Rows are many: what is done for each of them is done once for the kernels.
  const model = foldedModel(setting.model, Number.POSITIVE_INFINITY);
  const foldedNodes = model.nodes.filter(({ name, op }) =>
    setting.model.nodes.some((node) => node.name === name && node.op !== op),
  );
  const fold = device.jit((own: Weights): Params => {
    const { params } = foldBatchNorm(networkOf(setting.model, own), Number.POSITIVE_INFINITY);
    return Object.fromEntries(foldedNodes.map(({ name }) => [name, params[name]!]));
  });
  const { bounded, curved } = structureOf(model, backward);
  const start = device.jit((own: Weights, box: Sides) => {
    const { at } = forward.bound({ network: networkOf(setting.model, own), box });
    return Object.fromEntries(bounded.map(({ name }) => [name, { lower: at[name]!.lower, upper: at[name]!.upper }]));
  });
  const families = new Set(curved.map(({ name }) => name));
  const layers = bounded.map((node) => layerFunctions({ ...setting, model }, node, families));
  const isRead = (name: string) => curved.some(({ inputs }) => inputs[0] === name);
  const linesFrom = device.jit((own: Weights, at: Bounds['at']): { readonly [node: string]: Lines } =>
    linesOf(backward, networkOf(model, own), at),
  );

  return {
    /** @param box [batch, ...inputShape] */
    async bound(
      weights: OnDevice<Weights>,
      box: OnDevice<Sides>,
      { iterations = 0, deadline = Number.POSITIVE_INFINITY, known, boxes }: RootBoundsOptions = {},
    ): Promise<RootBounds> {
      const batch = box.lower.shape[0]!;
      // A device may refuse a function without results.
      const loose = known === undefined && bounded.length > 0 ? await start(weights, box) : undefined;
      const host: { [node: string]: HostSides } = {};
      const at: { [node: string]: OnDevice<Sides> } = {};
      const changed = foldedNodes.length > 0 ? await fold(weights) : {};
      const folded = { params: { ...weights.params, ...changed }, stats: weights.stats };
      let lines: { readonly [node: string]: OnDevice<Lines> } = isRead(INPUT)
        ? await linesFrom(folded, { [INPUT]: box })
        : {};
      try {
        for (const layer of layers) {
          const { node, neurons } = layer;
          const sides = known?.[node.name] ?? (await readSides(loose![node.name]!));
          if (node.behind.length > 0) {
            const mixtures = node.behind.reduce((sum, name) => sum + (neurons.sizes.get(name) ?? 0), 0);
            const open = unstable(sides, node.reluOnly).filter((i) => i < (boxes ?? batch) * node.size);
            const few = open.length * mixtures <= MOST_MIXTURES;
            for (const call of callsFor(open, neurons, node, iterations > 0 ? mixtures : 0)) {
              const rounds = few && Date.now() < deadline ? iterations : 0;
              await layer.tighten(folded, { box, at, lines }, sides, call, rounds);
              await turn();
            }
          }
          host[node.name] = sides;
          const shape = [batch, ...node.shape];
          at[node.name] = { lower: device.put(sides.lower, shape), upper: device.put(sides.upper, shape) };
          if (isRead(node.name)) lines = { ...lines, ...(await linesFrom(folded, { [node.name]: at[node.name]! })) };
        }
      } finally {
        disposeTree([loose, changed, lines]);
      }
      const inRange = (x: number) => Math.abs(x) < TOO_LARGE;
      const finite = Object.values(host).every(({ lower, upper }) => lower.every(inRange) && upper.every(inRange));
      return { host, device: at, finite };
    },
    async dispose() {
      for (const { dispose } of [start, fold, linesFrom, ...layers]) await dispose();
    },
  };
}

/** What {@link createRootBounds} makes. */
export type RootBounder = ReturnType<typeof createRootBounds>;

/** What the bounds of a node are computed from. */
type Before = {
  readonly box: Sides;
  readonly at: { readonly [node: string]: Sides };
  readonly lines: { readonly [node: string]: Lines };
};

/** Chosen neurons on the device. */
type Chosen = { readonly places: Tensor; readonly neurons: Tensor };

/** The functions that bound neurons of one node. */
function layerFunctions({ device, model, backward }: RootSetting, node: BoundedNode, families: ReadonlySet<string>) {
  const neurons = neuronsOf(backward, model, node.name);
  const own = node.behind.filter((name) => families.has(name));
  const localSetting = (weights: Weights, { box, at, lines }: Before, { places }: Chosen) =>
    neurons.at({ network: networkOf(model, weights), box, at: { ...at, [INPUT]: box }, lines }, places as Tensor2D);
  const bounds = (
    setting: ReturnType<typeof localSetting>,
    chosen: Chosen,
    mixtures: { readonly [node: string]: Tensor } = {},
  ) => {
    const count = chosen.neurons.shape[0]! / chosen.places.shape[0]!;
    return boundNeurons(backward, { ...setting, mixtures }, neurons, chosen.neurons as Tensor1D, count);
  };
  const plain = device.jit((weights: Weights, before: Before, chosen: Chosen) =>
    bounds(localSetting(weights, before, chosen), chosen),
  );
  const begin = device.jit((weights: Weights, before: Before, chosen: Chosen): AscentState => {
    const { lines = {} } = localSetting(weights, before, chosen);
    const variables = usualMixtures(lines, own, (2 * chosen.neurons.shape[0]!) / chosen.places.shape[0]!);
    return { variables, ...noMoments(variables) };
  });
  const step = device.jit(
    (weights: Weights, before: Before, chosen: Chosen, state: AscentState, best: Tensor, rates: AscentRates) => {
      const setting = localSetting(weights, before, chosen);
      const mixturesOf = (variables: Params) =>
        Object.fromEntries(Object.entries(variables).map(([name, { mixture }]) => [name, mixture!]));
      const { lower, state: next } = ascend(
        state,
        (variables) => bounds(setting, chosen, mixturesOf(variables)),
        rates,
      );
      const highest = tf.maximum(best, lower);
      return { best: highest, sum: tf.sum(highest), state: next };
    },
  );

  return {
    node,
    neurons,
    /** Improves both sides of the chosen neurons in place. */
    async tighten(
      weights: OnDevice<Weights>,
      before: OnDevice<Before>,
      sides: HostSides,
      { slots, places, count, chosen }: Call,
      iterations: number,
    ): Promise<void> {
      const here = {
        places: device.put(places, [places.length / 3, 3]),
        neurons: device.put(chosen, [chosen.length]),
      };
      let best: DeviceArray = await plain(weights, before, here);
      if (iterations > 0 && own.length > 0) {
        let state = await begin(weights, before, here);
        let last = Number.NEGATIVE_INFINITY;
        for (let t = 0; t < iterations; t++) {
          const rates = putScalars(device, ratesOf(t, { mixture: RATE }, DECAY));
          const { sum, ...next } = await step(weights, before, here, state, best, rates);
          const [now] = await sum.data();
          disposeTree([state, best, rates, sum]);
          ({ best, state } = next);
          if (now! - last < LEAST_GAIN * Math.abs(now!)) break;
          last = now!;
        }
        disposeTree(state);
      }
      const values = await readFloats(best);
      disposeTree([here, best]);
      for (const [s, slot] of slots.entries()) {
        for (const [k, neuron] of slot.entries()) {
          // Both are NaN where one of the two is.
          const place = 2 * s * count + k;
          sides.lower[neuron] = Math.max(sides.lower[neuron]!, values[place]!);
          sides.upper[neuron] = Math.min(sides.upper[neuron]!, -values[place + count]!);
        }
      }
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

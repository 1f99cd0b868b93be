import { ibp, runningNorm } from '@cert/bounds';
import {
  type BoundMethod,
  type Model,
  type Perturbation,
  perturbationBox,
  reluInputs,
  sizeOf,
  type Tensor,
  tf,
} from '@cert/core';
import { type Device, disposeTree, type OnDevice, putScalars } from '@cert/jit';
import type { Weights } from './verifier.js';

/** Images in one call: what is held in memory at once. */
const CHUNK = 64;

/** The neurons of a layer by the bounds before their ReLU, as shares of all neurons and images that add up to 1. */
export interface ReluShares {
  /** lower > 0: the ReLU is the identity on the whole box. */
  readonly active: number;
  /** upper < 0: it is 0 on the whole box. */
  readonly inactive: number;
  /** All others, those with bounds that are not finite too. */
  readonly unstable: number;
}

/** The layers of a model by the nodes that feed a ReLU. Plain data. */
export interface ReluStates {
  /** How many images were looked at. */
  readonly images: number;
  /** Shares of each layer, by the name of the node that feeds the ReLU. */
  readonly layers: { readonly [node: string]: ReluShares };
}

/** Compiled once, counts any number of times. */
export interface ReluCounter {
  /** The states of the neurons over perturbation sets of radius `epsilon`, with running statistics. */
  count(weights: OnDevice<Weights>, epsilon: number): Promise<ReluStates>;
  /** Frees the compiled function. */
  dispose(): Promise<void>;
}

/**
 * Creates a counter of active, inactive and unstable neurons, by interval bounds unless another method is given.
 *
 * @param options the images to look at, row-major [count, ...inputShape]
 */
export function createReluCounter({
  device,
  model,
  images,
  perturbation,
  method = ibp,
}: {
  readonly device: Device;
  readonly model: Model;
  readonly images: Float32Array;
  readonly perturbation: Perturbation;
  readonly method?: BoundMethod;
}): ReluCounter {
  const nodes = reluInputs(model);
  const size = sizeOf(model.inputShape);
  const total = images.length / size;
  const measure = device.jit(({ params, stats }: Weights, x: Tensor, epsilon: Tensor) => {
    const { at } = method.bound({
      network: { model, params, norm: runningNorm(stats) },
      box: perturbationBox(perturbation, x, epsilon),
    });
    // Sums over single images: whole numbers that float32 holds exactly.
    const counts = (mask: (box: (typeof at)[string]) => Tensor) =>
      tf.stack(
        nodes.map((node) => {
          const hits = tf.cast(mask(at[node]!), 'float32');
          return tf.sum(hits, Array.from(hits.shape.keys()).slice(1));
        }),
      );
    return {
      active: counts(({ lower }) => tf.greater(lower, 0)),
      inactive: counts(({ upper }) => tf.less(upper, 0)),
    };
  });
  const neurons = (node: string) => total * sizeOf(model.nodes.find(({ name }) => name === node)!.shape);

  return {
    async count({ params, stats }, epsilon) {
      if (nodes.length === 0) return { images: total, layers: {} };
      const scalars = putScalars(device, { epsilon });
      const active = nodes.map(() => 0);
      const inactive = nodes.map(() => 0);
      for (let first = 0; first < total; first += CHUNK) {
        const count = Math.min(CHUNK, total - first);
        const x = device.put(images.subarray(first * size, (first + count) * size), [count, ...model.inputShape]);
        const out = await measure({ params, stats }, x, scalars.epsilon!);
        const found = { active: await out.active.data(), inactive: await out.inactive.data() };
        disposeTree([x, out]);
        for (let i = 0; i < nodes.length * count; i++) {
          const layer = Math.floor(i / count);
          active[layer]! += found.active[i]!;
          inactive[layer]! += found.inactive[i]!;
        }
      }
      disposeTree(scalars);
      const layers = nodes.map((node, i) => {
        const all = neurons(node);
        const [a, b] = [active[i]!, inactive[i]!];
        return [node, { active: a / all, inactive: b / all, unstable: (all - a - b) / all }] as const;
      });
      return { images: total, layers: Object.fromEntries(layers) };
    },
    dispose: () => measure.dispose(),
  };
}

import {
  type BackwardTable,
  boundRows,
  crownMargins,
  ibp,
  type LinearRelaxationOptions,
  linearRelaxation,
  marginSpec,
  nonlinearInputs,
  runningNorm,
  unitRows,
} from '@cert/bounds';
import {
  type Batch,
  type BoundMethod,
  type Bounds,
  type Hyper,
  INPUT,
  linfBall,
  type Model,
  sizeOf,
  type Tensor,
  type Tensor1D,
  tf,
} from '@cert/core';
import { disposeTree, type OnDevice } from '@cert/jit';
import { finiteMargins } from '../finite-margins.js';
import type { Prover, Verifier, VerifierSetting, Weights } from '../verifier.js';

/** Options of {@link crownVerifier}. */
export interface CrownVerifierOptions extends LinearRelaxationOptions {
  /** The most images that it takes at once; default 1, which is best on a processor: images differ in how many neurons are unstable. */
  readonly images?: number;
}

/**
 * CROWN as `crown()` of `@cert/bounds` computes it, driven from the host: only neurons that the forward method leaves unstable get a
 * backward pass of their own. The others are linear on the whole box, and the forward bounds say so; in a network trained for
 * certification most are. One small computation per layer is compiled and called as often as there are chunks of neurons.
 *
 * @param options `chunk` neurons of each image are bounded by one call; default: as many as make a million coefficients at the largest
 * node, 8 to 256 for a single image
 * @returns a verifier named `crown`, run after the attack
 */
export const crownVerifier = ({
  forward = ibp,
  backward = linearRelaxation,
  chunk,
  images = 1,
}: CrownVerifierOptions = {}): Verifier => ({
  name: 'crown',
  cost: { rows: (model) => chunk ?? rowsPerImage(model, 1), images, afterAttack: true },
  on: (setting) => prover(setting, { forward, backward, chunk }),
});

interface Parts {
  readonly forward: BoundMethod;
  readonly backward: BackwardTable;
  readonly chunk: number | undefined;
}

/** Numbers of float32 that 4 MiB hold: small enough that the rows of a chunk stay in a processor's cache. */
const BUDGET = 2 ** 20;

/** Rows of each image in one call. */
function rowsPerImage({ nodes }: Model, batch: number): number {
  const largest = Math.max(...nodes.map(({ shape }) => sizeOf(shape)));
  return Math.max(8, Math.floor(Math.min(256, BUDGET / largest) / batch));
}

type Sides = { readonly lower: Tensor; readonly upper: Tensor };
type HostSides = { readonly lower: Float32Array; readonly upper: Float32Array };

function prover({ device, model, range }: VerifierSetting, { forward, backward, chunk }: Parts): Prover {
  const names = nonlinearInputs(model).filter((name) => name !== INPUT);
  // An op of a plug-in need not be linear where its input keeps its sign.
  const curved = new Set(nonlinearInputs({ ...model, nodes: model.nodes.filter(({ op }) => op !== 'relu') }));
  const shapes = new Map(model.nodes.map(({ name, shape }) => [name, shape]));
  const problemOf = ({ params, stats }: Weights, { images, labels }: Batch, { epsilon }: Hyper) => ({
    network: { model, params, norm: runningNorm(stats) },
    box: linfBall(images, epsilon!, range),
    spec: marginSpec(labels, model.classes),
  });

  const start = device.jit((weights: Weights, batch: Batch, hyper: Hyper) => {
    const { network, box } = problemOf(weights, batch, hyper);
    const bounds = forward.bound({ network, box });
    const sides = names.map(
      (name) => [name, { lower: bounds.at[name]!.lower, upper: bounds.at[name]!.upper }] as const,
    );
    // NaN for an image with a bound at any node that is not finite.
    return { sides: Object.fromEntries(sides), finite: tf.sum(tf.mul(finiteMargins(network, bounds), 0), 1) };
  });
  const layers = names.map((name) =>
    device.jit((weights: Weights, batch: Batch, hyper: Hyper, at: Bounds['at'], neurons: Tensor) => {
      const { network, box } = problemOf(weights, batch, hyper);
      const count = neurons.shape[0]! / batch.images.shape[0]!;
      const coefficients = unitRows(neurons as Tensor1D, shapes.get(name)!);
      return boundRows(backward, { network, box, at: { ...at, [INPUT]: box } }, name, { coefficients, count });
    }),
  );
  const finish = device.jit((weights: Weights, batch: Batch, hyper: Hyper, at: Bounds['at']) => {
    const problem = problemOf(weights, batch, hyper);
    return { lower: crownMargins(problem, { ...at, [INPUT]: problem.box }, { backward }) };
  });

  return {
    async lowerMargins(weights, batch, hyper) {
      const images = batch.labels.shape[0]!;
      const count = chunk ?? rowsPerImage(model, images);
      const { sides: loose, finite } = await start(weights, batch, hyper);
      const at: { [node: string]: OnDevice<Sides> } = {};
      try {
        for (const [i, name] of names.entries()) {
          const sides = await read(loose[name]!);
          const size = sides.lower.length / images;
          const waiting = Array.from({ length: images }, (_, image) =>
            curved.has(name) ? Array.from({ length: size }, (_, neuron) => neuron) : unstable(sides, image, size),
          );
          for (const neurons of rounds(waiting, count)) {
            const indices = device.put(neurons, [neurons.length]);
            const bounds = await layers[i]!(weights, batch, hyper, at, indices);
            const tight = await read(bounds);
            disposeTree([indices, bounds]);
            neurons.forEach((neuron, k) => {
              const image = Math.floor(k / count);
              if (waiting[image]!.length === 0) return;
              const place = image * size + neuron;
              sides.lower[place] = tight.lower[k]!;
              sides.upper[place] = tight.upper[k]!;
            });
          }
          const shape = [images, ...shapes.get(name)!];
          at[name] = { lower: device.put(sides.lower, shape), upper: device.put(sides.upper, shape) };
        }
        const out = await finish(weights, batch, hyper, at);
        const lower = Float32Array.from(await out.lower.data());
        disposeTree(out);
        const zeros = await finite.data();
        return lower.map((margin, i) => margin + zeros[Math.floor((i * images) / lower.length)]!);
      } finally {
        disposeTree([loose, finite, at]);
      }
    },
    async dispose() {
      for (const compiled of [start, ...layers, finish]) await compiled.dispose();
    },
  };
}

async function read({ lower, upper }: OnDevice<Sides>): Promise<HostSides> {
  return { lower: Float32Array.from(await lower.data()), upper: Float32Array.from(await upper.data()) };
}

/** The neurons of an image that are neither active nor inactive on the whole box; bounds that are NaN count as unstable. */
function unstable({ lower, upper }: HostSides, image: number, size: number): number[] {
  const neurons = Array.from({ length: size }, (_, neuron) => neuron);
  return neurons.filter((neuron) => {
    const place = image * size + neuron;
    return !(lower[place]! >= 0 || upper[place]! <= 0);
  });
}

/**
 * The neurons of every image in rounds of `count` for each, image after image. Every round has one shape: an image with fewer neurons
 * than others has its last one again, which gives the same bounds, or neuron 0 where it has none.
 */
export function rounds(waiting: readonly (readonly number[])[], count: number): Int32Array[] {
  const most = Math.max(...waiting.map(({ length }) => length));
  return Array.from({ length: Math.ceil(most / count) }, (_, round) =>
    Int32Array.from({ length: waiting.length * count }, (_, k) => {
      const own = waiting[Math.floor(k / count)]!;
      return own[Math.min(round * count + (k % count), own.length - 1)] ?? 0;
    }),
  );
}

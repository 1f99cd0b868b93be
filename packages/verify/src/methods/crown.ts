import {
  type BackwardTable,
  crownMargins,
  ibp,
  type LinearRelaxationOptions,
  linearRelaxation,
  lowerBound,
  marginSpec,
  nonlinearInputs,
  runningNorm,
  unitRows,
} from '@cert/bounds';
import {
  type Batch,
  type BoundMethod,
  type Hyper,
  INPUT,
  linfBall,
  type Model,
  type Tensor,
  type Tensor1D,
  tf,
} from '@cert/core';
import { disposeTree, type OnDevice } from '@cert/jit';
import { finiteMargins } from '../finite-margins.js';
import type { MarginBounder, MarginBounderOptions, MarginMethod, NetworkTensors } from '../verifier.js';

type Sides = { readonly lower: Tensor; readonly upper: Tensor };
type HostSides = { readonly lower: Float32Array; readonly upper: Float32Array };

/**
 * CROWN as `crown()` of `@cert/bounds` computes it, driven from the host: only neurons that IBP leaves unstable get a backward pass of
 * their own. The others are linear on the whole box, and IBP's bounds say so; in a network trained for certification they are most.
 * One small computation per layer is compiled and called as often as there are chunks of neurons. It takes one image at a time.
 *
 * @param options `chunk` neurons are bounded by one call; default: as many as make a million coefficients at the largest node, 8 to 256
 * @returns a method named `crown`
 */
export const hostCrown = ({
  forward = ibp,
  backward = linearRelaxation,
  chunk,
}: LinearRelaxationOptions = {}): MarginMethod => ({
  name: 'crown',
  on: (options) => bounder(options, { forward, backward, chunk: chunk ?? chunkSize(options.model) }),
});

interface Parts {
  readonly forward: BoundMethod;
  readonly backward: BackwardTable;
  readonly chunk: number;
}

/** Numbers of float32 that 4 MiB hold: small enough that a processor keeps the rows of a chunk near. */
const BUDGET = 2 ** 20;

function chunkSize({ nodes }: Model): number {
  const largest = Math.max(...nodes.map(({ shape }) => shape.reduce((a, b) => a * b, 1)));
  return Math.min(256, Math.max(8, Math.floor(BUDGET / largest)));
}

function bounder({ device, model, range }: MarginBounderOptions, { forward, backward, chunk }: Parts): MarginBounder {
  const names = nonlinearInputs(model).filter((name) => name !== INPUT);
  // An op of a plug-in need not be linear where its input keeps its sign.
  const curved = new Set(nonlinearInputs({ ...model, nodes: model.nodes.filter(({ op }) => op !== 'relu') }));
  const shapes = new Map(model.nodes.map(({ name, shape }) => [name, shape]));
  const settingOf = (tensors: NetworkTensors, at: { readonly [node: string]: Sides }) => ({
    norm: runningNorm(tensors.stats),
    at,
  });

  const start = device.jit((tensors: NetworkTensors, { images }: Batch, { epsilon }: Hyper) => {
    const box = linfBall(images, epsilon!, range);
    const norm = runningNorm(tensors.stats);
    const { output, at } = forward.bound(model, tensors.params, norm, box);
    return {
      sides: Object.fromEntries(names.map((name) => [name, { lower: at[name]!.lower, upper: at[name]!.upper }])),
      // NaN when a bound at any node is not finite.
      finite: tf.mul(finiteMargins(model, { output, at }, norm), 0),
    };
  });
  const layers = names.map((name) =>
    device.jit(
      (
        tensors: NetworkTensors,
        { images }: Batch,
        { epsilon }: Hyper,
        at: { readonly [node: string]: Sides },
        neurons: Tensor,
      ) => {
        const rows = unitRows(neurons as Tensor1D, shapes.get(name)!);
        const least = (coefficients: Tensor) =>
          lowerBound(backward, model, tensors.params, settingOf(tensors, at), linfBall(images, epsilon!, range), name, {
            coefficients,
            count: chunk,
          });
        return { lower: least(rows), upper: tf.neg(least(tf.neg(rows))) };
      },
    ),
  );
  const finish = device.jit(
    (
      tensors: NetworkTensors,
      { images, labels }: Batch,
      { epsilon }: Hyper,
      at: { readonly [node: string]: Sides },
    ) => {
      const box = linfBall(images, epsilon!, range);
      const spec = marginSpec(labels, model.classes);
      return { lower: crownMargins(model, tensors.params, runningNorm(tensors.stats), box, spec, at, { backward }) };
    },
  );

  return {
    async lowerMargins(network, batch, hyper) {
      const { sides: intervals, finite } = await start(network, batch, hyper);
      const at: { [node: string]: OnDevice<Sides> } = {};
      try {
        for (const [i, name] of names.entries()) {
          const sides = await read(intervals[name]!);
          const loose = curved.has(name) ? [...sides.lower.keys()] : unstable(sides);
          for (const neurons of chunked(loose, chunk)) {
            const indices = device.put(filled(neurons, chunk), [chunk]);
            const bounds = await layers[i]!(network, batch, hyper, at, indices);
            const tight = await read(bounds);
            disposeTree([indices, bounds]);
            neurons.forEach((neuron, k) => {
              sides.lower[neuron] = tight.lower[k]!;
              sides.upper[neuron] = tight.upper[k]!;
            });
          }
          const shape = [1, ...shapes.get(name)!];
          at[name] = { lower: device.put(sides.lower, shape), upper: device.put(sides.upper, shape) };
        }
        const out = await finish(network, batch, hyper, at);
        const lower = Float32Array.from(await out.lower.data());
        disposeTree(out);
        const [zero] = (await finite.data()).subarray(0, 1);
        return lower.map((margin) => margin + zero!);
      } finally {
        disposeTree([intervals, finite, at]);
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

/** The neurons that are neither active nor inactive on the whole box; bounds that are NaN count as unstable. */
const unstable = ({ lower, upper }: HostSides): number[] =>
  [...lower.keys()].filter((i) => !(lower[i]! >= 0 || upper[i]! <= 0));

const chunked = (neurons: readonly number[], size: number): number[][] =>
  Array.from({ length: Math.ceil(neurons.length / size) }, (_, i) => neurons.slice(i * size, (i + 1) * size));

/** Indices for a full chunk, the last one repeated, so that every call has one shape. */
const filled = (neurons: readonly number[], size: number): Int32Array =>
  Int32Array.from({ length: size }, (_, i) => neurons[Math.min(i, neurons.length - 1)]!);

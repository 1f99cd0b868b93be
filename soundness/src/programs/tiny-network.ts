import {
  add,
  conv2d,
  createRng,
  dense,
  flatten,
  graph,
  type HostTensor,
  INPUT,
  type Model,
  paramSpecs,
  relu,
  sequential,
  sizeOf,
} from '@cert/core';
import type { HostNetwork } from '../network.js';
import type { Ends } from './equations.js';

/** Models whose exact minima take fractions of a second. */
export const TINY_MODELS: { readonly [name: string]: Model } = {
  dense: sequential([3], [dense(7), relu(), dense(6), relu(), dense(3)]),
  'three hidden layers': sequential([2], [dense(5), relu(), dense(5), relu(), dense(4), relu(), dense(2)]),
  'a convolution and a residual sum': convolution(),
};

function convolution(): Model {
  const builder = graph([3, 3, 1]);
  const first = builder.add(relu(), [builder.add(conv2d(2, { kernel: 2, padding: 0 }), [INPUT])]);
  const inner = builder.add(conv2d(2, { kernel: 3, padding: 1 }), [first]);
  builder.add(relu(), [builder.add(add(), [first, inner])]);
  builder.add(flatten());
  builder.add(dense(3));
  return builder.build();
}

/** A network with random weights and a box around a random point. */
export function tinyProblem(model: Model, seed: number): { readonly network: HostNetwork; readonly box: Ends } {
  const rng = createRng(seed, 'tiny');
  const params: { [node: string]: { [name: string]: HostTensor } } = {};
  for (const { node, name, shape } of paramSpecs(model)) {
    const scale = name === 'kernel' ? Math.sqrt(2 / sizeOf(shape.slice(0, -1))) : 0.3;
    const data = Float32Array.from({ length: sizeOf(shape) }, () => scale * rng.normal());
    params[node] = { ...params[node], [name]: { shape, data } };
  }
  const radius = 0.2 + 0.4 * rng.uniform();
  const center = Array.from({ length: sizeOf(model.inputShape) }, () => rng.normal());
  const [lower, upper] = [-radius, radius].map((shift) => Float32Array.from(center, (x) => x + shift));
  return { network: { model, params, stats: {} }, box: { lower: lower!, upper: upper! } };
}

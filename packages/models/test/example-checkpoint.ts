/** A checkpoint of a small model with everything that one may hold. */
import {
  type HostParams,
  type HostTensor,
  paramSpecs,
  type Shape,
  sizeOf,
  statSpecs,
  type TensorSpec,
} from '@cert/core';
import { type Checkpoint, smallConv } from '../src/index.js';

export const model = smallConv({
  inputShape: [4, 4, 1],
  classes: 3,
  filters: [2],
  dense: 3,
  normalize: { mean: [0.5], std: [0.25] },
});

export const filled = (shape: Shape, first: number): HostTensor => ({
  shape,
  data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.fround(first + i / 7)),
});

function tree(specs: readonly TensorSpec[], first: number): HostParams {
  const params: Record<string, Record<string, HostTensor>> = {};
  specs.forEach(({ node, name, shape }, i) => {
    params[node] = { ...params[node], [name]: filled(shape, first + i) };
  });
  return params;
}

export const checkpoint = {
  model,
  params: tree(paramSpecs(model), 1),
  stats: tree(statSpecs(model), -5),
  extra: {
    optimizer: {
      m: tree(paramSpecs(model), 100),
      v: tree(paramSpecs(model), 200),
      t: { shape: [], data: Int32Array.of(41) },
    },
  },
  metadata: { epoch: 3, config: { epsilon: 0.1, milestones: [8, 11], note: null } },
} satisfies Checkpoint;

/** From PyTorch's axis order to ours. Everything here goes one way: what a file says is brought into our layout. */
import { type Shape, sizeOf } from '@cert/core';
import type { Numbers } from './field.js';

/** The axes of a tensor in another order; axis i of the result is axis `order[i]` of `tensor`. */
export function permute({ shape, data }: Numbers, order: readonly number[]): Numbers {
  const to = order.map((axis) => shape[axis]!);
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const steps = order.map((axis) => strides[axis]!);
  const result = new Array<number>(data.length);
  const index = to.map(() => 0);
  for (let i = 0, from = 0; i < data.length; i++) {
    result[i] = data[from]!;
    for (let axis = to.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      if (++index[axis]! < to[axis]!) break;
      from -= steps[axis]! * to[axis]!;
      index[axis] = 0;
    }
  }
  return { shape: to, data: result };
}

/** [out, in, h, w] to [h, w, in, out]. */
export const convKernel = (weight: Numbers): Numbers => permute(weight, [2, 3, 1, 0]);

/** [out, in] to [in, out]. */
const denseKernel = (weight: Numbers): Numbers => permute(weight, [1, 0]);

/** The same numbers in another shape. */
const reshape = ({ data }: Numbers, shape: Shape): Numbers => ({ shape, data });

/**
 * How one example lies in memory. `image`: the axes of an image, channels last here and first in PyTorch. A vector that was
 * flattened from an image keeps that `image`, since the order of its elements differs; any other vector is the same for both.
 */
export interface Placement {
  /** [height, width, channels] */
  readonly image?: readonly [number, number, number];
  readonly flat: boolean;
}

/** [batch, ...] in PyTorch's order to ours. */
export function activation(tensor: Numbers, { image, flat }: Placement): Numbers {
  if (image === undefined) return tensor;
  const [h, w, c] = image;
  const batch = tensor.shape[0]!;
  const ours = permute(reshape(tensor, [batch, c, h, w]), [0, 2, 3, 1]);
  return flat ? reshape(ours, [batch, h * w * c]) : ours;
}

/** A vector with one entry for each feature of a placement: per channel for an image, per element for a flattened one. */
export function features(vector: Numbers, placement: Placement): Numbers {
  if (!placement.flat || placement.image === undefined) return vector;
  return reshape(activation(reshape(vector, [1, ...vector.shape]), placement), vector.shape);
}

/** A dense kernel [out, in] that reads a vector of the given placement, to [in, out]. */
export const denseKernelAfter = (weight: Numbers, placement: Placement): Numbers =>
  denseKernel(activation(weight, placement));

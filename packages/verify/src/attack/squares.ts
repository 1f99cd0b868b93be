import { type Rng, type Shape, sizeOf, type Tensor } from '@cert/core';

/** The Square attack in one norm: where a run starts, and what a query tries. */
export interface Squares {
  /** Numbers that describe a query. */
  readonly columns: number;
  /** Where a run starts, like the image; not yet in the perturbation set. */
  start(pixels: Float32Array, rng: Rng): Float32Array;
  /** Describes a query whose squares cover a share of the image. */
  query(share: number, rng: Rng): readonly number[];
  /** The points that queries try, [batch, ...inputShape]; not yet in the perturbation set. A pure function that reads no value. */
  tried(input: {
    readonly images: Tensor;
    /** The best points so far, like the images. */
    readonly from: Tensor;
    /** The numbers of each query, [batch, columns]. */
    readonly queries: Tensor;
    /** The radius, in the units of the images. */
    readonly epsilon: Tensor;
  }): Tensor;
}

/** Rows, columns and channels of an input; of inputs that are no images, one column. */
export const imageShape = (shape: Shape): readonly [number, number, number] =>
  shape.length === 3 ? [shape[0]!, shape[1]!, shape[2]!] : [sizeOf(shape), 1, 1];

/** Returns the height and width of a square that covers a share of an image; of one column, the part of it. */
export function squareSize(
  share: number,
  [rows, columns]: readonly [number, number, ...unknown[]],
  least = 1,
): readonly [number, number] {
  if (columns === 1) return [Math.min(rows, Math.max(least, Math.round(share * rows))), 1];
  const side = Math.max(least, Math.round(Math.sqrt(share * rows * columns)));
  return [Math.min(side, rows), Math.min(side, columns)];
}

/** -1 or 1. */
export const randomSign = (rng: Rng): number => (rng.uniform() < 0.5 ? -1 : 1);

import type { NodeOf, Shape } from '@cert/core';

/** Which inputs the sums of a convolution or dense layer read. */
export interface Gather {
  /** Terms of a sum, without the bias; in the order of the kernel's rows. */
  readonly count: number;
  /** Groups of channels, each with sums of its own. */
  readonly groups: number;
  /** The index of each term in the input, [positions, groups, count]; the size of the input stands for padding. */
  readonly gather: Int32Array;
}

/** @param input the shape that the node reads */
export function gatherIndices(node: NodeOf<'conv2d'> | NodeOf<'dense'>, input: Shape): Gather {
  if (node.op === 'dense') {
    const count = node.params.kernel[0]!;
    return { count, groups: 1, gather: Int32Array.from({ length: count }, (_, i) => i) };
  }
  const [size, , perGroup] = node.params.kernel as readonly [number, number, number, number];
  const { stride, padding, groups } = node.attrs;
  const channels = perGroup * groups;
  const [height, width] = node.shape as readonly [number, number, number];
  const [inHeight, inWidth] = input as readonly [number, number, number];
  const gather: number[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let g = 0; g < groups; g++) {
        for (let ky = 0; ky < size; ky++) {
          for (let kx = 0; kx < size; kx++) {
            const [row, column] = [y * stride + ky - padding, x * stride + kx - padding];
            const inside = row >= 0 && row < inHeight && column >= 0 && column < inWidth;
            for (let c = 0; c < perGroup; c++) {
              const at = (row * inWidth + column) * channels + g * perGroup + c;
              gather.push(inside ? at : inHeight * inWidth * channels);
            }
          }
        }
      }
    }
  }
  return { count: size * size * perGroup, groups, gather: Int32Array.from(gather) };
}

/** The pixels of every window of a pooling, row-major. */
export function windowsOf(node: NodeOf<'avgPool'> | NodeOf<'globalAvgPool'>, input: Shape): Int32Array[] {
  const [height, width] = input as readonly [number, number, number];
  if (node.op === 'globalAvgPool') return [Int32Array.from({ length: height * width }, (_, i) => i)];
  const { size } = node.attrs;
  const [rows, columns] = node.shape as readonly [number, number, number];
  return Array.from({ length: rows * columns }, (_, w) => {
    const [y, x] = [Math.floor(w / columns) * size, (w % columns) * size];
    return Int32Array.from({ length: size * size }, (_, i) => (y + Math.floor(i / size)) * width + x + (i % size));
  });
}

import { type NodeOf, type Shape, windowOf } from '@cert/core';

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
  const [kernelHeight, kernelWidth, perGroup] = node.params.kernel as readonly [number, number, number, number];
  const { groups } = node.attrs;
  const { stride, padding, dilation } = windowOf(node);
  const channels = perGroup * groups;
  const [height, width] = node.shape as readonly [number, number, number];
  const [inHeight, inWidth] = input as readonly [number, number, number];
  const gather: number[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let g = 0; g < groups; g++) {
        for (let ky = 0; ky < kernelHeight; ky++) {
          for (let kx = 0; kx < kernelWidth; kx++) {
            const row = y * stride[0] + ky * dilation[0] - padding[0];
            const column = x * stride[1] + kx * dilation[1] - padding[2];
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
  return { count: kernelHeight * kernelWidth * perGroup, groups, gather: Int32Array.from(gather) };
}

/** A window of a pooling. */
export interface PoolWindow {
  /** The pixels of the image that it sees, row-major; padded places left out. */
  readonly pixels: Int32Array;
  /** What a mean divides by: how many they are, or the places of the window where padding counts. */
  readonly count: number;
  /** The places of the window, padded ones included. */
  readonly places: number;
}

/** The windows of a pooling, row-major. @param input the shape that the node reads */
export function windowsOf(
  node: NodeOf<'avgPool'> | NodeOf<'globalAvgPool'> | NodeOf<'maxPool'>,
  input: Shape,
): PoolWindow[] {
  const [height, width] = input as readonly [number, number, number];
  if (node.op === 'globalAvgPool') {
    const count = height * width;
    return [{ pixels: Int32Array.from({ length: count }, (_, i) => i), count, places: count }];
  }
  const { size, stride, padding } = windowOf(node);
  const [rows, columns] = node.shape as readonly [number, number, number];
  const places = size[0] * size[1];
  return Array.from({ length: rows * columns }, (_, w) => {
    const y = Math.floor(w / columns) * stride[0] - padding[0];
    const x = (w % columns) * stride[1] - padding[2];
    const pixels: number[] = [];
    for (let row = Math.max(0, y); row < Math.min(height, y + size[0]); row++) {
      for (let column = Math.max(0, x); column < Math.min(width, x + size[1]); column++) {
        pixels.push(row * width + column);
      }
    }
    const count = node.op === 'avgPool' && node.attrs.countPadding === true ? places : pixels.length;
    return { pixels: Int32Array.from(pixels), count, places };
  });
}

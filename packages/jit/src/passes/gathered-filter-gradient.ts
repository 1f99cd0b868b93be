import type { Builder } from '../graph/builder.js';
import type { Value, ValueOf } from '../graph/ir.js';
import type { Rule } from '../graph/rewrite.js';

/**
 * The gradient of a convolution's filter for a GPU, where each op costs the time to start it: all pixels that the filter's elements saw
 * are gathered in one op, and multiplied with dy in one more.
 *
 * The product is over images and pixels, far more numbers than the filter has. Its sums are therefore cut into `parts`, which the GPU
 * computes side by side, and added at the end.
 */
export const gatheredFilterGradient: Rule = (build, value) => {
  if (value.op !== 'convFilterGrad' || value.attrs.groups !== 1) return undefined;
  const [x, dy] = value.inputs as [Value, Value];
  const [filters, channels, kh, kw] = value.shape as [number, number, number, number];
  const [n, , oh, ow] = dy.shape as [number, number, number, number];
  const pixels = oh * ow;
  const parts = partsOf(n);
  const images = n / parts;
  const split = build.transpose(build.reshape(dy, [parts, images, filters, pixels]), [0, 2, 1, 3]);
  const gradient = build.reshape(split, [parts, filters, images * pixels]);
  const { pads } = value.attrs;
  const padded = build.pad(x, [0, 0, pads[0], pads[1]], [0, 0, pads[2], pads[3]]);
  const [height, width] = padded.shape.slice(2) as [number, number];
  const rows = build.reshape(build.transpose(padded, [0, 2, 3, 1]), [n, height * width, channels]);

  const places = placesSeen(value, width);
  const atOnce = Math.max(1, Math.floor(LARGEST / (n * pixels * channels)));
  const products: Value[] = [];
  for (let tap = 0; tap < places.length; tap += atOnce) {
    const windows = gatherWindows(build, rows, places.slice(tap, tap + atOnce));
    const columns = windows.shape[2]! * channels;
    const product = build.matmul(gradient, build.reshape(windows, [parts, images * pixels, columns]));
    products.push(build.reduce('sum', product, [0]));
  }
  const taps = build.reshape(build.concat(products, 1), [filters, kh * kw, channels]);
  return build.reshape(build.transpose(taps, [0, 2, 1]), value.shape);
};

/** Numbers that are gathered at once: every WebGPU adapter binds 128 MiB. */
const LARGEST = 2 ** 25;

/** The largest divisor of n below 32: from 32 numbers on, ONNX Runtime's sum over the first axis turns its operand around first. */
export function partsOf(n: number): number {
  let parts = Math.min(n, 31);
  while (n % parts !== 0) parts--;
  return parts;
}

/** For each filter element, row by row: the place in a padded image of the given width that it saw for each pixel of dy. */
function placesSeen({ attrs, inputs, shape }: ValueOf<'convFilterGrad'>, width: number): number[][] {
  const { strides, dilations } = attrs;
  const [, , kh, kw] = shape as [number, number, number, number];
  const [, , oh, ow] = inputs[1]!.shape as [number, number, number, number];
  return Array.from({ length: kh * kw }, (_, tap) => {
    const [top, left] = [Math.floor(tap / kw) * dilations[0], (tap % kw) * dilations[1]];
    return Array.from(
      { length: oh * ow },
      (_, p) => (Math.floor(p / ow) * strides[0] + top) * width + (p % ow) * strides[1] + left,
    );
  });
}

/** From images [n, places, channels] to [n, pixels, taps, channels]. */
function gatherWindows(build: Builder, rows: Value, places: readonly number[][]): Value {
  const pixels = places[0]!.length;
  const indices = new Int32Array(pixels * places.length);
  for (const [tap, seen] of places.entries()) {
    for (const [p, place] of seen.entries()) indices[p * places.length + tap] = place;
  }
  return build.gather(rows, build.const(indices, [pixels, places.length], 'int32'), 1);
}

import type { Builder } from '../../graph/builder.js';
import type { Value, ValueOf } from '../../graph/ir.js';
import type { Rule } from '../../graph/rewrite.js';
import { divisorUpTo, SHORT_SUM } from './limits.js';

/**
 * The gradient of a convolution's filter for a GPU, where each op costs the time to start it. One op gathers all pixels that the filter's
 * elements saw, and one more multiplies them with dy.
 *
 * The product is over images and pixels, far more numbers than the filter has. Its sums are therefore cut into `parts`, which the GPU
 * computes side by side, and added at the end.
 *
 * @param largest how many numbers may be gathered at once; default: 128 MiB, which every WebGPU adapter binds
 */
export const gatheredFilterGradient =
  (largest = 2 ** 25): Rule =>
  (build, value) => {
    if (value.op !== 'convFilterGrad' || value.attrs.groups !== 1) return undefined;
    const [x, dy] = value.inputs as [Value, Value];
    const [filters, channels, kh, kw] = value.shape as [number, number, number, number];
    const [n, , oh, ow] = dy.shape as [number, number, number, number];
    if (n === 0) return undefined;
    const pixels = oh * ow;
    const parts = divisorUpTo(n, SHORT_SUM - 1);
    const images = n / parts;
    const split = build.transpose(build.reshape(dy, [parts, images, filters, pixels]), [0, 2, 1, 3]);
    const gradient = build.reshape(split, [parts, filters, images * pixels]);
    const [height, width] = x.shape.slice(2) as [number, number];
    const seen = build.reshape(build.transpose(x, [0, 2, 3, 1]), [n, height * width, channels]);
    // What lies outside the image is one row of zeros behind it.
    const zeros = build.const(new Float32Array(n * channels), [n, 1, channels], 'float32');
    const rows = value.attrs.pads.some((pad) => pad > 0) ? build.concat([seen, zeros], 1) : seen;

    const places = placesSeen(value);
    const atOnce = Math.max(1, Math.floor(largest / (n * pixels * channels)));
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

/** For each filter element, row by row: the place in the image that it saw for each pixel of dy, the number of places if outside. */
function placesSeen({ attrs, inputs, shape }: ValueOf<'convFilterGrad'>): number[][] {
  const { strides, pads, dilations } = attrs;
  const [, , kh, kw] = shape as [number, number, number, number];
  const [, , height, width] = inputs[0]!.shape as [number, number, number, number];
  const [, , oh, ow] = inputs[1]!.shape as [number, number, number, number];
  return Array.from({ length: kh * kw }, (_, tap) => {
    const [down, right] = [Math.floor(tap / kw) * dilations[0] - pads[0], (tap % kw) * dilations[1] - pads[1]];
    return Array.from({ length: oh * ow }, (_, p) => {
      const [row, column] = [Math.floor(p / ow) * strides[0] + down, (p % ow) * strides[1] + right];
      const inside = row >= 0 && row < height && column >= 0 && column < width;
      return inside ? row * width + column : height * width;
    });
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

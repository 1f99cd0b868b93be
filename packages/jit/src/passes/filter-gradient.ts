import type { Builder } from '../graph/builder.js';
import type { Value, ValueOf } from '../graph/ir.js';
import type { Rule } from '../graph/rewrite.js';

/**
 * The gradient of a convolution's filter as matrix products: for each filter element the pixels of x that it saw, times dy.
 * ONNX has no such op. One product per filter element beats gathering all windows first, except for very few channels.
 */
export const filterGradient: Rule = (build, value) => {
  if (value.op !== 'convFilterGrad') return undefined;
  const [filters, channels, kh, kw] = value.shape as [number, number, number, number];
  const taps = value.attrs.groups === 1 && channels * kh * kw <= FEW ? [windows(build, value)] : slices(build, value);
  const dy = value.inputs[1]!;
  const [n, pixels] = [dy.shape[0]!, dy.shape[2]! * dy.shape[3]!];
  const { groups } = value.attrs;
  const gradient = build.reshape(dy, [n, groups, filters / groups, pixels]);
  // Each is [groups, filters / groups, channels], or that times kh * kw when gathered.
  const products = taps.map((x) => build.reduce('sum', build.matmul(gradient, x, false, true), [0]));
  const side = products.map((product) => build.reshape(product, [filters, product.shape[2]! / channels, channels]));
  return build.reshape(build.transpose(build.concat(side, 1), [0, 2, 1]), value.shape);
};

/** Up to this many numbers per window, they are gathered: a product with so few columns wastes its kernel. */
export const FEW = 32;

/** All windows of x at once, [n, 1, kh * kw * channels, pixels of dy]: a convolution whose filters each pick one number. */
export function windows(build: Builder, { attrs, inputs, shape }: ValueOf<'convFilterGrad'>): Value {
  const [, channels, kh, kw] = shape as [number, number, number, number];
  const count = kh * kw * channels;
  const pick = new Float32Array(count * count);
  for (let tap = 0; tap < kh * kw; tap++) {
    for (let c = 0; c < channels; c++) pick[(tap * channels + c) * count + c * kh * kw + tap] = 1;
  }
  const seen = build.conv(inputs[0]!, build.const(pick, [count, channels, kh, kw], 'float32'), attrs);
  return build.reshape(seen, [seen.shape[0]!, 1, count, seen.shape[2]! * seen.shape[3]!]);
}

/** For each filter element, row by row, the pixels of x under it: [n, groups, channels, pixels of dy]. */
function slices(build: Builder, { attrs, inputs, shape }: ValueOf<'convFilterGrad'>): Value[] {
  const [x, dy] = inputs as [Value, Value];
  const { strides, pads, dilations, groups } = attrs;
  const [, channels, kh, kw] = shape as [number, number, number, number];
  const [n, , oh, ow] = dy.shape as [number, number, number, number];
  const padded = build.pad(x, [0, 0, pads[0], pads[1]], [0, 0, pads[2], pads[3]]);
  return Array.from({ length: kh * kw }, (_, k) => {
    const [top, left] = [Math.floor(k / kw) * dilations[0], (k % kw) * dilations[1]];
    const end = [n, x.shape[1]!, top + (oh - 1) * strides[0] + 1, left + (ow - 1) * strides[1] + 1];
    const window = build.slice(padded, [0, 0, top, left], end, [1, 1, ...strides]);
    return build.reshape(window, [n, groups, channels, oh * ow]);
  });
}

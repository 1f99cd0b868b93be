import { type Builder, type Rule, sizeOf, type Value, type ValueOf } from '../ir.js';

/**
 * The gradient of a convolution's filter as one matrix product: the windows of x that each filter element saw, times dy.
 * ONNX has no such op.
 */
export const filterGradient: Rule = (build, value) =>
  value.op === 'convFilterGrad' ? windowsTimesGradient(build, value) : undefined;

function windowsTimesGradient(build: Builder, { attrs, inputs, shape }: ValueOf<'convFilterGrad'>): Value {
  const [x, dy] = inputs as [Value, Value];
  const { strides, pads, dilations, groups } = attrs;
  const [filters, channels, kh, kw] = shape as [number, number, number, number];
  const [n, , oh, ow] = dy.shape as [number, number, number, number];
  const padded = build.pad(x, [0, 0, pads[0], pads[1]], [0, 0, pads[2], pads[3]]);
  // [n, groups, c, oh * ow] per filter element
  const taps: Value[] = [];
  for (let i = 0; i < kh; i++) {
    for (let j = 0; j < kw; j++) {
      const [top, left] = [i * dilations[0], j * dilations[1]];
      const window = build.slice(
        padded,
        [0, 0, top, left],
        [n, x.shape[1]!, top + (oh - 1) * strides[0] + 1, left + (ow - 1) * strides[1] + 1],
        [1, 1, ...strides],
      );
      taps.push(build.reshape(window, [n, groups, channels, oh * ow]));
    }
  }
  const columns = build.concat(taps, 2);
  const gradient = build.reshape(dy, [n, groups, filters / groups, oh * ow]);
  const products = build.reduce('sum', build.matmul(gradient, columns, false, true), [0]);
  // [groups, filters / groups, kh * kw * c] to [filters, c, kh, kw]
  const apart = build.reshape(products, [filters, kh, kw, channels]);
  if (sizeOf(apart.shape) !== sizeOf(shape)) throw new Error('filter gradient: sizes do not match');
  return build.transpose(apart, [0, 3, 1, 2]);
}

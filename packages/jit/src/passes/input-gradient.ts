import type { Builder } from '../graph/builder.js';
import type { Geometry, Value, ValueOf } from '../graph/ir.js';
import type { Rule } from '../graph/rewrite.js';
import { flip } from '../lower/movement.js';

/**
 * The gradient of a stride-1 convolution's input as a convolution with the flipped filter: ONNX Runtime's ConvTranspose is slow.
 */
export const inputGradient: Rule = (build, value) => {
  if (value.op !== 'convInputGrad') return undefined;
  const { strides, pads, dilations, groups } = value.attrs;
  if (strides[0] !== 1 || strides[1] !== 1 || groups !== 1) return undefined;
  return flipped(build, value, { strides, pads, dilations, groups });
};

function flipped(build: Builder, { inputs, shape }: ValueOf<'convInputGrad'>, geometry: Geometry): Value | undefined {
  const [dy, w] = inputs as [Value, Value];
  const { dilations, pads } = geometry;
  const reach = [dilations[0] * (w.shape[2]! - 1), dilations[1] * (w.shape[3]! - 1)] as const;
  const [top, left] = [reach[0] - pads[0], reach[1] - pads[1]];
  if (top < 0 || left < 0) return undefined;
  const bottom = shape[2]! - (dy.shape[2]! + top - reach[0]);
  const right = shape[3]! - (dy.shape[3]! + left - reach[1]);
  if (bottom < 0 || right < 0) return undefined;
  const mirrored = flip(build, flip(build, build.transpose(w, [1, 0, 2, 3]), 2), 3);
  return build.conv(dy, mirrored, { ...geometry, pads: [top, left, bottom, right] });
}

import { INPUT, sizeOf } from '@cert/core';
import type { Ball } from '../box.js';
import type { HostNetwork } from '../network.js';

interface CenterRadius {
  readonly center: Float32Array;
  readonly radius: Float32Array;
}

/**
 * A sketch of interval arithmetic in float32 that rounds to nearest, in center and radius, for chains of dense layers, batch normalizations,
 * affine maps and ReLU with two classes: what searches for networks are guided by. Whether a verifier is fooled is measured, not taken
 * from here.
 *
 * @returns a computed lower bound of the margin of class 0; sums of products are rounded once, as by TensorFlow.js
 */
export function nearestLowerMargin(
  { model, params, stats }: HostNetwork,
  { image, epsilon, range }: Ball,
  radiusOf: (epsilon: number) => number = Math.fround,
): number {
  const f = Math.fround;
  const reach = radiusOf(epsilon);
  const [down, up] = [0, 1].map((side) =>
    image.map((x) => (range === null ? reach : Math.min(f(side === 0 ? x - range.min : range.max - x), reach))),
  ) as [Float32Array, Float32Array];
  const at = new Map<string, CenterRadius>([
    [
      INPUT,
      {
        center: image.map((x, i) => f(x + f(f(up[i]! - down[i]!) / 2))),
        radius: image.map((_, i) => f(f(up[i]! + down[i]!) / 2)),
      },
    ],
  ]);
  const last = model.nodes.at(-1)!;
  for (const node of model.nodes) {
    const { center, radius } = at.get(node.inputs[0]!)!;
    const own = params[node.name]!;
    const each = (g: (i: number) => readonly [number, number]): CenterRadius => {
      const made = Array.from({ length: sizeOf(node.shape) }, (_, i) => g(i));
      return { center: Float32Array.from(made, ([c]) => c), radius: Float32Array.from(made, ([, r]) => r) };
    };
    if (node.op === 'dense') {
      const [kernel, bias] = [own.kernel!.data, own.bias!.data];
      const units = node.shape[0]!;
      // The last layer with the row of the margin in one.
      const fused = node === last;
      const weight = (k: number, i: number) =>
        fused ? f(kernel[k * 2]! - kernel[k * 2 + 1]!) : kernel[k * units + i]!;
      const shift = (i: number) => (fused ? f(bias[0]! - bias[1]!) : bias[i]!);
      const made = each((i) => {
        const c = f(center.reduce((sum, x, k) => sum + x * weight(k, i), 0));
        const r = f(radius.reduce((sum, x, k) => sum + x * Math.abs(weight(k, i)), 0));
        return [f(c + shift(i)), r];
      });
      if (fused) return f(made.center[0]! - made.radius[0]!);
      at.set(node.name, made);
    } else if (node.op === 'batchNorm') {
      const { mean, variance } = stats[node.name]!;
      at.set(
        node.name,
        each((i) => {
          const c = i % mean!.data.length;
          const scale = f(own.gamma!.data[c]! / f(Math.sqrt(f(variance!.data[c]! + f(node.attrs.epsilon)))));
          const shift = f(own.beta!.data[c]! - f(mean!.data[c]! * scale));
          return [f(f(center[i]! * scale) + shift), f(radius[i]! * Math.abs(scale))];
        }),
      );
    } else if (node.op === 'affine') {
      const { scale, shift } = node.attrs;
      at.set(
        node.name,
        each((i) => {
          const c = i % scale.length;
          return [f(f(center[i]! * f(scale[c]!)) + f(shift[c]!)), f(radius[i]! * f(Math.abs(scale[c]!)))];
        }),
      );
    } else if (node.op === 'relu') {
      at.set(
        node.name,
        each((i) => {
          const upper = Math.max(f(center[i]! + radius[i]!), 0);
          const r = Math.min(f(upper / 2), radius[i]!);
          return [f(upper - r), r];
        }),
      );
    } else {
      return Number.NaN;
    }
  }
  return Number.NaN;
}

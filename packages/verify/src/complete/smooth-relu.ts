import { extend, type RuleTable } from '@cert/bounds';
import { INPUT, type Model, type Rng, type Scalar, type Tensor, tf } from '@cert/core';
import type { Device, OnDevice } from '@cert/jit';

/** How the ReLUs of a network are smoothed, for a batch of points. */
export type Smoothing = {
  /** By ReLU: how sharp its softplus is at each point, relative to the others, [points, 1, ...]. */
  readonly scales: { readonly [node: string]: Tensor };
  /** By ReLU: what is added to its input before the softplus, in units of its width, [points, ...shape]. */
  readonly shifts: { readonly [node: string]: Tensor };
};

/** Scalars of one step: how sharp a softplus is, and which share of the shifts is left. */
export type SmoothingRates = { readonly sharpness: Scalar; readonly fade: Scalar };

/** Sharpness in the beginning and at the end of the smoothed part: the mean magnitude of the inputs of a layer in widths of its softplus. */
const [FIRST, LAST] = [10, 300];
/** The share of the steps with smoothed ReLUs. */
const SHARE = 0.8;
/** So sharp that the slopes are those of the ReLU. */
const EXACT = 1e6;
/** Standard deviations of the logarithms of the scales, and of the shifts. */
const [SPREAD, SHIFT] = [1, 2];

/** The scalars of a step; `done`: the share of the steps that were taken. */
export const smoothingAt = (done: number): { readonly [K in keyof SmoothingRates]: number } => ({
  sharpness: done < SHARE ? FIRST * (LAST / FIRST) ** (done / SHARE) : EXACT,
  fade: 1 - done,
});

/** Random smoothings for some points; those of the others leave the ReLUs as they are. The caller disposes the arrays. */
export function drawSmoothing(
  device: Device,
  { nodes }: Model,
  rng: Rng,
  smooth: readonly boolean[],
): OnDevice<Smoothing> {
  const relus = nodes.filter(({ op }) => op === 'relu');
  const scales = relus.map(({ name, shape }) => {
    const values = Float32Array.from(smooth, (yes) => (yes ? Math.exp(SPREAD * rng.normal()) : EXACT));
    return [name, device.put(values, [smooth.length, ...shape.map(() => 1)])];
  });
  const shifts = relus.map(({ name, shape }) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const values = new Float32Array(smooth.length * size);
    smooth.forEach((yes, k) => {
      for (let i = k * size; yes && i < (k + 1) * size; i++) values[i] = SHIFT * rng.normal();
    });
    return [name, device.put(values, [smooth.length, ...shape])];
  });
  return { scales: Object.fromEntries(scales), shifts: Object.fromEntries(shifts) };
}

/**
 * Rules of the plain pass with softplus(k x + shift) / k for each ReLU. A ReLU whose input is negative has no gradient, so that a network in which
 * few neurons of a layer are active shows no way to a violation where others are; a softplus does.
 *
 * @param at the values at all nodes of the network itself, which k is relative to
 */
export function smoothRules(
  natural: RuleTable<Tensor>,
  at: { readonly [node: string]: Tensor },
  { scales, shifts }: Smoothing,
  { sharpness, fade }: SmoothingRates,
): RuleTable<Tensor> {
  return extend(natural, {
    relu(node, _params, _context, x) {
      const magnitude = tf.maximum(tf.mean(tf.abs(at[node.inputs[0] ?? INPUT]!)), 1e-12);
      const k = tf.mul(scales[node.name]!, tf.div(sharpness, magnitude));
      return tf.div(tf.softplus(tf.add(tf.mul(k, x), tf.mul(shifts[node.name]!, fade))), k);
    },
  });
}

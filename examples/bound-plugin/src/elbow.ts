import type { CenterRadius, OpRules } from '@cert/bounds';
import { type Layer, mask, type Tensor, tf } from '@cert/core';

declare module '@cert/core' {
  interface OpMap {
    /** max(x, slope * x), 0 < slope < 1. */
    elbow: { attrs: { readonly slope: number }; params: never; stats: never };
  }
}

/** A layer max(x, slope * x). */
export const elbow = (slope = 0.1): Layer<'elbow'> => ({
  op: 'elbow',
  attrs: { slope },
  infer: (shape) =>
    slope > 0 && slope < 1 ? { shape, params: {}, stats: {} } : `its slope is ${slope}, not in (0, 1)`,
});

/** The rules of `elbow` for the plain pass, IBP and CROWN. */
export const elbowRules: OpRules<'elbow'> = {
  natural: ({ attrs }, _params, _context, x) => tf.leakyRelu(x, attrs.slope),
  ibp: ({ attrs }, _params, _context, x) => elbowInterval(x, attrs.slope),
  // On [l, u] the op is convex: it lies below its chord, and above every line through 0 with a slope between `slope` and 1.
  lines({ attrs: { slope } }, _params, { lower, upper }) {
    const [above, below] = [tf.relu(upper), tf.relu(tf.neg(lower))];
    // The share of [l, u] above 0, 1 or 0 where the sign is known; a point has none, and takes the side that it lies on.
    const width = tf.add(above, below);
    const share = tf.div(tf.add(above, tf.relu(tf.sub(NARROWEST, width))), tf.maximum(width, NARROWEST));
    const between = (part: Tensor) => tf.add(slope, tf.mul(part, 1 - slope));
    const chord = between(share);
    return {
      lowerSlope: between(mask(() => tf.greater(share, 0.5))),
      upperSlope: chord,
      // At l < 0 the chord has the value slope * l. The difference chord - slope would lose small shares to rounding.
      upperIntercept: tf.mul(tf.mul(share, 1 - slope), below),
      // Every slope from the first to the second is valid: alpha-CROWN chooses.
      family: [
        { slope: between(mask(() => tf.greaterEqual(lower, 0))) },
        { slope: between(mask(() => tf.logicalOr(tf.greater(upper, 0), tf.greaterEqual(lower, 0)))) },
      ],
    };
  },
};

/** Increasing in x: the ends of the interval go to the ends. */
export function elbowInterval({ center, radius }: CenterRadius, slope: number): CenterRadius {
  const [lower, upper] = [tf.leakyRelu(tf.sub(center, radius), slope), tf.leakyRelu(tf.add(center, radius), slope)];
  return { center: tf.mul(tf.add(lower, upper), 0.5), radius: tf.mul(tf.sub(upper, lower), 0.5) };
}

/** Narrower intervals count as so wide: a line through two points that coincide has no slope. */
const NARROWEST = 1e-8;

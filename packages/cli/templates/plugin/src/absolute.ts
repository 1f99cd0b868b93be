import type { OpRules } from '@cert/bounds';
import { type Layer, tf } from '@cert/core';

// Every table of rules, and every node of a model, knows the op from here on.
declare module '@cert/core' {
  interface OpMap {
    /** |x|. */
    absolute: { attrs: object; params: never; stats: never };
  }
}

/** A layer |x|. */
export const absolute = (): Layer<'absolute'> => ({
  op: 'absolute',
  attrs: {},
  infer: (shape) => ({ shape, params: {}, stats: {} }),
});

/** The rules of |x| for the plain pass, IBP and CROWN. */
export const absoluteRules: OpRules<'absolute'> = {
  natural: (_node, _params, _context, x) => tf.abs(x),

  // On [lower, upper] the least |x| is 0 where the sign changes, and the largest is at one of the ends.
  ibp(_node, _params, _context, { center, radius }) {
    const [lower, upper] = [tf.sub(center, radius), tf.add(center, radius)];
    const least = tf.add(tf.relu(lower), tf.relu(tf.neg(upper)));
    const most = tf.maximum(tf.neg(lower), upper);
    return { center: tf.mul(tf.add(least, most), 0.5), radius: tf.mul(tf.sub(most, least), 0.5) };
  },

  // |x| lies below its chord, and above the line through 0 with the chord's slope.
  lines(_node, _params, { lower, upper }) {
    const width = tf.maximum(tf.sub(upper, lower), 1e-8);
    const slope = tf.maximum(tf.minimum(tf.div(tf.add(lower, upper), width), 1), -1);
    // Where the sign changes, every slope from -1 to 1 is valid below: alpha-CROWN chooses. Else both ends are the slope of |x|.
    const [least, most] = [tf.sub(tf.mul(tf.step(lower), 2), 1), tf.sub(1, tf.mul(tf.step(tf.neg(upper)), 2))];
    // Of the chord at 0. The difference upper - slope * upper would lose digits where one end is much larger than the other.
    const intercept = tf.mul(tf.mul(tf.relu(tf.neg(lower)), tf.div(tf.relu(upper), width)), 2);
    return {
      ...{ lowerSlope: slope, upperSlope: slope, upperIntercept: intercept },
      family: [{ slope: least }, { slope: most }],
    };
  },
};

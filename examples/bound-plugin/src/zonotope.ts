import { boundMethod, type CenterRadius, type ForwardRules, ibp, natural } from '@cert/bounds';
import {
  type BoundMethod,
  centerOf,
  fromCenterRadius,
  INPUT,
  mask,
  radiusOf,
  sizeOf,
  type Tensor,
  type Tensor3D,
  tf,
} from '@cert/core';
import { elbowInterval } from './elbow.js';

/**
 * A hybrid zonotope (Mirman, Gehr and Vechev 2018): the values center + sum_i e_i * generator_i + b with every e_i in [-1, 1] and
 * |b| <= radius elementwise. The e_i are the same ones at every node, so that what depends on one can cancel; b is a box of which
 * nothing is known.
 */
export interface Zonotope extends CenterRadius {
  readonly generators?: Generators;
}

interface Generators {
  /** [count * batch, ...shape]: one after the other, so that every rule for images takes them. */
  readonly values: Tensor;
  readonly count: number;
  /** The node whose elements the e_i stand for. */
  readonly origin: string;
}

/** The box of a zonotope. */
const boxOf = ({ center, radius, generators }: Zonotope): CenterRadius =>
  generators ? { center, radius: tf.add(radius, reach(generators)) } : { center, radius };

/** sum_i |generator_i|: [batch, ...shape]. */
function reach({ values, count }: Generators): Tensor {
  const [rows, ...shape] = values.shape;
  return tf.sum(tf.reshape(tf.abs(values), [count, rows! / count, ...shape]), 0);
}

/** A factor [batch, ...shape] times every generator. */
function scaled(generators: Generators, factor: Tensor): Generators {
  const { values, count } = generators;
  const each = tf.mul(tf.reshape(values, [count, ...factor.shape]), factor);
  return { ...generators, values: tf.reshape(each, values.shape) };
}

/** A box as a zonotope: with a generator for each of its elements when there are at most `most`. Both hold the same values. */
function fromBox({ center, radius }: CenterRadius, origin: string, most: number): Zonotope {
  const [batch, ...shape] = center.shape as [number, ...number[]];
  const count = sizeOf(shape);
  if (count > most) return { center, radius };
  const each = tf.mul(tf.reshape(tf.eye(count), [count, 1, count]), tf.reshape(radius, [batch, count]));
  return {
    center,
    radius: tf.zerosLike(radius),
    generators: { values: tf.reshape(each, [count * batch, ...shape]), count, origin },
  };
}

/**
 * An activation that is linear on either side of 0. Where the sign is known it scales center, generators and radius; where it is not,
 * the neuron becomes the box that IBP would make of it. So no bound is ever looser than that of IBP.
 *
 * @param after what IBP makes of the box of x
 */
function activation(x: Zonotope, after: CenterRadius, slope: number): Zonotope {
  if (x.generators === undefined) return after;
  const { center, radius } = boxOf(x);
  const active = mask(() => tf.greater(center, radius));
  const inactive = mask(() => tf.less(tf.add(center, radius), 0));
  const factor = tf.add(active, tf.mul(inactive, slope));
  const unstable = tf.sub(1, tf.add(active, inactive));
  return {
    center: after.center,
    radius: tf.add(tf.mul(x.radius, factor), tf.mul(after.radius, unstable)),
    generators: scaled(x.generators, factor),
  };
}

/** The sum of two zonotopes. Generators of different origin have nothing in common: those of the second become part of its box. */
function sum(a: Zonotope, b: Zonotope): Zonotope {
  const [g, h] = [a.generators, b.generators];
  const center = tf.add(a.center, b.center);
  if (g && h && g.origin === h.origin) {
    return { center, radius: tf.add(a.radius, b.radius), generators: { ...g, values: tf.add(g.values, h.values) } };
  }
  const [kept, boxed] = g ? [a, b] : [b, a];
  const radius = tf.add(kept.radius, boxOf(boxed).radius);
  return kept.generators ? { center, radius, generators: kept.generators } : { center, radius };
}

/** IBP's own rules do the boxes, the plain pass's without their constants the generators. */
const { conv2d, dense, batchNorm, relu, flatten, globalAvgPool, avgPool, affine: shift } = ibp.rules;
const plain = natural.rules;

function rulesWith(most: number): ForwardRules<Zonotope> {
  /** An affine op: `box` is what IBP makes of center and radius; `linear`, the op without its constant, does the generators. */
  const affine = (
    { name }: { readonly name: string },
    { generators }: Zonotope,
    box: CenterRadius,
    linear: (x: Tensor) => Tensor,
  ): Zonotope =>
    generators
      ? { ...box, generators: { ...generators, values: linear(generators.values) } }
      : fromBox(box, name, most);
  return {
    conv2d: (node, { kernel, bias }, context, x) =>
      affine(node, x, conv2d!(node, { kernel, bias }, context, x), (g) =>
        plain.conv2d!(node, { kernel, bias: tf.zerosLike(bias) }, context, g),
      ),
    dense: (node, { kernel, bias }, context, x) =>
      affine(node, x, dense!(node, { kernel, bias }, context, x), (g) =>
        plain.dense!(node, { kernel, bias: tf.zerosLike(bias) }, context, g),
      ),
    batchNorm(node, { gamma, beta }, context, x) {
      const { mean, variance } = context.norm[node.name]!;
      const centered = { norm: { [node.name]: { mean: tf.zerosLike(mean), variance } } };
      return affine(node, x, batchNorm!(node, { gamma, beta }, context, x), (g) =>
        plain.batchNorm!(node, { gamma, beta: tf.zerosLike(beta) }, centered, g),
      );
    },
    relu: (node, params, context, x) => activation(x, relu!(node, params, context, boxOf(x)), 0),
    elbow: ({ attrs: { slope } }, _params, _context, x) => activation(x, elbowInterval(boxOf(x), slope), slope),
    add: (_node, _params, _context, a, b) => sum(a!, b!),
    flatten: (node, params, context, x) =>
      affine(node, x, flatten!(node, params, context, x), (g) => plain.flatten!(node, params, context, g)),
    globalAvgPool: (node, params, context, x) =>
      affine(node, x, globalAvgPool!(node, params, context, x), (g) => plain.globalAvgPool!(node, params, context, g)),
    avgPool: (node, params, context, x) =>
      affine(node, x, avgPool!(node, params, context, x), (g) => plain.avgPool!(node, params, context, g)),
    affine: (node, params, context, x) =>
      affine(node, x, shift!(node, params, context, x), (g) =>
        plain.affine!({ ...node, attrs: { ...node.attrs, shift: node.attrs.shift.map(() => 0) } }, params, context, g),
      ),
  };
}

/** Options of {@link zonotope}. */
export interface ZonotopeOptions {
  /** The largest number of generators; default 64. The first node with no more elements than this gets one for each of them. */
  readonly generators?: number;
}

/**
 * Bounds by hybrid zonotopes with a fixed number of generators: never looser than IBP, tighter where several affine layers or two
 * branches follow each other with neurons in between whose sign is known. Before a node has few enough elements it is IBP.
 */
export const zonotope = ({ generators = 64 }: ZonotopeOptions = {}): BoundMethod =>
  boundMethod<Zonotope>({
    name: 'zonotope',
    lift: (input) => fromBox({ center: centerOf(input), radius: radiusOf(input) }, INPUT, generators),
    rules: rulesWith(generators),
    concretize(x) {
      const { center, radius } = boxOf(x);
      return fromCenterRadius(center, radius);
    },
    specify(kernel, bias, x) {
      const box = ibp.specify(kernel, bias, x);
      if (x.generators === undefined) return box;
      // [batch, rows, in] times [batch, in, count].
      const { values, count, origin } = x.generators;
      const [batch, rows, size] = kernel.shape;
      const columns = tf.transpose(tf.reshape(values, [count, batch, size]), [1, 2, 0]) as Tensor3D;
      const each = tf.transpose(tf.matMul(kernel, columns), [2, 0, 1]);
      return { ...box, generators: { values: tf.reshape(each, [count * batch, rows]), count, origin } };
    },
  });

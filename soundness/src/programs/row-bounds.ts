import {
  type BackwardSetting,
  crownBounds,
  crownMargins,
  ibp,
  linearRelaxation,
  linesOf,
  lowerBound,
  naturalPass,
  toRows,
} from '@cert/bounds';
import { createRng, type Scalar, type Tensor, tf, toTensors } from '@cert/core';
import type { Ends } from './equations.js';
import type { MarginProblem } from './margin-program.js';

/** Lower bounds of one row in float32, and the bounds of hidden neurons that they stand on. */
export interface RowBounds {
  readonly ibp: number;
  /** CROWN with the usual slopes, hidden neurons bounded by intervals. */
  readonly crownIbp: number;
  /** CROWN with the usual slopes, hidden neurons bounded by the tighter of CROWN and intervals. */
  readonly crown: number;
  /** The same two with one slope below every unstable neuron. */
  readonly slopes: readonly { readonly slope: number; readonly crownIbp: number; readonly crown: number }[];
  /** The bounds of intervals, by node. */
  readonly loose: { readonly [node: string]: Ends };
  /** The tighter of CROWN's bounds and intervals, by node. */
  readonly tight: { readonly [node: string]: Ends };
}

const SLOPES = [0, 0.5, 1];

/** The bounds of a row by the methods of `@cert/bounds`. */
export function rowBounds(problem: MarginProblem): RowBounds {
  const bounds = tf.tidy(() => {
    const { network, box, spec } = onTensors(problem);
    const loose = ibp.bound({ network, box, spec });
    const tight = crownBounds({ network, box }, { intersect: true });
    const usual = (at: BackwardSetting['at']) => numberOf(crownMargins({ network, box, spec }, at));
    const withSlope = (at: BackwardSetting['at'], slope: number) => {
      const relus = network.model.nodes.filter(({ op }) => op === 'relu');
      const mixtures = Object.fromEntries(relus.map(({ name, shape }) => [name, tf.fill([1, 1, ...shape], slope)]));
      const setting = { network, box, at, mixtures, lines: linesOf(linearRelaxation, network, at) };
      return numberOf(lowerBound(linearRelaxation, setting, network.model.nodes.at(-1)!.name, toRows(spec.matrix)));
    };
    return {
      ...{ ibp: numberOf(loose.output.lower), crownIbp: usual(loose.at), crown: usual(tight) },
      slopes: SLOPES.map((slope) => ({
        ...{ slope, crownIbp: withSlope(loose.at, slope), crown: withSlope(tight, slope) },
      })),
      ...{ loose: endsOf(loose.at), tight: endsOf(tight) },
    };
  });
  return bounds;
}

/**
 * The smallest value of a row that is found: at random points, from which gradients lead on.
 *
 * @param near a point to begin at, too
 */
export function attackRow(problem: MarginProblem, near: ArrayLike<number>, { points = 32, steps = 30 } = {}): number {
  return tf.tidy(() => {
    const { network, box, spec } = onTensors(problem);
    const rng = createRng(0, 'attack');
    const size = near.length;
    const shares = Float32Array.from({ length: points * size }, rng.uniform);
    const [lower, upper] = [box.lower, box.upper];
    const width = tf.sub(upper, lower);
    const start = tf.tensor(Float32Array.from(near), lower.shape);
    const values = (x: Tensor) => tf.sum(tf.mul(naturalPass(network, x).output, tf.squeeze(spec.matrix, [1])), 1);
    const inside = (x: Tensor) => tf.minimum(tf.maximum(x, lower), upper);
    const random = tf.add(lower, tf.mul(tf.tensor(shares, [points, ...network.model.inputShape]), width));
    let x = inside(tf.concat([start, random]));
    let least = numberOf(tf.min(values(x)));
    const gradient = tf.grad((at: Tensor) => tf.sum(values(at)) as Scalar);
    for (let step = 0; step < steps; step++) {
      x = inside(tf.sub(x, tf.mul(tf.mul(width, 0.2 * 0.9 ** step), tf.sign(gradient(x)))));
      least = Math.min(least, numberOf(tf.min(values(x))));
    }
    return least;
  });
}

function onTensors({ network: { model, params }, box, row }: MarginProblem) {
  const shape = [1, ...model.inputShape];
  const ends = (data: ArrayLike<number>) => tf.tensor(Float32Array.from(data), shape);
  return {
    network: { model, params: toTensors(params) },
    box: { lower: ends(box.lower), upper: ends(box.upper) },
    spec: { matrix: tf.tensor3d(Float32Array.from(row), [1, 1, row.length]) },
  };
}

const numberOf = (x: Tensor): number => x.dataSync()[0]!;

const endsOf = (at: BackwardSetting['at']) =>
  Object.fromEntries(
    Object.entries(at).map(([name, { lower, upper }]) => [
      name,
      { lower: Float32Array.from(lower.dataSync()), upper: Float32Array.from(upper.dataSync()) },
    ]),
  );

import {
  type BoundMethod,
  type Bounds,
  INPUT,
  type IntervalTensor,
  type Problem,
  stopGradient,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  tf,
} from '@cert/core';
import type { BackwardSetting, BackwardTable } from './backward.js';
import { pieces, rowsWithin } from './chunks.js';
import { boundOutput, type LinearRelaxationOptions } from './crown-margins.js';
import { ibp } from './ibp.js';
import { linearRelaxation } from './linear-relaxation.js';
import { linesOf } from './lines.js';
import { boundNeurons, type Neurons, neuronsOf } from './neurons.js';
import { nonlinearInputs } from './nonlinear-inputs.js';

/** Options of {@link crown}. */
export interface CrownOptions extends LinearRelaxationOptions {
  /**
   * Whether to take the tighter bound of CROWN and the forward method, since CROWN can be looser on single neurons; default false: CROWN
   * only.
   */
  readonly intersect?: boolean;
}

/**
 * CROWN (Zhang et al. 2018): a separate backward pass bounds every node that a ReLU or a plug-in op reads, and a last one bounds the
 * specification. `at` has these bounds, and the bounds of the forward method at all other nodes. Much slower than CROWN-IBP: there is one
 * row for every neuron of the network, `chunk` at a time.
 *
 * @returns a method named `crown`; its `bound` throws CertError `missing-rule` for an op that is missing in either table
 */
export const crown = (options: CrownOptions = {}): BoundMethod => ({
  name: 'crown',
  bound(problem) {
    const at = crownBounds(problem, options);
    return { output: boundOutput(problem, at, options), at };
  },
});

/**
 * Returns the intermediate bounds of {@link crown}, without bounds of the specification.
 *
 * @returns bounds [batch, ...shape] by node, `input` included
 */
export function crownBounds(
  { network, box }: Pick<Problem, 'network' | 'box'>,
  { forward = ibp, backward = linearRelaxation, chunk, intersect = false }: CrownOptions = {},
): Bounds['at'] {
  const { model } = network;
  const at: { [node: string]: IntervalTensor } = { ...forward.bound({ network, box }).at };
  for (const name of nonlinearInputs(model)) {
    if (name === INPUT) continue;
    const setting = { network, box, at, lines: linesOf(backward, network, at) };
    const tight = boundAll(backward, setting, neuronsOf(backward, model, name), chunk);
    at[name] = intersect ? intersection(at[name]!, tight) : tight;
  }
  return at;
}

/** Bounds of all neurons of a node, some at a time. @returns both [batch, ...shape] */
function boundAll(
  table: BackwardTable,
  setting: BackwardSetting,
  neurons: Neurons,
  chunk: number | undefined,
): IntervalTensor {
  const { box, network } = setting;
  const batch = box.lower.shape[0]!;
  const { places, perPlace } = neurons;
  const { shape } = network.model.nodes.find(({ name }) => name === neurons.node)!;
  if (batch === 0) return { lower: tf.zeros([0, ...shape]), upper: tf.zeros([0, ...shape]) };
  const rows = chunk ?? rowsWithin(Math.max(...neurons.sizes.values()));
  // Where there is one place, all examples share the rows.
  const shared = places === 1;
  const together = shared ? batch : Math.max(1, Math.min(batch * places, Math.floor(rows / perPlace)));
  const parts = pieces(batch * places, together).map(({ from, to }) => {
    const here = shared ? setting : neurons.at(setting, placesFrom(from, to, places, shape[1] ?? 1));
    const few = pieces(perPlace, Math.max(1, Math.floor(rows / (to - from)))).map((piece) => {
      const count = piece.to - piece.from;
      const chosen = tf.add(tf.range(piece.from, piece.to, 1, 'int32'), notConstant(box)) as Tensor1D;
      return tf.split(boundNeurons(table, here, neurons, chosen, count), 2, 1);
    });
    return [0, 1].map((side) =>
      tf.concat(
        few.map((part) => part[side]!),
        1,
      ),
    );
  });
  const whole = (side: 0 | 1) => tf.reshape(tf.concat(parts.map((part) => part[side]!)), [batch, ...shape]);
  return { lower: whole(0), upper: tf.neg(whole(1)) };
}

/** Places `from` to `to` of a batch, [example, row, column] each. */
const placesFrom = (from: number, to: number, places: number, width: number): Tensor2D =>
  tf.tensor2d(
    Array.from({ length: to - from }, (_, i) => {
      const place = (from + i) % places;
      return [Math.floor((from + i) / places), Math.floor(place / width), place % width];
    }),
    [to - from, 3],
    'int32',
  );

/** What two boxes have in common: both hold. */
const intersection = (a: IntervalTensor, b: IntervalTensor): IntervalTensor => ({
  lower: tf.maximum(a.lower, b.lower),
  upper: tf.minimum(a.upper, b.upper),
});

/**
 * The integer 0, computed from the box: rows made with it are no constants of a compiled function, which would hold every unit
 * vector of every layer in memory.
 */
const notConstant = (box: IntervalTensor): Tensor =>
  stopGradient(() => tf.cast(tf.greater(tf.sum(tf.square(box.lower)), Number.POSITIVE_INFINITY), 'int32'));

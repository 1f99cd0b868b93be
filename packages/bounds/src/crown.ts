import {
  type BoundMethod,
  type Bounds,
  INPUT,
  type IntervalTensor,
  type Problem,
  sizeOf,
  stopGradient,
  type Tensor,
  type Tensor1D,
  tf,
} from '@cert/core';
import { type BackwardSetting, type BackwardTable, lowerBound, type Rows, unitRows } from './backward.js';
import { chunkSize, pieces } from './chunks.js';
import { boundOutput, type LinearRelaxationOptions } from './crown-margins.js';
import { ibp } from './ibp.js';
import { linearRelaxation } from './linear-relaxation.js';
import { linesOf } from './lines.js';
import { nonlinearInputs } from './nonlinear-inputs.js';

/**
 * CROWN (Zhang et al. 2018): every node that a ReLU or an op of a plug-in reads is bounded by a backward pass of its own, the
 * specification by the last one. `at` holds these bounds there, and those of the forward method elsewhere. Much more costly than
 * CROWN-IBP: as many rows are passed back as the network has neurons, `chunk` of them at a time.
 *
 * @returns a method named `crown`; its `bound` throws CertError `missing-rule` for an op that either table lacks
 */
export const crown = (options: LinearRelaxationOptions = {}): BoundMethod => ({
  name: 'crown',
  bound(problem) {
    const at = crownBounds(problem, options);
    return { output: boundOutput(problem, at, options), at };
  },
});

/** Options of {@link crownBounds}. */
export interface CrownBoundsOptions extends LinearRelaxationOptions {
  /**
   * Whether a bound is the tighter one of CROWN's and the forward method's; default false, CROWN's alone. CROWN can be looser on single neurons.
   */
  readonly intersect?: boolean;
}

/**
 * The bounds of {@link crown} at the nodes, without those of the specification.
 *
 * @returns bounds [batch, ...shape] by node, `input` included
 */
export function crownBounds(
  { network, box }: Pick<Problem, 'network' | 'box'>,
  { forward = ibp, backward = linearRelaxation, chunk, intersect = false }: CrownBoundsOptions = {},
): Bounds['at'] {
  const { model } = network;
  const batch = box.lower.shape[0]!;
  const at: { [node: string]: IntervalTensor } = { ...forward.bound({ network, box }).at };
  const rowsAtOnce = chunkSize(model, batch, chunk);
  const shift = notConstant(box);
  for (const name of nonlinearInputs(model)) {
    if (name === INPUT) continue;
    const { shape } = model.nodes.find((node) => node.name === name)!;
    const size = sizeOf(shape);
    const setting = { network, box, at, lines: linesOf(backward, network, at) };
    const sides = pieces(size, rowsAtOnce).map(({ from, to }) => {
      const indices = tf.add(tf.range(from, to, 1, 'int32'), shift) as Tensor1D;
      return boundRows(backward, setting, name, { coefficients: unitRows(indices, shape), count: to - from });
    });
    const whole = (side: 'lower' | 'upper') =>
      tf.reshape(
        tf.concat(
          sides.map((part) => part[side]),
          1,
        ),
        [batch, ...shape],
      );
    const tight = { lower: whole('lower'), upper: whole('upper') };
    at[name] = intersect ? intersection(at[name]!, tight) : tight;
  }
  return at;
}

/** What two boxes have in common: both hold. */
const intersection = (a: IntervalTensor, b: IntervalTensor): IntervalTensor => ({
  lower: tf.maximum(a.lower, b.lower),
  upper: tf.minimum(a.upper, b.upper),
});

/**
 * Lower and upper bounds of linear functions of one node: see {@link lowerBound}.
 *
 * @returns both [batch, rows.count]
 */
export function boundRows(
  table: BackwardTable,
  setting: BackwardSetting,
  node: string,
  { coefficients, count }: Rows,
): { readonly lower: Tensor; readonly upper: Tensor } {
  const least = (rows: Tensor) => lowerBound(table, setting, node, { coefficients: rows, count });
  return { lower: least(coefficients), upper: tf.neg(least(tf.neg(coefficients))) };
}

/**
 * The integer 0, computed from the box: rows made with it are no constants of a compiled function, which would hold every unit
 * vector of every layer in memory.
 */
const notConstant = (box: IntervalTensor): Tensor =>
  stopGradient(() => tf.cast(tf.greater(tf.sum(tf.square(box.lower)), Number.POSITIVE_INFINITY), 'int32'));

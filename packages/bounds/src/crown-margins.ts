import {
  type BoundMethod,
  type Bounds,
  type IntervalTensor,
  type Problem,
  type Spec,
  type Tensor,
  type Tensor3D,
  tf,
} from '@cert/core';
import { type BackwardTable, lowerBound } from './backward.js';
import { chunkSize, pieces } from './chunks.js';
import { linearRelaxation } from './linear-relaxation.js';
import { linesOf } from './lines.js';
import { toRows } from './rows.js';

/** Options of methods based on linear relaxation. */
export interface LinearRelaxationOptions {
  /** Method for intermediate bounds: for `crownIbp` all of them, for `crown` those that no ReLU reads. Default `ibp`. */
  readonly forward?: BoundMethod;
  /** Backward rules and lines; default `linearRelaxation`. */
  readonly backward?: BackwardTable;
  /** Rows per backward pass; by default as many as keep the coefficients of a node within 64 MiB, at least 1. */
  readonly chunk?: number | undefined;
}

/** A problem with a specification. */
export type SpecifiedProblem = Problem & {
  /** The specification, [batch, rows, classes]. */
  readonly spec: Spec;
};

/**
 * Returns lower bounds of a specification by one backward pass, `chunk` rows at a time.
 *
 * @param at bounds at every node that a ReLU or an op of a plug-in reads, such as `ibp.bound(problem).at`
 * @returns [batch, rows]; with {@link marginSpec}, an image is verified if all are > 0
 * @throws CertError `missing-rule` for an op without a backward rule, `bad-argument` for a ReLU without bounds at its input
 */
export function crownMargins(
  { network, box, spec }: SpecifiedProblem,
  at: Bounds['at'],
  { backward = linearRelaxation, chunk }: Omit<LinearRelaxationOptions, 'forward'> = {},
): Tensor {
  const { model } = network;
  const last = model.nodes.at(-1)!.name;
  const [batch, count, classes] = spec.matrix.shape;
  const setting = { network, box, at, lines: linesOf(backward, network, at) };
  const parts = pieces(count, chunkSize(model, batch, chunk)).map(({ from, to }) => {
    const whole = from === 0 && to === count;
    const matrix = whole ? spec.matrix : tf.slice(spec.matrix, [0, from, 0], [batch, to - from, classes]);
    return lowerBound(backward, setting, last, toRows(matrix));
  });
  return parts.length === 1 ? parts[0]! : tf.concat(parts, 1);
}

/** Lower and upper bounds of a specification, or of the logits: the upper ones are lower bounds of the negated rows. */
export function boundOutput(problem: Problem, at: Bounds['at'], options: LinearRelaxationOptions): IntervalTensor {
  const { classes } = problem.network.model;
  const batch = problem.box.lower.shape[0]!;
  const matrix = problem.spec?.matrix ?? (tf.tile(tf.expandDims(tf.eye(classes), 0), [batch, 1, 1]) as Tensor3D);
  const least = (rows: Tensor) => crownMargins({ ...problem, spec: { matrix: rows as Tensor3D } }, at, options);
  return { lower: least(matrix), upper: tf.neg(least(tf.neg(matrix))) };
}

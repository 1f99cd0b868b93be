import {
  type BatchNormStats,
  type BoundMethod,
  type Bounds,
  type IntervalTensor,
  type Model,
  type Params,
  type Spec,
  type Tensor,
  type Tensor3D,
  tf,
} from '@cert/core';
import { type BackwardTable, lowerBound, toRows } from './backward.js';
import { ibp } from './ibp.js';
import { linearRelaxation } from './linear-relaxation.js';

/** What a method of linear relaxation is made of. */
export interface LinearRelaxationOptions {
  /** Bounds at the nodes in between: for {@link crownIbp} all of them, for `crown` those that no ReLU reads. Default {@link ibp}. */
  readonly forward?: BoundMethod;
  /** Backward rules; default {@link linearRelaxation}. */
  readonly backward?: BackwardTable;
  /** Rows that are passed back at a time; the default keeps the coefficients of one node at 64 MiB or less, if one row does. */
  readonly chunk?: number | undefined;
}

/** Numbers of float32 that 64 MiB hold. */
const BUDGET = 2 ** 24;

/** How many rows a pass may take at once, for a batch and the largest node that it goes through. */
export function chunkSize({ inputShape, nodes }: Model, batch: number, chunk?: number): number {
  const sizes = [inputShape, ...nodes.map(({ shape }) => shape)].map((shape) => shape.reduce((a, b) => a * b, 1));
  return Math.max(1, chunk ?? Math.floor(BUDGET / (Math.max(1, batch) * Math.max(...sizes))));
}

/** [0, total) in pieces of at most `size`. */
export const pieces = (total: number, size: number): { readonly from: number; readonly to: number }[] =>
  Array.from({ length: Math.ceil(total / size) }, (_, i) => ({ from: i * size, to: Math.min(total, (i + 1) * size) }));

/**
 * Lower bounds of a specification by one backward pass, `chunk` rows at a time.
 *
 * @param norm statistics for every batchNorm node of the model
 * @param input the box, [batch, ...inputShape]
 * @param spec matrix [batch, rows, classes]
 * @param at bounds at every node that a ReLU or an op of a plug-in reads, such as `ibp.bound(...).at`
 * @param options `forward` is not used here
 * @returns [batch, rows]; with {@link marginSpec} an image is verified when all of them are > 0
 * @throws CertError `missing-rule` for an op without a backward rule, `bad-argument` for a ReLU without bounds at its input
 */
export function crownMargins(
  model: Model,
  params: Params,
  norm: BatchNormStats,
  input: IntervalTensor,
  spec: Spec,
  at: Bounds['at'],
  { backward = linearRelaxation, chunk }: LinearRelaxationOptions = {},
): Tensor {
  const last = model.nodes.at(-1)!.name;
  const [batch, count, classes] = spec.matrix.shape;
  const parts = pieces(count, chunkSize(model, batch, chunk)).map(({ from, to }) => {
    const whole = from === 0 && to === count;
    const matrix = whole ? spec.matrix : tf.slice(spec.matrix, [0, from, 0], [batch, to - from, classes]);
    return lowerBound(backward, model, params, { norm, at }, input, last, toRows(matrix));
  });
  return parts.length === 1 ? parts[0]! : tf.concat(parts, 1);
}

/** Lower and upper bounds of a specification, or of the logits: the upper ones are lower bounds of the negated rows. */
export function boundOutput(
  model: Model,
  params: Params,
  norm: BatchNormStats,
  input: IntervalTensor,
  spec: Spec | undefined,
  at: Bounds['at'],
  options: LinearRelaxationOptions,
): IntervalTensor {
  const { classes } = model;
  const batch = input.lower.shape[0]!;
  const matrix = spec?.matrix ?? (tf.tile(tf.expandDims(tf.eye(classes), 0), [batch, 1, 1]) as Tensor3D);
  const least = (rows: Tensor) => crownMargins(model, params, norm, input, { matrix: rows as Tensor3D }, at, options);
  return { lower: least(matrix), upper: tf.neg(least(tf.neg(matrix))) };
}

/**
 * Makes CROWN-IBP of a forward method and backward rules:
 * `crownIbpOf({ forward: extend(ibp, ...), backward: extendBackward(linearRelaxation, ...) })`.
 *
 * @returns a method named `crown-ibp`; its `bound` throws CertError `missing-rule` for an op that either table lacks
 */
export function crownIbpOf(options: LinearRelaxationOptions = {}): BoundMethod {
  const { forward = ibp } = options;
  return {
    name: 'crown-ibp',
    bound(model, params, norm, input, spec) {
      const { at } = forward.bound(model, params, norm, input, spec);
      return { output: boundOutput(model, params, norm, input, spec, at, options), at };
    },
  };
}

/**
 * CROWN-IBP (Zhang et al. 2020): bounds at the nodes in between by IBP, then one backward pass of linear relaxation from the
 * specification to the input.
 */
export const crownIbp = crownIbpOf();

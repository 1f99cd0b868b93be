import { type BoundMethod, INPUT, type IntervalTensor, type Tensor, type Tensor1D, tf } from '@cert/core';
import { lowerBound, unitRows } from './backward.js';
import { boundOutput, chunkSize, type LinearRelaxationOptions, pieces } from './crown-ibp.js';
import { ibp } from './ibp.js';
import { linearRelaxation } from './linear-relaxation.js';
import { nonlinearInputs } from './nonlinear-inputs.js';

/**
 * CROWN (Zhang et al. 2018): every node that a ReLU or an op of a plug-in reads is bounded by a backward pass of its own, the
 * specification by the last one. `at` holds these bounds there, and those of the forward method elsewhere. Much dearer than
 * CROWN-IBP: as many rows are passed back as the network has neurons, `chunk` of them at a time.
 *
 * @returns a method named `crown`; its `bound` throws CertError `missing-rule` for an op that either table lacks
 */
export function crown(options: LinearRelaxationOptions = {}): BoundMethod {
  const { forward = ibp, backward = linearRelaxation, chunk } = options;
  return {
    name: 'crown',
    bound(model, params, norm, input, spec) {
      const at: { [node: string]: IntervalTensor } = { ...forward.bound(model, params, norm, input, spec).at };
      const rowsAtOnce = chunkSize(model, input.lower.shape[0]!, chunk);
      const shift = notConstant(input);
      for (const name of nonlinearInputs(model)) {
        if (name === INPUT) continue;
        const { shape } = model.nodes.find((node) => node.name === name)!;
        const size = shape.reduce((a, b) => a * b, 1);
        const sides = pieces(size, rowsAtOnce).map(({ from, to }) => {
          const indices = tf.add(tf.range(from, to, 1, 'int32'), shift) as Tensor1D;
          const rows = unitRows(indices, shape);
          const least = (coefficients: Tensor) =>
            lowerBound(backward, model, params, { norm, at }, input, name, { coefficients, count: to - from });
          return { lower: least(rows), upper: tf.neg(least(tf.neg(rows))) };
        });
        const whole = (side: 'lower' | 'upper') =>
          tf.reshape(
            tf.concat(
              sides.map((part) => part[side]),
              1,
            ),
            [input.lower.shape[0]!, ...shape],
          );
        at[name] = { lower: whole('lower'), upper: whole('upper') };
      }
      return { output: boundOutput(model, params, norm, input, spec, at, options), at };
    },
  };
}

/**
 * The integer 0, computed from the input: rows made with it are no constants of a compiled function, which would hold every unit
 * vector of every layer in memory.
 */
const notConstant = (input: IntervalTensor): Tensor =>
  tf.customGrad(() => ({
    value: tf.cast(tf.greater(tf.sum(tf.square(input.lower)), Number.POSITIVE_INFINITY), 'int32'),
    gradFunc: () => [],
  }))();

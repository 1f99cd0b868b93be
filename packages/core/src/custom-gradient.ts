import { type Tensor, tf } from './tf.js';

/** A value with a custom gradient. See {@link withGradient}. */
export interface Differentiated {
  /** The value of the function. */
  readonly value: Tensor;
  /** Tensors that the gradient needs; default none. */
  readonly saved?: readonly Tensor[];
  /**
   * Computes the gradients of the inputs, in order, from the gradient of the value and `saved`; it must not use other tensors of the
   * forward pass.
   */
  gradient(dy: Tensor, ...saved: Tensor[]): Tensor | Tensor[];
}

/**
 * Returns a function of tensors with a custom gradient, for cases where reverse mode takes a different subgradient, keeps too many tensors
 * or has no rule.
 *
 * @param f computes the value; called once per call of the function
 * @example const magnitude = withGradient((x: Tensor) => ({ value: tf.abs(x), saved: [x], gradient: (dy, x) => tf.mul(dy, tf.sign(x!)) }));
 */
export const withGradient =
  <Inputs extends Tensor[]>(f: (...inputs: Inputs) => Differentiated): ((...inputs: Inputs) => Tensor) =>
  (...inputs) =>
    tf.customGrad((...args) => {
      const save = args.at(-1) as unknown as (tensors: Tensor[]) => void;
      const { value, saved = [], gradient } = f(...(args.slice(0, -1) as Inputs));
      save([...saved]);
      return { value, gradFunc: (dy: Tensor, kept: Tensor[]) => gradient(dy, ...kept) };
    })(...inputs);

/**
 * Returns the value of `f` as a constant for differentiation: nothing that `f` computes is recorded on the tape.
 *
 * @example const scale = stopGradient(() => tf.max(x));
 */
export const stopGradient = (f: () => Tensor): Tensor => withGradient(() => ({ value: f(), gradient: () => [] }))();

/**
 * Returns a comparison as float32, 1 if true and 0 otherwise, as a constant for differentiation. Comparisons have no gradient: recording
 * one on the tape causes a TensorFlow.js error.
 *
 * @example const active = mask(() => tf.greater(lower, 0));
 */
export const mask = (compare: () => Tensor): Tensor => stopGradient(() => tf.cast(compare(), 'float32'));

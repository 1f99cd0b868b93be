import { type Tensor, tf } from './tf.js';

/** A value, and how a gradient goes back from it. See {@link withGradient}. */
export interface Differentiated {
  /** What the function returns. */
  readonly value: Tensor;
  /** What the gradient needs; default nothing. */
  readonly saved?: readonly Tensor[];
  /** The gradients of the inputs, in order, from that of the value. It gets `saved`, and uses no other tensor of the way there. */
  gradient(dy: Tensor, ...saved: Tensor[]): Tensor | Tensor[];
}

/**
 * A function of tensors with a gradient of its own, for where reverse mode would take another subgradient, keep too much, or has no rule.
 *
 * @param f computes the value; it is called once for each call of the function
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
 * A value that is a constant to differentiation: nothing of what `f` computes is on the tape.
 *
 * @example const scale = stopGradient(() => tf.max(x));
 */
export const stopGradient = (f: () => Tensor): Tensor => withGradient(() => ({ value: f(), gradient: () => [] }))();

/**
 * A comparison as float32, 1 where it holds and 0 elsewhere, that is a constant to differentiation. Comparisons have no gradient:
 * a mask that is on the tape ends in an error of TensorFlow.js.
 *
 * @example const active = mask(() => tf.greater(lower, 0));
 */
export const mask = (compare: () => Tensor): Tensor => stopGradient(() => tf.cast(compare(), 'float32'));

import { type Params, type Scalar, type Tensor, tf, valueAndGrad } from '@cert/core';

/** Variables by node and name, and the moments of Adam for each of them (Kingma & Ba 2015). */
export type AscentState = {
  /** What is optimized. */
  readonly variables: Params;
  /** Mean of the gradients. */
  readonly first: Params;
  /** Mean of their squares. */
  readonly second: Params;
};

/** Scalars of one step of {@link ascend}. */
export type AscentRates = { readonly [name: string]: Scalar };

/** Decay of both means. */
const [BETA1, BETA2] = [0.9, 0.999];

/** Numbers of step `t`, from 0, for {@link ascend}: the learning rate of each kind of variable and what corrects the means. */
export const ratesOf = (t: number, rates: { readonly [kind: string]: number }, decay = 0.98) => ({
  ...Object.fromEntries(Object.entries(rates).map(([kind, rate]) => [kind, rate * decay ** t])),
  correct1: 1 / (1 - BETA1 ** (t + 1)),
  correct2: 1 / (1 - BETA2 ** (t + 1)),
});

/** Moments of a state that has seen no gradient. */
export const noMoments = (variables: Params): Pick<AscentState, 'first' | 'second'> => ({
  first: mapVariables(variables, (x) => tf.zerosLike(x)),
  second: mapVariables(variables, (x) => tf.zerosLike(x)),
});

/**
 * One step of Adam towards a larger sum of `lower`, each variable kept where it is allowed: mixtures in [0, 1], multipliers >= 0.
 *
 * @param bound lower bounds of any shape from the variables; every value of the variables gives valid ones
 * @param rates by kind of variable (its name in the state), with `correct1` and `correct2`: {@link ratesOf} as scalars
 * @returns the bounds before the step, and the state after it
 */
export function ascend(
  { variables, first, second }: AscentState,
  bound: (variables: Params) => Tensor,
  rates: AscentRates,
): { readonly lower: Tensor; readonly state: AscentState } {
  // Without variables there is nothing to improve.
  if (Object.keys(variables).length === 0) return { lower: bound(variables), state: { variables, first, second } };
  const { aux, grads } = valueAndGrad((now) => {
    const lower = bound(now);
    return { value: tf.sum(lower) as Scalar, aux: { lower } };
  }, variables);
  const next: { [node: string]: { [name: string]: { x: Tensor; m: Tensor; v: Tensor } } } = {};
  for (const [node, own] of Object.entries(variables)) {
    next[node] = {};
    for (const [name, x] of Object.entries(own)) {
      const gradient = grads[node]![name]!;
      const m = tf.add(tf.mul(first[node]![name]!, BETA1), tf.mul(gradient, 1 - BETA1));
      const v = tf.add(tf.mul(second[node]![name]!, BETA2), tf.mul(tf.square(gradient), 1 - BETA2));
      const step = tf.div(tf.mul(m, rates.correct1!), tf.add(tf.sqrt(tf.mul(v, rates.correct2!)), 1e-8));
      const moved = tf.add(x, tf.mul(step, rates[name]!));
      next[node][name] = { x: name === 'mixture' ? tf.clipByValue(moved, 0, 1) : tf.relu(moved), m, v };
    }
  }
  const part = (key: 'x' | 'm' | 'v'): Params =>
    Object.fromEntries(
      Object.entries(next).map(([node, own]) => [
        node,
        Object.fromEntries(Object.entries(own).map(([name, values]) => [name, values[key]])),
      ]),
    );
  return { lower: aux.lower, state: { variables: part('x'), first: part('m'), second: part('v') } };
}

const mapVariables = (variables: Params, f: (x: Tensor) => Tensor): Params =>
  Object.fromEntries(
    Object.entries(variables).map(([node, own]) => [
      node,
      Object.fromEntries(Object.entries(own).map(([name, x]) => [name, f(x)])),
    ]),
  );

import { CertError, type Regularizer, type Scalar, tf } from '@cert/core';

/** A weight and a regularizer. */
export type Weighted = readonly [weight: number, regularizer: Regularizer];

/**
 * Combines regularizers into one: the sum of weight * term. The paper uses `weightedSum([[1, tightness()], [1, reluBalance()]])`. An empty
 * sum is 0. The name lists the parts: `tightness + 0.5 * l1`.
 *
 * @throws CertError `bad-argument` for a weight that is not finite
 */
export function weightedSum(parts: readonly Weighted[]): Regularizer {
  for (const [weight, { name }] of parts) {
    if (Number.isFinite(weight)) continue;
    throw new CertError(
      'bad-argument',
      `The weight of the regularizer "${name}" is ${weight}.`,
      'Give a finite number.',
    );
  }
  // The sum is constant where every part is.
  const actsOn = parts.flatMap(([, regularizer]) => regularizer.actsOn ?? []);
  return {
    ...(parts.every(([, regularizer]) => regularizer.actsOn !== undefined) && { actsOn }),
    name: parts.map(([weight, { name }]) => label(weight, name)).join(' + ') || 'none',
    term: (context) =>
      parts.reduce<Scalar>((sum, [weight, { term }]) => {
        return tf.add(sum, weight === 1 ? term(context) : tf.mul(term(context), weight));
      }, tf.scalar(0)),
  };
}

const label = (weight: number, name: string): string =>
  weight === 1 ? name : `${weight} * ${name.includes(' + ') ? `(${name})` : name}`;

import { CertError } from '@cert/core';
import type { Split } from '@cert/datasets';
import { balancedWeights, type ClassWeights } from '../../class-weights.js';
import { toNumber } from './parse-field.js';

/** How a configuration writes class weights: `none`, `balanced`, or one number per class. */
export const CLASS_WEIGHTS = /^(?:none|balanced|[^,]+(?:,[^,]+)+)$/;

/**
 * Returns the class weights that a configuration stands for; null for none.
 *
 * @param train the training split, whose labels `balanced` counts
 * @param classNames names of the classes, for messages
 * @throws CertError `bad-argument` for another number of weights than classes, a weight that is not a number >= 0, and weights that are all 0
 */
export function classWeightsOf(
  text: string,
  { labels, classes }: Pick<Split, 'labels' | 'classes'>,
  classNames?: readonly string[],
): ClassWeights | null {
  if (text === 'none') return null;
  const fail = (problem: string, cure: string) => new CertError('bad-argument', `--class-weights ${problem}`, cure);
  if (classes === 1) throw fail(`is ${text}, but the dataset is a regression, which has no classes.`, 'Leave it out.');
  if (text === 'balanced') return balancedWeights(labels, classes);
  const weights = text.split(',').map((item) => toNumber(item.trim()));
  const names = classNames === undefined ? '' : `, in the order ${classNames.join(', ')}`;
  if (weights.length !== classes) {
    throw fail(
      `has ${weights.length} weights, but the dataset has ${classes} classes.`,
      `Give one weight per class${names}.`,
    );
  }
  if (!weights.every((weight): weight is number => typeof weight === 'number' && weight >= 0)) {
    throw fail(`is ${JSON.stringify(text)}.`, `Give one number >= 0 per class${names}, or balanced, or none.`);
  }
  if (weights.every((weight) => weight === 0)) {
    throw fail('gives every class the weight 0.', 'Give at least one class a weight > 0.');
  }
  return weights;
}

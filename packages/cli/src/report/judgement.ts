import { notBelow } from './text.js';

/** What makes a prediction right or wrong, in words. */
interface Judgement {
  /** Follows "is" or "are". */
  readonly right: string;
  /** The same of a prediction that is wrong. */
  readonly wrong: string;
}

/** What {@link judgementOf} looks at: the tolerance of a regression, null for a classifier. */
interface Judged {
  readonly regression: { readonly delta: number | null } | null;
}

/** What a run's predictions are called: classes are right or wrong, numbers are within or outside of a tolerance. */
export function judgementOf({ regression }: Judged): Judgement {
  if (regression === null) return { right: 'classified correctly', wrong: 'misclassified' };
  const { delta } = regression;
  if (delta === null) return { right: 'within the tolerance', wrong: 'outside the tolerance' };
  // Rounded up, "less than" stays true.
  const text = notBelow(delta);
  return { right: `off by less than ${text}`, wrong: `off by ${text} or more` };
}

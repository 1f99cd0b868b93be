import { CertError } from './errors.js';
import type { LinearInequality, Property } from './property.js';

/** A box of inputs: the smallest and largest value of each input, row-major. `perturbationEnds` returns one. */
export interface InputBox {
  /** Smallest values. */
  readonly lower: Float64Array;
  /** Largest values, >= `lower`. */
  readonly upper: Float64Array;
}

/** A requirement on the outputs: coefficients . outputs >= at least. */
export interface OutputRequirement {
  /** One finite number per output. */
  readonly coefficients: readonly number[];
  /** The least value; equality counts as a violation, so that a proof is strict. */
  readonly atLeast: number;
}

/** Combinations of classes, or of requirements, beyond which a property is refused. */
const MOST_CASES = 100_000;

/**
 * Returns the property that requirements hold in conjunctive form: at every input of the box, at least one requirement of each clause holds.
 *
 * @param outputs number of outputs of the network
 * @throws CertError `bad-argument` for coefficients of another length or that are not finite, and an empty clause
 */
export function requireAll(
  { lower, upper }: InputBox,
  outputs: number,
  clauses: readonly (readonly OutputRequirement[])[],
): Property {
  const cases = clauses.map((clause) => {
    if (clause.length === 0) {
      throw new CertError('bad-argument', 'A clause has no requirement.', 'An empty clause never holds; leave it out.');
    }
    return { lower, upper, outputs: clause.map((requirement) => violated(requirement, outputs)) };
  });
  return { inputs: lower.length, outputs, cases };
}

/**
 * Returns the property that requirements hold in disjunctive form: at every input of the box, all requirements of at least one alternative
 * hold. Which alternative may depend on the input.
 *
 * @throws CertError as {@link requireAll}, and `bad-argument` for more than 100,000 combinations
 */
export function requireAny(
  box: InputBox,
  outputs: number,
  alternatives: readonly (readonly OutputRequirement[])[],
): Property {
  if (alternatives.length === 0 || alternatives.some(({ length }) => length === 0)) {
    throw new CertError(
      'bad-argument',
      'A disjunction has no alternative, or an alternative has no requirement.',
      'Give at least one alternative with at least one requirement each.',
    );
  }
  const combinations = alternatives.reduce((product, { length }) => product * length, 1);
  checkCases(combinations);
  const clauses = alternatives.reduce<readonly (readonly OutputRequirement[])[]>(
    (before, alternative) => before.flatMap((clause) => alternative.map((requirement) => [...clause, requirement])),
    [[]],
  );
  return requireAll(box, outputs, clauses);
}

/** Options of {@link topK}. */
export interface TopKOptions {
  /** Class that must be among the first, from 0. */
  readonly label: number;
  /** Number of outputs. */
  readonly classes: number;
  /** The label's logit is larger than all but at most k - 1 others; default 1: the prediction does not change. */
  readonly k?: number;
}

/**
 * Returns the property that the label is among the k largest logits at every input of the box. With k = 1: robustness.
 *
 * @throws CertError `bad-argument` for a label or k that does not fit the number of classes, and more than 100,000 combinations of classes
 */
export function topK(box: InputBox, { label, classes, k = 1 }: TopKOptions): Property {
  if (!(Number.isInteger(label) && label >= 0 && label < classes)) {
    throw new CertError('bad-argument', `The label is ${label} with ${classes} classes.`, 'Give a class from 0.');
  }
  if (!(Number.isInteger(k) && k >= 1 && k < classes)) {
    throw new CertError(
      'bad-argument',
      `k is ${k} with ${classes} classes.`,
      `Give a whole number from 1 to ${classes - 1}.`,
    );
  }
  const others = Array.from({ length: classes }, (_, j) => j).filter((j) => j !== label);
  checkCases(binomial(others.length, k));
  // Violated where k other classes are all at least as large.
  const clauses = subsets(others, k).map((larger) =>
    larger.map((other) => ({
      coefficients: Array.from({ length: classes }, (_, j) => (j === label ? 1 : j === other ? -1 : 0)),
      atLeast: 0,
    })),
  );
  return requireAll(box, classes, clauses);
}

/** Options of {@link outputInterval}. */
export interface OutputIntervalOptions {
  /** Number of outputs. */
  readonly outputs: number;
  /** Index of the bounded output; default 0. */
  readonly output?: number;
  /** Least value; default: none. */
  readonly min?: number;
  /** Greatest value; default: none. */
  readonly max?: number;
}

/**
 * Returns the property that an output lies strictly between two values at every input of the box. For regression:
 * `outputInterval(box, { outputs: 1, min: y - delta, max: y + delta })`.
 *
 * @throws CertError `bad-argument` for an output that does not exist, and min > max
 */
export function outputInterval(
  box: InputBox,
  { outputs, output = 0, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY }: OutputIntervalOptions,
): Property {
  if (!(Number.isInteger(output) && output >= 0 && output < outputs)) {
    throw new CertError('bad-argument', `The output is ${output} of ${outputs}.`, 'Outputs count from 0.');
  }
  if (!(min <= max)) {
    throw new CertError('bad-argument', `The interval is [${min}, ${max}].`, 'Give min <= max.');
  }
  const only = (sign: 1 | -1) => Array.from({ length: outputs }, (_, j) => (j === output ? sign : 0));
  const clauses = [
    ...(min > Number.NEGATIVE_INFINITY ? [[{ coefficients: only(1), atLeast: min }]] : []),
    ...(max < Number.POSITIVE_INFINITY ? [[{ coefficients: only(-1), atLeast: -max }]] : []),
  ];
  return requireAll(box, outputs, clauses);
}

/** The inequality that holds where a requirement does not hold strictly. */
function violated({ coefficients, atLeast }: OutputRequirement, outputs: number): LinearInequality {
  if (coefficients.length === outputs && coefficients.every(Number.isFinite) && Number.isFinite(atLeast)) {
    return { coefficients: Float64Array.from(coefficients), bound: atLeast };
  }
  throw new CertError(
    'bad-argument',
    `A requirement has the coefficients [${coefficients.join(', ')}] and the least value ${atLeast}.`,
    `Give ${outputs} finite coefficients, one per output, and a finite least value.`,
  );
}

const subsets = (items: readonly number[], size: number): readonly (readonly number[])[] =>
  size === 0 ? [[]] : items.flatMap((item, i) => subsets(items.slice(i + 1), size - 1).map((rest) => [item, ...rest]));

const binomial = (n: number, k: number): number => (k === 0 ? 1 : (binomial(n - 1, k - 1) * n) / k);

function checkCases(cases: number): void {
  if (cases <= MOST_CASES) return;
  throw new CertError(
    'bad-argument',
    `The property has ${cases} cases, more than ${MOST_CASES}.`,
    'Use a smaller k, or fewer alternatives.',
  );
}

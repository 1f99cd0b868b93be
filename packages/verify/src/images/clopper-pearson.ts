/**
 * Returns the exact confidence interval of a proportion (Clopper and Pearson 1934): the true proportion is inside with at least this
 * probability.
 *
 * @param count number of successes
 * @param trials at least 1
 * @param confidence between 0 and 1; default 0.95
 * @returns lower and upper end, fractions
 */
export function clopperPearson(count: number, trials: number, confidence = 0.95): readonly [number, number] {
  const tail = (1 - confidence) / 2;
  return [lowerEnd(count, trials, tail), 1 - lowerEnd(trials - count, trials, tail)];
}

/** The p at which `count` or more successes have the probability `tail`; 0 for a count of 0. */
function lowerEnd(count: number, trials: number, tail: number): number {
  if (count === 0) return 0;
  let [below, above] = [0, count / trials];
  // A double has 53 bits.
  for (let i = 0; i < 60; i++) {
    const middle = (below + above) / 2;
    if (atLeast(count, trials, middle) < tail) below = middle;
    else above = middle;
  }
  return (below + above) / 2;
}

/** The probability of `count` or more successes in `trials`, for 0 < p <= count / trials: there the terms of the sum only fall. */
function atLeast(count: number, trials: number, p: number): number {
  if (p >= 1) return 1;
  let logTerm = count * Math.log(p) + (trials - count) * Math.log1p(-p);
  for (let i = 1; i <= count; i++) logTerm += Math.log((trials - count + i) / i);
  let term = Math.exp(logTerm);
  let sum = 0;
  for (let k = count; k <= trials && term > sum * Number.EPSILON; k++) {
    sum += term;
    term *= ((trials - k) / (k + 1)) * (p / (1 - p));
  }
  return sum;
}

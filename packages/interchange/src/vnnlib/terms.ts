/** An input or an output of the network, as a declaration names it. One object for each: compared by identity. */
export interface Variable {
  /** As the file writes it. */
  readonly name: string;
  /** Which side of the network it is on. */
  readonly side: 'input' | 'output';
  /** Its index among the inputs or the outputs, in C order. */
  readonly index: number;
}

/**
 * A linear term: the sum of coefficient x variable, plus a constant. Coefficients are exact. The constant is an interval that holds the
 * exact value, since sums of decimals round.
 */
export interface LinearTerm {
  /** Coefficients that are 0 are left out. */
  readonly coefficients: ReadonlyMap<Variable, number>;
  /** At most the exact constant. */
  readonly low: number;
  /** At least the exact constant. */
  readonly high: number;
}

const NONE: ReadonlyMap<Variable, number> = new Map();

/** A number as a term. */
export const constant = (value: number): LinearTerm => ({ coefficients: NONE, low: value, high: value });

/** A variable as a term. */
export const variableTerm = (variable: Variable): LinearTerm => ({
  coefficients: new Map([[variable, 1]]),
  low: 0,
  high: 0,
});

const double = new Float64Array(1);
const bits = new BigInt64Array(double.buffer);

/** The smallest float64 above a finite number. */
function nextUp(x: number): number {
  if (x === 0) return Number.MIN_VALUE;
  double[0] = x;
  bits[0]! += x > 0 ? 1n : -1n;
  return double[0];
}

/** The largest float64 below a finite number. */
const nextDown = (x: number): number => -nextUp(-x);

/** What rounding took from a + b: exactly a + b - fl(a + b), unless that overflows (Knuth's two-sum). */
function errorOfSum(a: number, b: number): number {
  const sum = a + b;
  const part = sum - a;
  return a - (sum - part) + (b - part);
}

const sumUp = (a: number, b: number) => (errorOfSum(a, b) > 0 ? nextUp(a + b) : a + b);
const sumDown = (a: number, b: number) => -sumUp(-a, -b);

/** Whether a product is exact without a look at its digits. */
const isPlain = (factor: number) => factor === 0 || Math.abs(factor) === 1;
const isExactProduct = (a: number, b: number) => isPlain(a) || isPlain(b);

/** At least the exact quotient a / b; a number divided by 1 or -1 stays exact. */
export const quotientUp = (a: number, b: number): number => (isPlain(b) || a === 0 ? a / b : nextUp(a / b));

/** At most the exact quotient a / b. */
export const quotientDown = (a: number, b: number): number => -quotientUp(-a, b);

/** The sum of terms, or the name of a variable whose coefficients have no exact sum in float64. */
export function sumOfTerms(terms: readonly LinearTerm[]): LinearTerm | { readonly inexact: string } {
  let [low, high] = [0, 0];
  let only = NONE;
  let merged: Map<Variable, number> | undefined;
  for (const term of terms) {
    low = sumDown(low, term.low);
    high = sumUp(high, term.high);
    if (term.coefficients.size === 0) continue;
    if (only.size === 0) {
      only = term.coefficients;
      continue;
    }
    merged ??= new Map(only);
    for (const [variable, coefficient] of term.coefficients) {
      const before = merged.get(variable) ?? 0;
      if (errorOfSum(before, coefficient) !== 0) return { inexact: variable.name };
      merged.set(variable, before + coefficient);
    }
  }
  if (merged === undefined) return { coefficients: only, low, high };
  for (const [variable, coefficient] of merged) if (coefficient === 0) merged.delete(variable);
  return { coefficients: merged, low, high };
}

/** A term times a number, or the name of a variable whose coefficient has no product that is surely exact. */
export function scaleTerm(term: LinearTerm, factor: number): LinearTerm | { readonly inexact: string } {
  if (factor === 0) return constant(0);
  const coefficients = new Map<Variable, number>();
  for (const [variable, coefficient] of term.coefficients) {
    if (!isExactProduct(coefficient, factor)) return { inexact: variable.name };
    coefficients.set(variable, coefficient * factor);
  }
  const ends = [term.low * factor, term.high * factor];
  const exact = isExactProduct(term.low, factor) && isExactProduct(term.high, factor);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  return { coefficients, low: exact ? low : nextDown(low), high: exact ? high : nextUp(high) };
}

/** The negative of a term, exactly. */
export const negated = ({ coefficients, low, high }: LinearTerm): LinearTerm => ({
  coefficients: coefficients.size === 0 ? coefficients : new Map([...coefficients].map(([v, c]) => [v, -c])),
  low: -high,
  high: -low,
});

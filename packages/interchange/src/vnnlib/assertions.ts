import { type Atom, allOf, anyOf, type Formula } from './formula.js';
import type { Reader } from './reader.js';
import { constant, type LinearTerm, negated, scaleTerm, sumOfTerms, type Variable } from './terms.js';
import type { Token } from './tokens.js';

/** Nesting above which a text is no property that anyone wrote. */
const MAX_DEPTH = 200;

/**
 * Reads the formula of an assertion.
 *
 * @param find the variable that a token names
 */
export function readFormula(reader: Reader, find: (token: Token) => LinearTerm | undefined): Formula {
  const { expect, fail, quote, word } = reader;

  const exact = (term: LinearTerm | { readonly inexact: string }, at: number): LinearTerm => {
    if (!('inexact' in term)) return term;
    throw fail(
      at,
      `the coefficients of ${term.inexact} do not add up to an exact float64.`,
      'Write one coefficient for each variable.',
    );
  };

  const term = (depth: number): LinearTerm => {
    const token = reader.next();
    if (token.kind === 'word') {
      const number = numberOf(word(token));
      if (number !== undefined) {
        if (Number.isFinite(number)) return constant(number);
        throw fail(token.start, `the number ${quote(token)}, which exceeds float64.`, 'Give finite numbers.');
      }
      const found = find(token);
      if (found !== undefined) return found;
      throw fail(
        token.start,
        `${quote(token)} is neither a number nor a declared variable.`,
        'Declare a variable before its first use; numbers are decimals such as -0.5 or 1e-3.',
      );
    }
    if (token.kind !== '(') {
      throw fail(token.start, `${quote(token)} where a number or a variable was expected.`, 'Correct the file.');
    }
    checkDepth(depth, token.start);
    const operator = expect('word', '+, - or *');
    const terms = reader.list(() => term(depth + 1));
    expect(')', 'a closing parenthesis');
    return combine(operator, terms);
  };

  const combine = (operator: Token, terms: readonly LinearTerm[]): LinearTerm => {
    const [first, ...rest] = terms;
    const at = operator.start;
    if (first === undefined) {
      throw fail(at, `${quote(operator)} of nothing.`, 'Give at least one term.');
    }
    switch (word(operator)) {
      case '+':
        return exact(sumOfTerms(terms), at);
      case '-':
        return rest.length === 0 ? negated(first) : exact(sumOfTerms([first, ...rest.map(negated)]), at);
      case '*':
        return rest.reduce((product, next) => {
          const [factor, other] = product.coefficients.size === 0 ? [product, next] : [next, product];
          if (factor.coefficients.size > 0) {
            throw fail(
              at,
              'a product of variables.',
              'Multiply a variable by a number: only linear terms are supported.',
            );
          }
          if (factor.low !== factor.high) {
            throw fail(at, 'a factor that is not exact in float64.', 'Write the factor as one number.');
          }
          return exact(scaleTerm(other, factor.low), at);
        }, first);
      default:
        throw fail(at, `the function ${quote(operator)}.`, 'Terms may use +, - and * with a number.');
    }
  };

  const checkDepth = (depth: number, at: number) => {
    if (depth <= MAX_DEPTH) return;
    throw fail(at, `more than ${MAX_DEPTH} nested parentheses.`, 'Write the property with less nesting.');
  };

  /** left <= right. */
  const atMost = (left: LinearTerm, right: LinearTerm, at: number): Atom | boolean => {
    const { coefficients, low, high } = exact(sumOfTerms([left, negated(right)]), at);
    // NaN would compare as false, and a case would be lost.
    if (!Number.isFinite(high) || !Number.isFinite(low)) {
      throw fail(at, 'a comparison with a number that exceeds float64.', 'Give finite numbers.');
    }
    // Decided on the side of more violations where rounding hides which it is.
    if (coefficients.size === 0) return low <= 0;
    let side: Variable['side'] | undefined;
    for (const variable of coefficients.keys()) {
      side ??= variable.side;
      if (variable.side !== side) {
        throw fail(at, 'a comparison of an input with an output.', 'Compare only inputs, or only outputs.');
      }
    }
    if (side === 'input' && coefficients.size > 1) {
      throw fail(
        at,
        `a comparison of the inputs ${[...coefficients.keys()].slice(0, 3).map(({ name }) => name)}.`,
        'Compare each input with numbers: only boxes of inputs are supported.',
      );
    }
    return { coefficients, bound: -low, at };
  };

  const comparison = (operator: Token, compare: (a: LinearTerm, b: LinearTerm) => Formula): Formula => {
    const terms = reader.list(() => term(0));
    if (terms.length < 2) {
      throw fail(operator.start, `${quote(operator)} of ${terms.length} terms.`, 'Compare two terms.');
    }
    if (terms.length === 2) return compare(terms[0]!, terms[1]!);
    const parts = terms.slice(1).map((right, i) => compare(terms[i]!, right));
    return allOf(parts);
  };

  const formula = (depth: number): Formula => {
    const open = expect('(', 'a comparison in parentheses');
    checkDepth(depth, open.start);
    const operator = expect('word', 'and, or or a comparison');
    const at = operator.start;
    let result: Formula;
    switch (word(operator)) {
      case 'and':
      case 'or': {
        const parts: Formula[] = [];
        while (reader.peek().kind === '(') parts.push(formula(depth + 1));
        if (parts.length === 0) throw fail(at, `${quote(operator)} of nothing.`, 'Give its parts.');
        result = word(operator) === 'and' ? allOf(parts) : anyOf(parts);
        break;
      }
      // A strict comparison is read as one that allows equality: there are more violations then, never fewer.
      case '<=':
      case '<':
        result = comparison(operator, (a, b) => atMost(a, b, at));
        break;
      case '>=':
      case '>':
        result = comparison(operator, (a, b) => atMost(b, a, at));
        break;
      case '=':
      case '==':
        result = comparison(operator, (a, b) => allOf([atMost(a, b, at), atMost(b, a, at)]));
        break;
      default:
        throw fail(at, `${quote(operator)} in an assertion.`, 'Assertions may use and, or, <=, >=, <, > and =.');
    }
    expect(')', 'a closing parenthesis');
    return result;
  };

  return formula(0);
}

const isDigit = (code: number) => code >= 48 && code <= 57;

/** The number that a word writes, or undefined for a name. Not every word that `Number` reads is one: 0x10, Infinity. */
function numberOf(word: string): number | undefined {
  const first = word.charCodeAt(0);
  if (!isDigit(first) && first !== 45 && first !== 43 && first !== 46) return undefined;
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(word) ? Number(word) : undefined;
}

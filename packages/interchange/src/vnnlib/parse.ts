import { type Atom, allOf, anyOf, type Formula } from './formula.js';
import { constant, type LinearTerm, negated, scaleTerm, sumOfTerms, type Variable, variableTerm } from './terms.js';
import { badVnnlib, quote, type Token, tokenize } from './tokens.js';

/** What a file says, before its formulas are brought into cases. */
export interface ParsedFile {
  /** Number of input variables. */
  readonly inputs: number;
  /** Number of output variables. */
  readonly outputs: number;
  /** The assertions, all of which a violation satisfies. */
  readonly assertions: readonly Formula[];
  /** How the file writes an input. */
  nameOfInput(index: number): string;
}

/** Nesting above which a text is no property that anyone wrote. */
const MAX_DEPTH = 200;
/** Variables of a tensor above which an index no longer means anything. */
const MAX_VARIABLES = 10_000_000;

/** Commands of SMT-LIB that change nothing, and those that ask a solver for something at the end of a file. */
const IGNORED = new Set(['set-logic', 'set-info', 'set-option']);
const FINAL = new Set(['check-sat', 'get-model', 'exit']);

const KNOWN_COMMANDS =
  'Supported commands: declare-const, assert; in VNN-LIB 2.0 also vnnlib-version, declare-network.';

/** Tensors of a network of VNN-LIB 2.0: names of elements are an index into a shape. */
interface Tensor {
  readonly side: Variable['side'];
  readonly shape: readonly number[];
}

/**
 * Reads a file of VNN-LIB 1.0, or of the part of 2.0 that says the same.
 *
 * @throws CertError `bad-file` with line and column
 */
export function parseVnnlib(text: string): ParsedFile {
  const tokens = tokenize(text);
  /** Every variable as a term, by the name that the file gives it. */
  const variables = new Map<string, LinearTerm>();
  const declared: { readonly [S in Variable['side']]: { count: number; last: number } } = {
    input: { count: 0, last: -1 },
    output: { count: 0, last: -1 },
  };
  const tensors = new Map<string, Tensor>();
  const assertions: Formula[] = [];
  let version: '1.0' | '2.0' | undefined;
  let final: string | undefined;

  const fail = (at: number, problem: string, cure: string) => badVnnlib(text, at, problem, cure);
  const word = (token: Token) => text.slice(token.start, token.end);
  const expect = (kind: Token['kind'], what: string): Token => {
    const token = tokens.next();
    if (token.kind === kind) return token;
    throw fail(token.start, `${quote(text, token)} where ${what} was expected.`, 'Correct the file at this position.');
  };

  const use = (asked: '1.0' | '2.0', at: number) => {
    if (version !== undefined && version !== asked) {
      throw fail(at, `a command of VNN-LIB ${asked} in a file of ${version}.`, 'Use one version throughout the file.');
    }
    version = asked;
  };

  const declare = (name: string, at: number) => {
    const parts = /^([XY])_(0|[1-9]\d{0,8})$/.exec(name);
    if (parts === null) {
      throw fail(at, `the variable "${name.slice(0, 40)}".`, 'Name inputs X_0, X_1, ... and outputs Y_0, Y_1, ...');
    }
    if (variables.has(name)) throw fail(at, `${name} is declared twice.`, 'Remove one of the declarations.');
    const variable: Variable = { name, side: parts[1] === 'X' ? 'input' : 'output', index: Number(parts[2]) };
    variables.set(name, variableTerm(variable));
    const side = declared[variable.side];
    side.count++;
    side.last = Math.max(side.last, variable.index);
  };

  const declareConst = () => {
    const token = expect('word', 'the name of a variable');
    declare(word(token), token.start);
    const sort = expect('word', 'the sort Real');
    if (word(sort) !== 'Real') {
      throw fail(sort.start, `the sort ${quote(text, sort)}.`, 'Variables must have the sort Real.');
    }
  };

  const declareNetwork = (at: number) => {
    if (tensors.size > 0) {
      throw fail(at, 'a second network.', 'Split the file: a property file may declare only one network.');
    }
    expect('word', 'the name of the network');
    while (tokens.peek().kind === '(') {
      const open = tokens.next();
      const command = word(expect('word', 'declare-input or declare-output'));
      if (command !== 'declare-input' && command !== 'declare-output') {
        throw fail(
          open.start,
          `"${command.slice(0, 40)}" in a network.`,
          'Only networks with one declare-input and one declare-output are supported.',
        );
      }
      declareTensor(command === 'declare-input' ? 'input' : 'output');
      expect(')', 'a closing parenthesis');
    }
    for (const side of ['input', 'output'] as const) {
      if (![...tensors.values()].some((tensor) => tensor.side === side)) {
        throw fail(at, `the network has no declare-${side}.`, 'Declare one input and one output.');
      }
    }
  };

  const declareTensor = (side: Variable['side']) => {
    const name = expect('word', 'the name of a tensor');
    if (!/^[A-Za-z_][\w.-]*$/.test(word(name)) || tensors.has(word(name))) {
      throw fail(
        name.start,
        `the tensor name ${quote(text, name)}.`,
        'Use a unique name of letters and digits for each tensor.',
      );
    }
    if ([...tensors.values()].some((tensor) => tensor.side === side)) {
      throw fail(name.start, `a second ${side}.`, `Only networks with one ${side} are supported.`);
    }
    const type = expect('word', 'an element type');
    if (!/^(real|Real|float32|float64)$/.test(word(type))) {
      throw fail(type.start, `the element type ${quote(text, type)}.`, 'Supported types: real, float32, float64.');
    }
    const shape = expect('word', 'a shape such as [1,5]');
    const lengths = indices(shape);
    if (lengths.includes(0) || lengths.reduce((product, n) => product * n, 1) > MAX_VARIABLES) {
      throw fail(shape.start, `the shape ${quote(text, shape)}.`, 'Give the lengths of the axes, such as [1,5].');
    }
    tensors.set(word(name), { side, shape: lengths });
  };

  /** The whole numbers of a word such as [1,5]. */
  const indices = (token: Token): number[] => {
    const inside = /^\[\s*(\d{1,9}(?:\s*,\s*\d{1,9})*)?\s*\]$/.exec(word(token));
    if (inside === null) {
      throw fail(token.start, `${quote(text, token)} where whole numbers in brackets were expected.`, 'Write [1,5].');
    }
    return inside[1] === undefined ? [] : inside[1].split(',').map(Number);
  };

  /** The element of a tensor that a word names; made at its first use. */
  const element = (token: Token): LinearTerm | undefined => {
    const written = word(token);
    const bracket = written.indexOf('[');
    const name = bracket === -1 ? written : written.slice(0, bracket);
    const tensor = tensors.get(name);
    if (tensor === undefined) return undefined;
    const brackets = bracket === -1 ? bracketsAfter(token, tensor) : { ...token, start: token.start + bracket };
    const at = brackets === undefined ? [] : indices(brackets);
    const { shape } = tensor;
    // A scalar is written without brackets or as element 0.
    const fits =
      shape.length === 0
        ? at.length === 0 || (at.length === 1 && at[0] === 0)
        : at.length === shape.length && at.every((n, axis) => n < shape[axis]!);
    if (!fits) {
      throw fail(
        token.start,
        `the index [${at}] into ${name.slice(0, 40)} of shape [${shape}].`,
        'Give one index per axis, each from 0 to one less than the length of the axis.',
      );
    }
    const index = shape.reduce((flat, length, axis) => flat * length + at[axis]!, 0);
    const key = `${tensor.side === 'input' ? 'X' : 'Y'}_${index}`;
    const known = variables.get(key);
    if (known !== undefined) return known;
    const term = variableTerm({ name: `${name}[${at}]`, side: tensor.side, index });
    variables.set(key, term);
    return term;
  };

  /** The indices that stand apart from the name in front of them. */
  const bracketsAfter = (name: Token, tensor: Tensor): Token | undefined => {
    const after = tokens.peek();
    if (after.kind === 'word' && text[after.start] === '[') return tokens.next();
    if (tensor.shape.length === 0) return undefined;
    throw fail(name.start, `${quote(text, name)} without an index.`, 'Compare elements, such as X[0,3].');
  };

  const variable = (token: Token): LinearTerm | undefined =>
    version === '2.0' ? element(token) : variables.get(word(token));

  const exact = (term: LinearTerm | { readonly inexact: string }, at: number): LinearTerm => {
    if (!('inexact' in term)) return term;
    throw fail(
      at,
      `the coefficients of ${term.inexact} do not add up to an exact float64.`,
      'Write one coefficient for each variable.',
    );
  };

  const term = (depth: number): LinearTerm => {
    const token = tokens.next();
    if (token.kind === 'word') {
      const number = numberOf(text, token);
      if (number !== undefined) {
        if (Number.isFinite(number)) return constant(number);
        throw fail(token.start, `the number ${quote(text, token)}, which exceeds float64.`, 'Give finite numbers.');
      }
      const found = variable(token);
      if (found !== undefined) return found;
      throw fail(
        token.start,
        `${quote(text, token)} is neither a number nor a declared variable.`,
        'Declare a variable before its first use; numbers are decimals such as -0.5 or 1e-3.',
      );
    }
    if (token.kind !== '(') {
      throw fail(token.start, `${quote(text, token)} where a number or a variable was expected.`, 'Correct the file.');
    }
    checkDepth(depth, token.start);
    const operator = expect('word', '+, - or *');
    const terms: LinearTerm[] = [];
    while (tokens.peek().kind !== ')' && tokens.peek().kind !== 'end') terms.push(term(depth + 1));
    expect(')', 'a closing parenthesis');
    return combine(operator, terms);
  };

  const combine = (operator: Token, terms: readonly LinearTerm[]): LinearTerm => {
    const [first, ...rest] = terms;
    const at = operator.start;
    if (first === undefined) {
      throw fail(at, `${quote(text, operator)} of nothing.`, 'Give at least one term.');
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
        throw fail(at, `the function ${quote(text, operator)}.`, 'Terms may use +, - and * with a number.');
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
    const terms: LinearTerm[] = [];
    while (tokens.peek().kind !== ')' && tokens.peek().kind !== 'end') terms.push(term(0));
    if (terms.length < 2) {
      throw fail(operator.start, `${quote(text, operator)} of ${terms.length} terms.`, 'Compare two terms.');
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
        while (tokens.peek().kind === '(') parts.push(formula(depth + 1));
        if (parts.length === 0) throw fail(at, `${quote(text, operator)} of nothing.`, 'Give its parts.');
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
        throw fail(at, `${quote(text, operator)} in an assertion.`, 'Assertions may use and, or, <=, >=, <, > and =.');
    }
    expect(')', 'a closing parenthesis');
    return result;
  };

  const skip = () => {
    for (let depth = 0; ; ) {
      const token = tokens.peek();
      if (token.kind === 'end' || (token.kind === ')' && depth === 0)) return;
      if (token.kind === '(') depth++;
      if (token.kind === ')') depth--;
      tokens.next();
    }
  };

  while (tokens.peek().kind !== 'end') {
    const open = expect('(', 'a command in parentheses');
    const command = word(expect('word', 'a command'));
    if (final !== undefined && !FINAL.has(command)) {
      throw fail(open.start, `a command after ${final}.`, `Put ${final} at the end of the file, or remove it.`);
    }
    if (command === 'declare-const') {
      use('1.0', open.start);
      declareConst();
    } else if (command === 'assert') {
      if (version === '2.0' && tensors.size === 0) {
        throw fail(open.start, 'an assertion before declare-network.', 'Declare the network first.');
      }
      assertions.push(formula(0));
    } else if (command === 'vnnlib-version') {
      use('2.0', open.start);
      const asked = expect('word', 'a version');
      if (word(asked) !== '<2.0>')
        throw fail(asked.start, `version ${quote(text, asked)}.`, 'Only version <2.0> is supported.');
    } else if (command === 'declare-network') {
      if (version !== '2.0') throw fail(open.start, 'declare-network.', 'Begin the file with (vnnlib-version <2.0>).');
      declareNetwork(open.start);
    } else if (IGNORED.has(command)) skip();
    else if (FINAL.has(command)) final = command;
    else throw fail(open.start, `the command "${command.slice(0, 40)}".`, KNOWN_COMMANDS);
    expect(')', 'a closing parenthesis');
  }
  return { ...countVariables(text, declared, variables, tensors), assertions };
}

const isDigit = (code: number) => code >= 48 && code <= 57;

/** The number that a word writes, or undefined for a name. Not every word that `Number` reads is one: 0x10, Infinity. */
function numberOf(text: string, { start, end }: Token): number | undefined {
  const first = text.charCodeAt(start);
  if (!isDigit(first) && first !== 45 && first !== 43 && first !== 46) return undefined;
  const word = text.slice(start, end);
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(word) ? Number(word) : undefined;
}

function countVariables(
  text: string,
  declared: { readonly [S in Variable['side']]: { readonly count: number; readonly last: number } },
  variables: ReadonlyMap<string, LinearTerm>,
  tensors: ReadonlyMap<string, Tensor>,
) {
  const count = (side: Variable['side']): number => {
    const tensor = [...tensors.values()].find((candidate) => candidate.side === side);
    if (tensor !== undefined) return tensor.shape.reduce((product, n) => product * n, 1);
    const letter = side === 'input' ? 'X' : 'Y';
    const { count: total, last } = declared[side];
    if (total === 0) {
      throw badVnnlib(text, text.length, `no ${side} is declared.`, `Declare ${letter}_0, ${letter}_1, ...`);
    }
    if (last >= total) {
      // No index is declared twice: one of the first is missing.
      let missing = 0;
      while (variables.has(`${letter}_${missing}`)) missing++;
      throw badVnnlib(
        text,
        text.length,
        `${total} variables ${letter}_... are declared, but ${letter}_${missing} is missing.`,
        'Declare every index, starting from 0.',
      );
    }
    return total;
  };
  const [name, tensor] = [...tensors].find(([, { side }]) => side === 'input') ?? [];
  const inputs = count('input');
  const shape = tensor?.shape;
  return {
    inputs,
    outputs: count('output'),
    nameOfInput: (index: number) => (shape === undefined ? `X_${index}` : `${name}[${indexOf(shape, index)}]`),
  };
}

/** The index along each axis of an element in C order. */
function indexOf(shape: readonly number[], flat: number): number[] {
  let rest = flat;
  return shape
    .map((_, axis) => shape[shape.length - 1 - axis]!)
    .map((length) => {
      const at = rest % length;
      rest = (rest - at) / length;
      return at;
    })
    .reverse();
}

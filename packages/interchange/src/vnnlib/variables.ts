import type { Reader } from './reader.js';
import { type LinearTerm, type Variable, variableTerm } from './terms.js';
import type { Token } from './tokens.js';

/** Variables of a tensor above which an index no longer means anything. */
const MAX_VARIABLES = 10_000_000;

/** Tensors of a network of VNN-LIB 2.0: names of elements are an index into a shape. */
interface Tensor {
  readonly side: Variable['side'];
  readonly shape: readonly number[];
}

/** What a file declares. */
export interface Variables {
  /** Reads the rest of a declare-const (VNN-LIB 1.0): one variable. */
  declareConst(): void;
  /** Reads the rest of a declare-network (VNN-LIB 2.0) that begins at a place in the file: one tensor for each side. */
  declareNetwork(at: number): void;
  /** Whether a network is declared. */
  readonly network: boolean;
  /** The variable that a token names, or undefined. An index may stand in the token behind it, which is then read too. */
  find(token: Token): LinearTerm | undefined;
  /** The number of variables and the names of inputs. Call this at the end of the file. */
  count(): { readonly inputs: number; readonly outputs: number; nameOfInput(index: number): string };
}

/** The variables of a file that is being read. */
export function variablesOf(reader: Reader): Variables {
  const { expect, fail, quote, word } = reader;
  /** Every variable as a term, by the name that the file gives it. */
  const variables = new Map<string, LinearTerm>();
  const declared: { readonly [S in Variable['side']]: { count: number; last: number } } = {
    input: { count: 0, last: -1 },
    output: { count: 0, last: -1 },
  };
  const tensors = new Map<string, Tensor>();

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
      throw fail(sort.start, `the sort ${quote(sort)}.`, 'Variables must have the sort Real.');
    }
  };

  const declareNetwork = (at: number) => {
    if (tensors.size > 0) {
      throw fail(at, 'a second network.', 'Split the file: a property file may declare only one network.');
    }
    expect('word', 'the name of the network');
    while (reader.peek().kind === '(') {
      const open = reader.next();
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
        `the tensor name ${quote(name)}.`,
        'Use a unique name of letters and digits for each tensor.',
      );
    }
    if ([...tensors.values()].some((tensor) => tensor.side === side)) {
      throw fail(name.start, `a second ${side}.`, `Only networks with one ${side} are supported.`);
    }
    const type = expect('word', 'an element type');
    if (!/^(real|Real|float32|float64)$/.test(word(type))) {
      throw fail(type.start, `the element type ${quote(type)}.`, 'Supported types: real, float32, float64.');
    }
    const shape = expect('word', 'a shape such as [1,5]');
    const lengths = indices(shape);
    if (lengths.includes(0) || lengths.reduce((product, n) => product * n, 1) > MAX_VARIABLES) {
      throw fail(shape.start, `the shape ${quote(shape)}.`, 'Give the lengths of the axes, such as [1,5].');
    }
    tensors.set(word(name), { side, shape: lengths });
  };

  /** The whole numbers of a word such as [1,5]. */
  const indices = (token: Token): number[] => {
    const inside = /^\[\s*(\d{1,9}(?:\s*,\s*\d{1,9})*)?\s*\]$/.exec(word(token));
    if (inside === null) {
      throw fail(token.start, `${quote(token)} where whole numbers in brackets were expected.`, 'Write [1,5].');
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
    const after = reader.peek();
    if (after.kind === 'word' && reader.text[after.start] === '[') return reader.next();
    if (tensor.shape.length === 0) return undefined;
    throw fail(name.start, `${quote(name)} without an index.`, 'Compare elements, such as X[0,3].');
  };

  const countOf = (side: Variable['side']): number => {
    const tensor = [...tensors.values()].find((candidate) => candidate.side === side);
    if (tensor !== undefined) return tensor.shape.reduce((product, n) => product * n, 1);
    const letter = side === 'input' ? 'X' : 'Y';
    const { count: total, last } = declared[side];
    if (total === 0) {
      throw fail(reader.text.length, `no ${side} is declared.`, `Declare ${letter}_0, ${letter}_1, ...`);
    }
    if (last >= total) {
      // No index is declared twice: one of the first is missing.
      let missing = 0;
      while (variables.has(`${letter}_${missing}`)) missing++;
      throw fail(
        reader.text.length,
        `${total} variables ${letter}_... are declared, but ${letter}_${missing} is missing.`,
        'Declare every index, starting from 0.',
      );
    }
    return total;
  };

  const count = () => {
    const [name, tensor] = [...tensors].find(([, { side }]) => side === 'input') ?? [];
    const inputs = countOf('input');
    const shape = tensor?.shape;
    return {
      inputs,
      outputs: countOf('output'),
      nameOfInput: (index: number) => (shape === undefined ? `X_${index}` : `${name}[${indexOf(shape, index)}]`),
    };
  };

  return {
    declareConst,
    declareNetwork,
    get network() {
      return tensors.size > 0;
    },
    find: (token) => (tensors.size > 0 ? element(token) : variables.get(word(token))),
    count,
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

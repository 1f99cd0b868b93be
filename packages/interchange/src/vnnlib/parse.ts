import { readFormula } from './assertions.js';
import type { Formula } from './formula.js';
import { type Reader, readerOf } from './reader.js';
import { variablesOf } from './variables.js';

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

/** Commands of SMT-LIB that change nothing, and those that ask a solver for something at the end of a file. */
const IGNORED = new Set(['set-logic', 'set-info', 'set-option']);
const FINAL = new Set(['check-sat', 'get-model', 'exit']);

const KNOWN_COMMANDS =
  'Supported commands: declare-const, assert; in VNN-LIB 2.0 also vnnlib-version, declare-network.';

/**
 * Reads a file of VNN-LIB 1.0, or of the part of 2.0 that says the same.
 *
 * @throws CertError `bad-file` with line and column
 */
export function parseVnnlib(text: string): ParsedFile {
  const reader = readerOf(text);
  const { expect, fail, quote, word } = reader;
  const variables = variablesOf(reader);
  const assertions: Formula[] = [];
  let version: '1.0' | '2.0' | undefined;
  let final: string | undefined;

  const use = (asked: '1.0' | '2.0', at: number) => {
    if (version !== undefined && version !== asked) {
      throw fail(at, `a command of VNN-LIB ${asked} in a file of ${version}.`, 'Use one version throughout the file.');
    }
    version = asked;
  };

  while (reader.peek().kind !== 'end') {
    const open = expect('(', 'a command in parentheses');
    const command = word(expect('word', 'a command'));
    if (final !== undefined && !FINAL.has(command)) {
      throw fail(open.start, `a command after ${final}.`, `Put ${final} at the end of the file, or remove it.`);
    }
    if (command === 'declare-const') {
      use('1.0', open.start);
      variables.declareConst();
    } else if (command === 'assert') {
      if (version === '2.0' && !variables.network) {
        throw fail(open.start, 'an assertion before declare-network.', 'Declare the network first.');
      }
      assertions.push(readFormula(reader, variables.find));
    } else if (command === 'vnnlib-version') {
      use('2.0', open.start);
      const asked = expect('word', 'a version');
      if (word(asked) !== '<2.0>')
        throw fail(asked.start, `version ${quote(asked)}.`, 'Only version <2.0> is supported.');
    } else if (command === 'declare-network') {
      if (version !== '2.0') throw fail(open.start, 'declare-network.', 'Begin the file with (vnnlib-version <2.0>).');
      variables.declareNetwork(open.start);
    } else if (IGNORED.has(command)) skip(reader);
    else if (FINAL.has(command)) final = command;
    else throw fail(open.start, `the command "${command.slice(0, 40)}".`, KNOWN_COMMANDS);
    expect(')', 'a closing parenthesis');
  }
  return { ...variables.count(), assertions };
}

/** Skips to the closing parenthesis of a command. */
function skip(reader: Reader): void {
  for (let depth = 0; ; ) {
    const token = reader.peek();
    if (token.kind === 'end' || (token.kind === ')' && depth === 0)) return;
    if (token.kind === '(') depth++;
    if (token.kind === ')') depth--;
    reader.next();
  }
}

import { CertError } from '@cert/core';

/** One token of an s-expression. The text is cut out only where it is needed. */
export interface Token {
  /** A parenthesis, a word (a name or a number), or the end of the text. */
  readonly kind: '(' | ')' | 'word' | 'end';
  /** Index of its first character. */
  readonly start: number;
  /** Index behind its last character. */
  readonly end: number;
}

/** The tokens of a text, one after another. */
export interface Tokens {
  /** The next token, which the call after that moves on from; after the last one always `end`. */
  next(): Token;
  /** The next token, without moving on. */
  peek(): Token;
}

const [OPEN, CLOSE, SEMICOLON, NEWLINE, SPACE, LEFT, RIGHT, QUOTE, BAR] = [...'();\n []"|'].map((c) =>
  c.charCodeAt(0),
) as [number, number, number, number, number, number, number, number, number];
const BYTE_ORDER_MARK = 0xfeff;

/**
 * Reads parentheses and words; skips blanks and comments, from a semicolon to the end of the line. Indices in brackets belong to a word, and
 * what stands in quotes or between bars is one.
 */
export function tokenize(text: string): Tokens {
  let at = text.charCodeAt(0) === BYTE_ORDER_MARK ? 1 : 0;
  let ahead: Token | undefined;

  const read = (): Token => {
    for (; at < text.length; at++) {
      const c = text.charCodeAt(at);
      if (c === SEMICOLON) {
        const line = text.indexOf('\n', at);
        at = line === -1 ? text.length : line;
        if (line === -1) break;
      } else if (c > SPACE) break;
    }
    const start = at;
    if (start >= text.length) return { kind: 'end', start: text.length, end: text.length };
    const first = text.charCodeAt(at++);
    if (first === OPEN) return { kind: '(', start, end: at };
    if (first === CLOSE) return { kind: ')', start, end: at };
    if (first === QUOTE || first === BAR) {
      const close = text.indexOf(text[start]!, at);
      at = close === -1 ? text.length : close + 1;
      return { kind: 'word', start, end: at };
    }
    for (let inBrackets = first === LEFT; at < text.length; at++) {
      const c = text.charCodeAt(at);
      if (c === OPEN || c === CLOSE || c === SEMICOLON || c === NEWLINE || c === QUOTE || c === BAR) break;
      if (c <= SPACE && !inBrackets) break;
      if (c === LEFT) inBrackets = true;
      if (c === RIGHT) inBrackets = false;
    }
    return { kind: 'word', start, end: at };
  };

  return {
    next() {
      const token = ahead ?? read();
      ahead = undefined;
      return token;
    },
    peek() {
      ahead ??= read();
      return ahead;
    },
  };
}

/** The words of a token, cut short where it is long. */
export function quote(text: string, token: Token): string {
  if (token.kind === 'end') return 'the end of the file';
  const word = text.slice(token.start, Math.min(token.end, token.start + 40));
  return `"${token.end - token.start > 40 ? `${word}...` : word}"`;
}

/** The error for a place in a text; `problem` continues a sentence that names line and column, which count from 1. */
export function badVnnlib(text: string, at: number, problem: string, cure: string): CertError {
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  const column = at - before.lastIndexOf('\n');
  return new CertError('bad-file', `Line ${line}, column ${column} of the VNN-LIB file: ${problem}`, cure);
}

import { badVnnlib, quote, type Token, tokenize } from './tokens.js';

/** A file that is read token by token, with errors that name a place in it. */
export interface Reader {
  readonly text: string;
  next(): Token;
  peek(): Token;
  /** The text of a token. */
  word(token: Token): string;
  /** A token's text for a message. */
  quote(token: Token): string;
  /** The next token, which must be of a kind. `what` is what was expected, for the message. */
  expect(kind: Token['kind'], what: string): Token;
  /** Reads items up to the closing parenthesis that ends them, which it leaves. */
  list<Item>(item: () => Item): Item[];
  /** An error at a place in the file. */
  fail(at: number, problem: string, cure: string): Error;
}

export function readerOf(text: string): Reader {
  const tokens = tokenize(text);
  const reader: Reader = {
    text,
    next: () => tokens.next(),
    peek: () => tokens.peek(),
    word: ({ start, end }) => text.slice(start, end),
    quote: (token) => quote(text, token),
    expect(kind, what) {
      const token = tokens.next();
      if (token.kind === kind) return token;
      throw reader.fail(
        token.start,
        `${quote(text, token)} where ${what} was expected.`,
        'Correct the file at this position.',
      );
    },
    list(item) {
      const items = [];
      while (tokens.peek().kind !== ')' && tokens.peek().kind !== 'end') items.push(item());
      return items;
    },
    fail: (at, problem, cure) => badVnnlib(text, at, problem, cure),
  };
  return reader;
}

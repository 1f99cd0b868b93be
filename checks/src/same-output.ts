/** Compares what a document says that a program prints with what it printed. */

/**
 * Whether a comment behind a statement says what the statement printed. White space, the heading of a printed tensor and commas
 * before a closing bracket do not count. A number may have more digits than the comment gives; it must round to them.
 */
export function sameOutput(comment: string, printed: string): boolean {
  const [said, seen] = [tokens(comment), tokens(printed.replace(/^Tensor\n/, ''))];
  return said.length === seen.length && said.every((token, i) => token === seen[i] || sameNumber(token, seen[i]!));
}

/**
 * The first line of a text that an output does not have after the lines before it; undefined when it has them all, in this order. Numbers may be
 * others, as they differ from machine to machine. Three dots stand for any text within a line, and on a line of their own for any lines.
 */
export function missingLine(text: string, output: string): string | undefined {
  const lines = output.split('\n').map(withoutNumbers);
  let from = 0;
  return text
    .trimEnd()
    .split('\n')
    .find((line) => {
      if (line.trim() === '...' || line.trim() === '') return false;
      const wanted = pattern(withoutNumbers(line));
      const at = lines.findIndex((seen, i) => i >= from && wanted.test(seen));
      from = at + 1;
      return at === -1;
    });
}

const pattern = (line: string) =>
  new RegExp(
    `^${line
      .split(/ ?\.\.\. ?/)
      .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
      .join('.*')}$`,
  );

const NUMBER = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi;

/** Numbers, and the text between them without white space. */
const tokens = (text: string): readonly string[] =>
  text
    .replaceAll(/,\s*(?=[\]}])/g, '')
    .split(/(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)/i)
    .map((token) => token.replaceAll(/\s+/g, ''));

function sameNumber(said: string, seen: string): boolean {
  if (!isNumber(said) || !isNumber(seen)) return false;
  const decimals = /\.(\d+)$/.exec(said)?.[1]?.length ?? (/e/i.test(said) ? undefined : 4);
  const allowed = decimals === undefined ? 0.05 * Math.abs(Number(said)) : 0.5 * 10 ** -decimals;
  return Math.abs(Number(said) - Number(seen)) <= 1.001 * allowed;
}

const isNumber = (token: string) => token !== '' && Number.isFinite(Number(token));

/** Rows of figures are as wide as their numbers: runs of blanks and dashes count as one. */
const withoutNumbers = (line: string) =>
  line.replaceAll(NUMBER, '#').replaceAll(/\s+/g, ' ').replaceAll(/-+/g, '-').trim();

import { styleText } from 'node:util';
import { columnsOf, wrapText } from './show/width.js';

/** Where a command writes to. Libraries print nothing; commands print through this. */
export interface Terminal {
  /** Writes a line of results. */
  out(line: string): void;
  /** Writes a line about what went wrong. */
  err(line: string): void;
  /** A terminal that progress bars can be drawn on; null in a pipe. */
  readonly screen: NodeJS.WritableStream | null;
  /** Whether results may be coloured; default not. */
  readonly colors?: boolean;
}

/** Whether a stream shows colours: a terminal, unless NO_COLOR is set or it has none. */
const hasColors = (stream: NodeJS.WriteStream) =>
  stream.isTTY && styleText('red', 'x', { stream, validateStream: true }) !== 'x';

/** The first word of what went wrong, coloured. */
const marked = (line: string): string =>
  line
    .replace(/^error:/, (word) => styleText('red', word, { validateStream: false }))
    .replace(/^(warning|note):/i, (word) => styleText('yellow', word, { validateStream: false }));

/** A text that is broken between words where it is wider than the screen; a line that ends in a command to copy stays whole. */
const fit = (text: string, width: number): string =>
  text
    .split('\n')
    .flatMap((line) => (/: (npx|npm|cert) /.test(line) ? [line] : wrapText(line, width)))
    .join('\n');

/**
 * The terminal of this process. When whoever reads the output goes away (`| head -1`), the rest is dropped and the work continues; when it
 * cannot be written for another reason (a full disk), one message says so and the exit status becomes 1.
 */
export function processTerminal(): Terminal {
  const write = (stream: NodeJS.WriteStream) => {
    let failed = false;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (!failed && error.code !== 'EPIPE') {
        process.exitCode = 1;
        if (stream !== process.stderr) process.stderr.write(`error: cannot write the output: ${error.message}\n`);
      }
      failed = true;
    });
    return (line: string) => {
      if (failed || !stream.writable) return;
      const fitted = stream === process.stderr && stream.isTTY ? fit(line, columnsOf(stream)) : line;
      const text = stream === process.stderr && hasColors(stream) ? marked(fitted) : fitted;
      // A line of progress, or the ^C of whoever stopped it, may stand where this begins: it is covered, and the rest of it cleared.
      stream.write(stream.isTTY ? `\r${text.replaceAll('\n', '\u001b[K\n')}\u001b[K\n` : `${text}\n`);
    };
  };
  return {
    out: write(process.stdout),
    err: write(process.stderr),
    screen: process.stdout.isTTY ? process.stdout : null,
    get colors() {
      return hasColors(process.stdout);
    },
  };
}

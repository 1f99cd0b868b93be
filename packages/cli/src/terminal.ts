/** Where a command writes to. Libraries print nothing; commands print through this. */
export interface Terminal {
  /** Writes a line of results. */
  out(line: string): void;
  /** Writes a line about what went wrong. */
  err(line: string): void;
  /** A terminal that progress bars can be drawn on; null in a pipe. */
  readonly screen: NodeJS.WritableStream | null;
}

/** The terminal of this process. */
export const processTerminal = (): Terminal => ({
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  screen: process.stdout.isTTY ? process.stdout : null,
});

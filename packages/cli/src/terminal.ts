/** Where a command writes to. Libraries print nothing; commands print through this. */
export interface Terminal {
  /** Writes a line of results. */
  out(line: string): void;
  /** Writes a line about what went wrong. */
  err(line: string): void;
  /** A terminal that progress bars can be drawn on; null in a pipe. */
  readonly screen: NodeJS.WritableStream | null;
}

/**
 * The terminal of this process. When whoever reads the output goes away (`| head -1`), the rest is dropped and the work goes on; when it
 * cannot be written for another reason (a full disk), one message says so and the exit status becomes 1.
 */
export function processTerminal(): Terminal {
  const write = (stream: NodeJS.WriteStream) => {
    let failed = false;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (!failed && error.code !== 'EPIPE') {
        process.exitCode = 1;
        if (stream !== process.stderr) process.stderr.write(`error: the output cannot be written: ${error.message}\n`);
      }
      failed = true;
    });
    return (line: string) => {
      if (!failed && stream.writable) stream.write(`${line}\n`);
    };
  };
  return {
    out: write(process.stdout),
    err: write(process.stderr),
    screen: process.stdout.isTTY ? process.stdout : null,
  };
}

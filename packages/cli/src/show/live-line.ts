import { columnsOf } from './width.js';

/** Milliseconds between changes of the line. */
const INTERVAL = 200;

/** A line of a screen that changes in place. */
export interface LiveLine {
  /** Draws it again. */
  draw(): void;
  /** The same unless it was drawn a moment ago, where there is much to tell: a computation may keep its clock from ticking. */
  update(): void;
  /** Writes lines above it. */
  above(write: () => void): void;
  /** Removes it. */
  close(): void;
}

/**
 * Shows a line that changes in place. It never reaches the last column, so that no terminal wraps it, and the cursor rests at its beginning: what
 * others write covers it. It changes no setting of the terminal, which would outlive a process that is killed.
 *
 * @param render the line, of at most `width` characters
 */
export function liveLine(screen: NodeJS.WritableStream, render: (width: number) => string): LiveLine {
  let drawn = Number.NEGATIVE_INFINITY;
  let [shown, closed] = ['', false];
  const draw = () => {
    if (closed) return;
    drawn = performance.now();
    const width = columnsOf(screen) - 1;
    const line = render(width).slice(0, width);
    if (line !== shown) screen.write(`\r\u001b[K${line}\r`);
    shown = line;
  };
  const clear = () => {
    if (shown !== '') screen.write('\r\u001b[K');
    shown = '';
  };
  const timer = setInterval(draw, INTERVAL).unref();
  draw();
  return {
    draw,
    update() {
      if (performance.now() - drawn >= INTERVAL) draw();
    },
    above(write) {
      clear();
      write();
      draw();
    },
    close() {
      clearInterval(timer);
      clear();
      closed = true;
    },
  };
}

/** A bar of `width` characters, filled up to a fraction. */
export function bar(fraction: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * width);
  return '\u2588'.repeat(full) + '\u2591'.repeat(width - full);
}

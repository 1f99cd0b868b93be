import { Presets, SingleBar } from 'cli-progress';
import type { Terminal } from '../terminal.js';

/** Shows which of a row of tasks is under way, after those that are done: on a screen a bar, in a pipe a line for each. */
export function showCount(
  terminal: Terminal,
  total: number,
): { next(done: number, what: string): void; close(): void } {
  if (terminal.screen === null) {
    return { next: (done, what) => terminal.out(`${done + 1}/${total}  ${what}`), close: () => {} };
  }
  const bar = new SingleBar(
    { format: ' |{bar}| {value}/{total}  {what}', stream: terminal.screen, hideCursor: true, gracefulExit: false },
    Presets.shades_classic,
  );
  bar.start(total, 0, { what: '' });
  return {
    next(done, what) {
      bar.update(done + 1, { what });
      // Drawing weights blocks the timer that draws the bar.
      bar.render();
    },
    close: () => bar.stop(),
  };
}

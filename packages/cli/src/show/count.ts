import type { Terminal } from '../terminal.js';
import { bar, liveLine } from './live-line.js';

/** Shows which of a row of tasks is under way, after those that are done: on a screen a bar, in a pipe a line for each. */
export function showCount(
  terminal: Terminal,
  total: number,
): { next(done: number, what: string): void; close(): void } {
  if (terminal.screen === null) {
    return { next: (done, what) => terminal.out(`${done + 1}/${total}  ${what}`), close: () => {} };
  }
  let [count, task] = [0, ''];
  const live = liveLine(terminal.screen, (width) => {
    const text = `${count}/${total}  ${task}`;
    return `|${bar(count / total, Math.max(4, Math.min(40, width - text.length - 3)))}| ${text}`;
  });
  return {
    next(done, what) {
      [count, task] = [done + 1, what];
      // Drawing weights blocks the timer that draws the line.
      live.draw();
    },
    close: () => live.close(),
  };
}

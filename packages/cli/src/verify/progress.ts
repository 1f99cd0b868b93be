import type { DecideProgress } from '@cert/verify';
import type { Terminal } from '../terminal.js';

/** Milliseconds between lines in a pipe. */
const IN_A_PIPE = 30_000;
/** Milliseconds between changes of the line on a screen. */
const ON_A_SCREEN = 200;

/** Tells how far a search has come. */
interface SearchProgressLine {
  /** The latest state. */
  tell(progress: DecideProgress): void;
  /** Clears the line and tells nothing more. */
  close(): void;
}

/**
 * Shows how far a search is: on a screen a line that changes, in a pipe, and where results are JSON, a line of the error output every 30 seconds,
 * whether the search has told something or not.
 *
 * @param about what is verified, in front of the line; may be empty
 */
export function progressLine(
  terminal: Terminal,
  { json, quiet = false, about }: { readonly json: boolean; readonly quiet?: boolean; readonly about: string },
): SearchProgressLine {
  const screen = json ? null : terminal.screen;
  const began = Date.now();
  let latest: DecideProgress | undefined;
  const line = () => `${about}${((Date.now() - began) / 1000).toFixed(0)} s: ${describe(latest)}`;
  let shown = false;
  const show = () => {
    if (screen === null) terminal.err(line());
    else {
      screen.write(`\r\u001b[K${line().slice(0, 79)}`);
      shown = true;
    }
  };
  const timer = quiet ? undefined : setInterval(show, screen === null ? IN_A_PIPE : ON_A_SCREEN);
  return {
    tell(progress: DecideProgress) {
      latest = progress;
    },
    close() {
      clearInterval(timer);
      if (shown) screen?.write('\r\u001b[K');
      shown = false;
    },
  };
}

function describe(progress: DecideProgress | undefined): string {
  if (progress === undefined) return 'attack and first bounds';
  const { visited, open, lower, region, regions } = progress;
  const part = regions > 1 ? `region ${region}/${regions}, ` : '';
  const least = Number.isFinite(lower) ? `, lower bound ${lower.toPrecision(3)}` : '';
  return `${part}${visited} parts bounded, ${open} open${least}`;
}

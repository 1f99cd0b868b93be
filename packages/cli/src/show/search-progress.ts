import type { SearchEvent } from '../search/run-search.js';
import type { Terminal } from '../terminal.js';
import { type LiveLine, liveLine } from './live-line.js';
import { trialLine } from './search-text.js';
import { widthOf, wrapText } from './width.js';

/** Shows a search to a person: a line for each job that has ended, and on a screen which ones are running. */
export function searchProgress(
  terminal: Terminal,
  total: number | undefined,
): { see(event: SearchEvent): void; close(): void } {
  const running = new Map<number, { epoch: number; readonly epochs: number }>();
  let ended = 0;
  const line = () => {
    const each = [...running].map(([trial, { epoch, epochs }]) => `trial ${trial} epoch ${epoch}/${epochs}`);
    const of = total === undefined ? '' : ` of ${total} trials,`;
    return `${ended}${of} training: ${each.join(', ') || 'none'}`;
  };
  const live: LiveLine | undefined = terminal.screen === null ? undefined : liveLine(terminal.screen, line);
  const say = (text: string) => {
    const write = () => terminal.out(wrapText(text, widthOf(terminal)).join('\n'));
    if (live === undefined) write();
    else live.above(write);
  };
  return {
    see(event) {
      if (event.type === 'started') running.set(event.trial, { epoch: 0, epochs: event.epochs });
      else if (event.type === 'epoch') {
        const known = running.get(event.trial);
        if (known !== undefined) known.epoch = event.epoch;
      } else {
        running.delete(event.trial.trial);
        ended++;
        say(trialLine(event.trial));
      }
      live?.update();
    },
    close: () => live?.close(),
  };
}

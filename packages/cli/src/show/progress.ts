import { describeEvent, exampleWords, type RunEvent } from '@cert/trainer/pipeline';
import { resumeHint } from '../called-as.js';
import type { Terminal } from '../terminal.js';
import { epochLine } from './drafts.js';
import { type LiveLine, liveLine } from './live-line.js';
import { painter } from './paint.js';
import { progressState } from './progress-state.js';
import { widthOf, wrapText } from './width.js';

/** Milliseconds between lines in a pipe, at most. */
const IN_A_PIPE = 30_000;

/** Shows events to a person. */
export interface ProgressReporter {
  /** Takes an event in. */
  (event: RunEvent): void;
  /** Removes what changes on the screen, and shows no more: for work that ends by an error. */
  close(): void;
}

/** What is said when a run was stopped, and how to continue it. */
export const stoppedLine = (event: Extract<RunEvent, { type: 'stopped' }>): string =>
  `${describeEvent(event)} ${resumeHint(event.folder)}`;

/**
 * Shows events to a person: on a screen a line that changes in place and fits the width, and one line for each epoch; in a pipe one line for
 * each epoch, and one at least every 30 seconds.
 *
 * @param words what examples are called where no run begins; default: images
 */
export function progressReporter(terminal: Terminal, words = exampleWords('')): ProgressReporter {
  const { out, screen } = terminal;
  const paint = painter(terminal);
  const state = progressState(words);
  let live: LiveLine | undefined;
  let [timer, told]: [NodeJS.Timeout | undefined, number] = [undefined, performance.now()];

  const say = (line: string) => {
    told = performance.now();
    const write = () => void out(screen === null ? line : wrapText(line, widthOf(terminal)).join('\n'));
    if (live === undefined) write();
    else live.above(write);
  };
  const warn = (text: string) => {
    // The first word alone: a text of several lines would be coloured across them.
    const [, first, rest] = /^(Warning:)?(.*)$/s.exec(text)!;
    say(first === undefined ? rest! : `${paint('warning', first)}${rest}`);
  };
  const tell = () => {
    if (performance.now() - told >= IN_A_PIPE) say(state.line(Number.POSITIVE_INFINITY));
  };
  const close = () => {
    live?.close();
    live = undefined;
    clearInterval(timer);
    timer = undefined;
  };
  const follow = () => {
    if (screen !== null) {
      live ??= liveLine(screen, state.line);
      live.update();
    } else if (timer === undefined) {
      told = performance.now();
      timer = setInterval(tell, 1000).unref();
    } else tell();
  };

  const show = (event: RunEvent): void => {
    state.see(event);
    switch (event.type) {
      case 'start': {
        close();
        const [first, ...warnings] = describeEvent(event)!.split('\n');
        say(first!);
        for (const warning of warnings) warn(warning);
        follow();
        return;
      }
      case 'epoch':
        say(screen === null ? describeEvent(event)! : epochLine(event, state.epochs(), widthOf(terminal)));
        follow();
        return;
      case 'step': {
        follow();
        const warning = state.warning();
        if (warning !== undefined) warn(warning);
        return;
      }
      case 'decoding': {
        const line = screen === null ? describeEvent(event) : undefined;
        if (line !== undefined) say(line);
        follow();
        if (event.images === event.of) close();
        return;
      }
      case 'evaluating':
        follow();
        if (event.images === event.of) close();
        return;
      case 'early-stop':
        say(describeEvent(event)!);
        follow();
        return;
      case 'warning':
        warn(describeEvent(event)!);
        return;
      case 'stopped':
        close();
        out(stoppedLine(event));
        return;
      case 'failed':
        // Whoever catches the error prints it.
        close();
        return;
      case 'finished':
        close();
        if (screen === null) out(describeEvent(event)!);
        return;
      default:
        event satisfies never;
    }
  };
  return Object.assign(show, { close });
}

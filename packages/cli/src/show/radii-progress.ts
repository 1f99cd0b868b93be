import { duration } from '@cert/trainer/pipeline';
import type { Terminal } from '../terminal.js';
import { type LiveLine, liveLine } from './live-line.js';

/** Milliseconds between lines in a pipe. */
const IN_A_PIPE = 30_000;

/** Shows how many certified radii are computed: a line that changes on a screen, and a line every 30 seconds in a pipe. */
export function radiiProgress({ out, screen }: Terminal) {
  let state: { readonly done: number; readonly of: number; readonly before: number } | undefined;
  let live: LiveLine | undefined;
  const began = performance.now();
  let told = began;
  const line = () => {
    if (state === undefined) return '';
    const { done, of, before } = state;
    const each = (performance.now() - began) / Math.max(1, done - before);
    const left = done === before ? '' : `  ${duration((each * (of - done)) / 1000)} left`;
    return `certified radii  ${done}/${of}${left}`;
  };
  const close = () => {
    live?.close();
    live = undefined;
  };
  return {
    update(done: number, of: number, before: number): void {
      state = { done, of, before };
      if (done === of) close();
      else if (screen !== null) {
        live ??= liveLine(screen, line);
        live.update();
      } else if (performance.now() - told >= IN_A_PIPE) {
        told = performance.now();
        out(line());
      }
    },
    close,
  };
}

import { describeEvent, number, type RunEvent } from '@cert/trainer/pipeline';
import { Presets, SingleBar } from 'cli-progress';
import { resumeHint } from '../called-as.js';
import type { Terminal } from '../terminal.js';

/** Shows events to a person: on a screen one progress bar an epoch, in a pipe one line an epoch. */
export function progressReporter(terminal: Terminal): (event: RunEvent) => void {
  return terminal.screen === null ? lineReporter(terminal) : barReporter(terminal, terminal.screen);
}

/** An event as a line for a person, who may want to continue what was stopped. */
const lineOf = (event: RunEvent): string | undefined =>
  event.type === 'stopped' ? stoppedLine(event) : describeEvent(event);

/** What is said when a run was stopped, and how to continue it. */
export const stoppedLine = (event: Extract<RunEvent, { type: 'stopped' }>): string =>
  `${describeEvent(event)} ${resumeHint(event.folder)}`;

const lineReporter =
  ({ out }: Terminal) =>
  (event: RunEvent): void => {
    // Whoever catches the error prints it.
    const line = event.type === 'failed' ? undefined : lineOf(event);
    if (line !== undefined) out(line);
  };

const TRAIN_FORMAT =
  ' epoch {epoch} |{bar}| {percentage} %  loss {loss}  epsilon {epsilon}  {speed} images/s  {left} s left  {test}';
const DECODE_FORMAT = ' decoding |{bar}| {value}/{total} images  {left} s left';
const EVAL_FORMAT = ' evaluation |{bar}| {value}/{total} images  {left} s left';

function barReporter({ out }: Terminal, screen: NodeJS.WritableStream): (event: RunEvent) => void {
  let bar: SingleBar | undefined;
  let total = { epochs: 0, stepsPerEpoch: 1 };
  let [began, done, images] = [performance.now(), 0, 0];

  /** A bar of so many ticks. Its clock started at the end of what came before: the first tick takes time too. */
  const open = (format: string, ticks: number, at: number, payload: object) => {
    const made = new SingleBar(
      { format, stream: screen, hideCursor: true, gracefulExit: false, fps: 8 },
      Presets.shades_classic,
    );
    made.start(ticks, at, { left: '?', ...payload });
    return made;
  };
  const close = () => {
    bar?.stop();
    bar = undefined;
    [began, done, images] = [performance.now(), 0, 0];
  };
  const seconds = () => (performance.now() - began) / 1000;
  const left = (remaining: number) => (done === 0 ? '?' : ((seconds() / done) * remaining).toFixed(0));

  return (event) => {
    switch (event.type) {
      case 'start':
        total = event;
        out(describeEvent(event)!);
        close();
        return;
      case 'step': {
        const within = ((event.step - 1) % total.stepsPerEpoch) + 1;
        const blank = { epoch: `${event.epoch}/${total.epochs}`, loss: '?', epsilon: '?', speed: '?', test: '' };
        bar ??= open(TRAIN_FORMAT, total.stepsPerEpoch, within - 1, blank);
        done++;
        images += event.images;
        bar.update(within, {
          loss: number(event.metrics.loss),
          epsilon: number(event.epsilon),
          speed: (images / seconds()).toFixed(0),
          left: left(total.epochs * total.stepsPerEpoch - event.step),
        });
        return;
      }
      case 'epoch': {
        const { standardError, verifiedError } = event.test;
        const test = `test ${(100 * standardError).toFixed(1)} % / verified ${(100 * verifiedError).toFixed(1)} %`;
        bar?.update({ loss: number(event.metrics.loss), test });
        close();
        return;
      }
      case 'decoding':
        bar ??= open(DECODE_FORMAT, event.of, 0, {});
        done = event.images;
        bar.update(event.images, { left: left(event.of - event.images) });
        if (event.images === event.of) close();
        return;
      case 'evaluating':
        bar ??= open(EVAL_FORMAT, event.of, event.before ?? 0, {});
        done = event.images - (event.before ?? 0);
        bar.update(event.images, { left: left(event.of - event.images) });
        if (event.images === event.of) close();
        return;
      case 'warning':
        out(describeEvent(event)!);
        return;
      case 'stopped':
        close();
        out(stoppedLine(event));
        return;
      case 'failed':
      case 'finished':
        close();
        return;
      default:
        event satisfies never;
    }
  };
}

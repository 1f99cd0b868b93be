import { duration, type ExampleWords, errorText, exampleWords, type RunEvent } from '@cert/trainer/pipeline';
import { countDrafts, fitDraft, percentShort, type TrainingState, trainingDrafts } from './drafts.js';

/** Seconds from which a run is long enough for a warning, and the steps after which they are estimated. */
const LONG = 3600;
const STEPS_BEFORE_WARNING = 5;

/** Images that are looked at one after the other. */
interface Counted {
  readonly what: string;
  /** Done in an earlier call. */
  readonly before: number;
  readonly done: number;
  readonly of: number;
  /** When these were done, in seconds. */
  readonly at: number;
}

/**
 * What is known of the work, from its events, and the line that says so.
 *
 * @param words what examples are called where no run has begun
 */
export function progressState(words: ExampleWords) {
  const seconds = () => performance.now() / 1000;
  // As of the last event.
  let estimate: { readonly left: number; readonly at: number } | undefined;
  const expect = (secondsLeft: number) => {
    // An epoch whose steps an earlier call took says nothing of the time.
    if (Number.isFinite(secondsLeft)) estimate = { left: secondsLeft, at: seconds() };
  };
  const left = () => estimate && Math.max(0, estimate.left - (seconds() - estimate.at));
  let run: Extract<RunEvent, { readonly type: 'start' }> | undefined;
  let training: Omit<TrainingState, 'left'> | undefined;
  let verifiedError: string | undefined;
  let counted: Counted | undefined;
  let [began, steps, warned] = [seconds(), 0, false];

  const names = () => (run === undefined ? words : exampleWords(run.config.dataset, run.inputShape));
  const count = (what: string, done: number, of: number, before: number) => {
    if (counted?.what !== what) began = seconds();
    counted = { what, before, done, of, at: seconds() };
  };
  const countLeft = ({ before, done, of, at }: Counted) =>
    done <= before ? left() : ((at - began) / (done - before)) * (of - done) - (seconds() - at);

  return {
    see(event: RunEvent): void {
      switch (event.type) {
        case 'start':
          run = event;
          counted = undefined;
          began = seconds();
          return;
        case 'step': {
          const { epoch, epsilon, metrics, step } = event;
          const { epochs = 1, stepsPerEpoch = 1 } = run ?? {};
          const fraction = (((step - 1) % stepsPerEpoch) + 1) / stepsPerEpoch;
          training = { epoch, epochs, loss: metrics.loss, epsilon, verifiedError, fraction };
          steps++;
          // The first step is compiled, and says little of the others.
          if (steps > 1) expect(event.secondsLeft);
          return;
        }
        case 'epoch':
          verifiedError = errorText(event.test.verifiedError, event.test.verifiedAbsoluteError, percentShort);
          expect(event.secondsLeft);
          training = training && { ...training, verifiedError, epoch: event.epoch + 1, fraction: 0 };
          if (run !== undefined && event.epoch >= run.epochs) count('evaluation', 0, run.testImages, 0);
          return;
        case 'early-stop':
          count('evaluation', 0, run?.testImages ?? 0, 0);
          return;
        case 'decoding':
          count('decoding', event.images, event.of, 0);
          return;
        case 'evaluating':
          count('evaluation', event.images, event.of, event.before ?? 0);
          return;
        default:
          return;
      }
    },
    epochs: () => run?.epochs ?? 0,
    line(width: number): string {
      if (counted !== undefined) {
        const { what, done, before, of } = counted;
        const unit = what === 'decoding' ? 'images' : names().many;
        if (done <= before && left() === undefined) return `${what}  compiling ... ${duration(seconds() - began)}`;
        return fitDraft(countDrafts({ what, unit, done, of }, countLeft(counted)), done / of, width);
      }
      if (training === undefined) {
        const { step = 0, stepsPerEpoch = 1, epochs = '?' } = run ?? {};
        const first = Math.floor(step / stepsPerEpoch) + 1;
        // All epochs of a run that is resumed may have been trained before.
        const what = typeof epochs === 'number' && first > epochs ? 'evaluation' : `epoch ${first}/${epochs}`;
        return `${what}  compiling ... ${duration(seconds() - began)}`;
      }
      return fitDraft(trainingDrafts({ ...training, left: left() }), training.fraction, width);
    },
    /** Once, when the run takes long: how long, and what shortens it. */
    warning(): string | undefined {
      const time = left();
      if (run === undefined || warned || steps < STEPS_BEFORE_WARNING || time === undefined || time < LONG) return;
      warned = true;
      const width = run.config.width === undefined ? '' : ', a narrower model (--width)';
      return `Warning: this run will take about ${duration(time)} (h:mm:ss). To shorten it, use fewer epochs (--epochs), fewer ${names().many} (--limit)${width}, or a GPU (cert doctor lists devices). Ctrl-C stops the run; --resume continues it.`;
    },
  };
}

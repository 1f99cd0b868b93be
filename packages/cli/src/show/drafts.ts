import { duration, errorText, number, type RunEvent } from '@cert/trainer/pipeline';
import { bar } from './live-line.js';
import { radius } from './quantities.js';

/** A line with a bar, in one of the lengths that it can have. */
export interface Draft {
  /** In front of the bar. */
  readonly head: string;
  /** Behind the bar. */
  readonly tail: readonly string[];
  /** Characters that the bar needs at least. */
  readonly least: number;
}

/** Characters of a bar at most. */
const LONGEST = 40;

/** The first draft that fits, with a bar in the space that is left; the last one without a bar where none fits. In a pipe there are no bars. */
export function fitDraft(drafts: readonly Draft[], fraction: number, width: number): string {
  if (width === Number.POSITIVE_INFINITY) return [drafts[0]!.head, ...drafts[0]!.tail].join('  ');
  for (const { head, tail, least } of drafts) {
    const text = tail.join('  ');
    const room = Math.min(LONGEST, width - head.length - text.length - 4);
    if (room >= least) return `${head} |${bar(fraction, room)}| ${text}`;
  }
  const { head, tail } = drafts.at(-1)!;
  return [head, ...tail].join(' ');
}

/** What is known within an epoch. */
export interface TrainingState {
  readonly epoch: number;
  readonly epochs: number;
  readonly loss: number;
  readonly epsilon: number;
  /** Of the epoch before, on the test images, as a text; undefined before the first epoch. */
  readonly verifiedError: string | undefined;
  /** Seconds; undefined while they cannot be estimated. */
  readonly left: number | undefined;
  /** Of the epoch. */
  readonly fraction: number;
}

/** A share with one decimal. */
export const percentShort = (fraction: number) => `${(100 * fraction).toFixed(1)} %`;
const short = (value: number) => String(Number(value.toPrecision(3)));
const known = (...texts: readonly (string | undefined)[]) => texts.filter((text) => text !== undefined);

/** The line of an epoch under way, for wide screens, for 80 and for 60 columns. */
export function trainingDrafts(state: TrainingState): readonly Draft[] {
  const { epoch, epochs, loss, epsilon, verifiedError, fraction } = state;
  const error = verifiedError === undefined ? undefined : `verified error ${verifiedError}`;
  const time = state.left === undefined ? undefined : duration(state.left);
  const left = time && `${time} left`;
  const percent = `${Math.floor(100 * fraction)} %`;
  const long = known(percent, `loss ${number(loss)}`, `epsilon ${radius(epsilon)}`, error, left);
  const compact = known(`loss ${short(loss)}`, `eps ${radius(epsilon, 3)}`, error);
  const head = `epoch ${epoch}/${epochs}`;
  return [
    { head, tail: long, least: 12 },
    { head, tail: known(...compact, left), least: 4 },
    { head: `${epoch}/${epochs}`, tail: [known(...compact, left).join(' ')], least: 4 },
    { head: `${epoch}/${epochs}`, tail: [known(...compact, time).join(' ')], least: 3 },
  ];
}

/** The line of examples that are evaluated or decoded one after the other. */
export function countDrafts(
  {
    what,
    unit,
    done,
    of,
  }: { readonly what: string; readonly unit: string; readonly done: number; readonly of: number },
  left: number | undefined,
): readonly Draft[] {
  const time = left === undefined ? '' : duration(left);
  return [
    { head: what, tail: known(`${done}/${of} ${unit}`, time && `${time} left`), least: 6 },
    { head: what, tail: known(`${done}/${of}`, time), least: 3 },
  ];
}

/** What came out of an epoch, in one line: the first that fits. */
export function epochLine(
  { epoch, epsilon, metrics, test, monitored, trainSeconds }: Extract<RunEvent, { readonly type: 'epoch' }>,
  epochs: number,
  width: number,
): string {
  const [loss, small] = [`loss ${number(metrics.loss)}`, `eps ${radius(epsilon, 3)}`];
  const error = `${monitored === 'test' ? '' : 'validation '}error ${errorText(test.standardError, test.absoluteError, percentShort)}`;
  const verified = `verified error ${errorText(test.verifiedError, test.verifiedAbsoluteError, percentShort)}`;
  const head = `epoch ${epoch}/${epochs}`;
  const lines = [
    [head, loss, `epsilon ${radius(epsilon)}`, error, verified, duration(trainSeconds)],
    [head, loss, small, error, verified],
    [head, `loss ${short(metrics.loss)}`, error, verified],
    [head, error, verified],
    [`${epoch}/${epochs}`, error, verified],
  ].map((parts) => parts.join('  '));
  return lines.find((line) => line.length <= width) ?? lines.at(-1)!;
}

import { number } from '@cert/trainer/pipeline';
import { className } from '../show/class-name.js';
import type { BallOfImage } from './image.js';

/** Options of {@link counterexampleSentence}. */
interface Counterexample {
  readonly ball: BallOfImage;
  /** The names of the classes, in label order. */
  readonly classNames: readonly string[] | undefined;
  /** Pixels in the order of the ball, and the logits of the network there. */
  readonly witness: { readonly input: ArrayLike<number>; readonly output: ArrayLike<number> };
}

/** A counterexample of an image in one sentence instead of all its pixels: the class that wins there, the margin, and the largest change. */
export function counterexampleSentence({ ball, classNames, witness: { input, output } }: Counterexample): string {
  const { label, pixels, words } = ball;
  const change = pixels.reduce((most, pixel, i) => Math.max(most, Math.abs(input[i]! - pixel)), 0);
  const changed = pixels.filter((pixel, i) => input[i] !== pixel).length;
  const changes = `${changed} of ${pixels.length} ${words.value}s changed by at most ${Number(change.toPrecision(4))}`;
  if (ball.tolerance !== undefined) {
    const { target } = ball.tolerance;
    return `The prediction is ${number(output[0]!)}, off by ${number(Math.abs(output[0]! - target))}: ${changes}.`;
  }
  const logits = Array.from(output);
  const others = logits.map((logit, j) => (j === label ? Number.NEGATIVE_INFINITY : logit));
  const winner = others.indexOf(Math.max(...others));
  const margin = logits[label]! - logits[winner]!;
  const prediction =
    margin < 0 ? `The prediction is ${className(winner, classNames)}` : `${className(winner, classNames)} ties`;
  return `${prediction}: margin ${Number(margin.toPrecision(4))}, ${changes}.`;
}

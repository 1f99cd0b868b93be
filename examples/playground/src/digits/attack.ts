/** PGD against one image, step by step, so that the page stays responsive. */
import { linf, sizeOf } from '@cert/core';
import { turn } from '@cert/jit';
import { pgd } from '@cert/verify';
import { type DigitNetwork, marginOf } from './network.js';

/** A point of a ball with another prediction than its center. */
interface Adversarial {
  readonly pixels: Float32Array;
  readonly logits: readonly number[];
  /** The other class; null if a logit is not finite. */
  readonly prediction: number | null;
}

/** What an attack found. */
export interface AttackResult {
  /** The radius of the attack. */
  readonly epsilon: number;
  /** The first adversarial example; null if all runs ended without one, which proves nothing. */
  readonly found: Adversarial | null;
}

/** The smallest radius at which one of some attacks succeeded; null if none did. */
export function weakest(attacks: readonly AttackResult[]): number | null {
  const successes = attacks.filter(({ found }) => found !== null).map(({ epsilon }) => epsilon);
  return successes.length === 0 ? null : Math.min(...successes);
}

/** How hard an attack tries. */
export const EFFORT = { steps: 40, restarts: 4, seed: 0 };

/** How often {@link attackAndBisect} halves the radius. */
const BISECTIONS = 6;

/** Attacks at a radius and, if this succeeds, searches for the smallest radius at which the attack still succeeds, by bisection. */
export async function* attackAndBisect(
  network: DigitNetwork,
  pixels: Float32Array,
  label: number,
  { epsilon, signal }: { readonly epsilon: number; readonly signal: AbortSignal },
): AsyncGenerator<AttackResult, void> {
  const first = await attack(network, pixels, label, { epsilon, signal });
  yield first;
  if (first.found === null) return;
  let [least, most] = [0, epsilon];
  for (let k = 0; k < BISECTIONS; k++) {
    const middle = (least + most) / 2;
    const next = await attack(network, pixels, label, { epsilon: middle, signal });
    if (next.found === null) least = middle;
    else most = middle;
    yield next;
  }
}

/**
 * Returns the result to show at a radius: the adversarial example of the largest ball inside this one, or else an attack without success on
 * a ball that contains this one; undefined if there is neither.
 */
export function attackAt(attacks: readonly AttackResult[], epsilon: number): AttackResult | undefined {
  const successes = attacks.filter((result) => result.found !== null && result.epsilon <= epsilon);
  const largest = Math.max(...successes.map((result) => result.epsilon));
  const failure = attacks.find((result) => result.found === null && result.epsilon >= epsilon);
  return successes.find((result) => result.epsilon === largest) ?? failure;
}

/**
 * Attacks the prediction `label` of an image with projected gradient descent from several random points at once.
 *
 * @param options.signal stops the attack, with an exception
 */
export async function attack(
  { device, model, weights, logits }: DigitNetwork,
  pixels: Float32Array,
  label: number,
  { epsilon, signal }: { readonly epsilon: number; readonly signal: AbortSignal },
): Promise<AttackResult> {
  const { steps, restarts, seed } = EFFORT;
  const attacker = pgd({ steps, restarts, seed }).on({
    ...{ device, model, weights, places: restarts },
    perturbation: linf({ epsilon }),
  });
  try {
    for (let run = 0; run < restarts; run++) attacker.begin(run, { index: 0, pixels, label }, run);
    for (let step = 0; step <= steps; step++) {
      const margins = await attacker.step();
      for (const place of margins.flatMap((margin, i) => (margin <= 0 ? [i] : []))) {
        const found = await pointAt(place);
        if (found !== null) return { epsilon, found };
      }
      await turn();
      signal.throwIfAborted();
    }
    return { epsilon, found: null };
  } finally {
    await attacker.dispose();
  }

  /** The point of a run, clipped to the ball again, if the network still errs there. */
  async function pointAt(place: number): Promise<Adversarial | null> {
    const size = sizeOf(model.inputShape);
    const all = await attacker.visited().data();
    const moved = Float32Array.from(pixels, (pixel, i) => {
      const [least, most] = [Math.max(0, pixel - epsilon), Math.min(1, pixel + epsilon)];
      return Math.min(most, Math.max(least, all[place * size + i]!));
    });
    const values = await logits(moved);
    const margin = marginOf(values, label);
    if (margin !== null && margin > 0) return null;
    // At a tie the label may still come first.
    const others = values.map((value, j) => (j === label ? Number.NEGATIVE_INFINITY : value));
    return {
      ...{ pixels: moved, logits: values },
      prediction: margin === null ? null : others.indexOf(Math.max(...others)),
    };
  }
}

import { CertError, createRng, type Rng, type Tensor, tf } from '@cert/core';
import { guarded } from './conformance.js';
import { weightedGradients } from './device.js';
import { evaluate, type Values } from './host.js';

/** Options of {@link checkGradient}. */
export interface GradientOptions {
  /** Names of the inputs in the message; default `input 0`, `input 1`, ... */
  readonly names?: readonly string[];
  /** Name of the function in the message; default `the function`. */
  readonly who?: string;
  /** Of the weights and directions; default 0. */
  readonly seed?: number;
  /** Allowed difference as a fraction of the derivative; default 0.02. */
  readonly relative?: number;
}

/**
 * Compares the gradient of a function of tensors with finite differences, input by input: the derivative of a random weighting of the
 * outputs along the signs of the gradient. One of several step sizes of central differences must agree, because large steps cross kinks and
 * small steps suffer from float32 rounding.
 *
 * @param f a pure function; its outputs may have any shape
 * @param at point of differentiation; the tensors are not disposed
 * @throws CertError `broken-contract` with both derivatives when they differ, or when a gradient is NaN or infinite
 */
export async function checkGradient(
  f: (...xs: Tensor[]) => Tensor,
  at: readonly Tensor[],
  { names = [], who = 'the function', seed = 0, relative = 0.02 }: GradientOptions = {},
): Promise<void> {
  const rng = createRng(seed, 'checkGradient');
  const { y, weights, gradients } = await finiteGradients(f, at, { names, who, rng });

  for (const [k, x] of at.entries()) {
    const gradient = gradients[k]!;
    const name = names[k] ?? `input ${k}`;
    const direction = gradient.data.map(
      (g) => (0.5 + 0.5 * rng.uniform()) * (Math.sign(g) || (rng.int(2) === 0 ? -1 : 1)),
    );
    const claimed = dot(gradient.data, direction);
    const moved = async (h: number) => {
      const { value } = await evaluate(() => {
        const shifted = tf.add(x, tf.mul(tf.tensor(direction, x.shape), h));
        return { value: f(...at.map((other, i) => (i === k ? shifted : other))) };
      });
      return dot(value.data, weights);
    };
    const measured: number[] = [];
    // What rounding of the outputs alone can do to the quotient.
    const noise = 2e-7 * y.data.reduce((sum, v, i) => sum + Math.abs(v * weights[i]!), 0);
    let agrees = false;
    for (const h of [1e-3, 3e-3, 3e-4, 1e-2, 1e-4]) {
      const difference = ((await moved(h)) - (await moved(-h))) / (2 * h);
      measured.push(difference);
      const scale = Math.max(Math.abs(claimed), Math.abs(difference));
      agrees = Math.abs(difference - claimed) <= relative * scale + Math.min(noise / h, 0.1 * scale) + 1e-5;
      if (agrees) break;
    }
    if (agrees) continue;
    throw new CertError(
      'broken-contract',
      `${who}: the derivative with respect to ${name} is ${claimed} by the gradient but ${measured.join(', ')} by finite differences.`,
      'Check custom gradients, and that no tensor between input and output is created from values that were read.',
    );
  }
}

/**
 * Checks that the gradient of a function of tensors is finite, where differences measure nothing: at kinks, on boxes without width.
 *
 * @throws CertError `broken-contract` naming the input and the element
 */
export async function checkFiniteGradient(
  f: (...xs: Tensor[]) => Tensor,
  at: readonly Tensor[],
  { names = [], who = 'the function', seed = 0 }: Omit<GradientOptions, 'relative'> = {},
): Promise<void> {
  await finiteGradients(f, at, { names, who, rng: createRng(seed, 'checkGradient') });
}

/** The outputs, a random weighting of them and its gradients. @throws CertError `broken-contract` for one that is not finite */
async function finiteGradients(
  f: (...xs: Tensor[]) => Tensor,
  at: readonly Tensor[],
  { names, who, rng }: { readonly names: readonly string[]; readonly who: string; readonly rng: Rng },
) {
  const { y } = await evaluate(() => ({ y: f(...at) }));
  const weights = Float32Array.from(y.data, () => (rng.int(2) === 0 ? -1 : 1) * (0.5 + rng.uniform()));
  const gradients = await gradientsOf(who, f, at, weights);
  for (const [k, { data }] of gradients.entries()) {
    const bad = data.findIndex((g) => !Number.isFinite(g));
    if (bad < 0) continue;
    throw new CertError(
      'broken-contract',
      `${who}: element ${bad} of the gradient with respect to ${names[k] ?? `input ${k}`} is ${data[bad]}.`,
      'Keep divisors, roots and logarithms away from 0 on both branches of a tf.where: NaN times 0 is NaN.',
    );
  }
  return { y, weights, gradients };
}

/** Gradients of the weighted sum of the outputs; 0 for an input that the function does not use. */
async function gradientsOf(
  who: string,
  f: (...xs: Tensor[]) => Tensor,
  at: readonly Tensor[],
  weights: Float32Array,
): Promise<Values[]> {
  const gradients = await evaluate<string>(() => {
    const all = guarded(who, 'its gradient', () => weightedGradients(f, at, weights));
    return Object.fromEntries(all.map((gradient, k) => [String(k), gradient]));
  });
  return at.map((_, k) => gradients[String(k)]!);
}

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);

import { createRng, type Tensor } from '@cert/core';
import { guarded } from './conformance.js';
import { type CompilingDevice, checkSame, compile, compileFailure, weightedGradients } from './device.js';
import { evaluate } from './host.js';

/** Options of {@link checkCompiled}. */
export interface CompiledOptions {
  /** Where the function is compiled. A `Device` of `@cert/jit` fits. */
  readonly device: CompilingDevice;
  /** Names of the inputs in the message; default `input 0`, `input 1`, ... */
  readonly names?: readonly string[];
  /** Name of the function in the message; default `the function`. */
  readonly who?: string;
  /** Where it was called, for the message. */
  readonly where?: string;
  /** Whether gradients are compared too; default true. */
  readonly differentiable?: boolean;
  /** Seed of the weights of the outputs; default 0. */
  readonly seed?: number;
  /** Allowed difference as a fraction of the largest value of a tensor; default 0.001. */
  readonly relative?: number;
}

/**
 * Compares values and gradients of a function of tensors, compiled for a device, with eager results.
 *
 * @param f a pure function that reads no value; its output may have any shape
 * @param at arguments of the call; the tensors are not disposed
 * @throws CertError `value-read`, `unsupported-kernel` or `bad-argument` when it cannot be compiled; `broken-contract` with both values
 * when they differ
 */
export async function checkCompiled(
  f: (...xs: Tensor[]) => Tensor,
  at: readonly Tensor[],
  options: CompiledOptions,
): Promise<void> {
  const { device, names = [], who = 'the function', differentiable = true, seed = 0, relative = 1e-3 } = options;
  const { where = 'compiled' } = options;
  const rng = createRng(seed, 'checkCompiled');
  const { y } = await evaluate(() => ({ y: guarded(who, where, () => f(...at)) }));
  const weights = Float32Array.from(y.data, () => (rng.int(2) === 0 ? -1 : 1) * (0.5 + rng.uniform()));
  const both = (xs: readonly Tensor[]): { readonly [name: string]: Tensor } => {
    const gradients = differentiable ? weightedGradients(f, xs, weights) : [];
    const named = gradients.map((gradient, k) => [`gradient ${k}`, gradient] as const);
    return { value: f(...xs), ...Object.fromEntries(named) };
  };
  const eager = await evaluate<string>(() => guarded(who, where, () => both(at)));
  const compiled = compile(device, both);
  try {
    const got = await compiled.call(at).catch((error: unknown) => {
      throw compileFailure(error, who, where, device.name);
    });
    const place = [who, where, device.name] as const;
    checkSame(place, 'the value', eager.value!, got.value!, relative);
    for (const [k] of (differentiable ? at : []).entries()) {
      const what = `the gradient with respect to ${names[k] ?? `input ${k}`}`;
      checkSame(place, what, eager[`gradient ${k}`]!, got[`gradient ${k}`]!, relative);
    }
  } finally {
    await compiled.dispose();
  }
}

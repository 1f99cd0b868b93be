import { CertError, createRng, type Rng } from '@cert/core';
import { expect } from 'vitest';

/** How many damaged inputs each test makes. `npm run fuzz` sets 10,000. */
export const CASES = Number(process.env.FUZZ ?? 300);
/** Starts another sequence of damaged inputs. */
const SEED = Number(process.env.FUZZ_SEED ?? 0);

/** Limits of {@link survives}. */
export interface Limits {
  /** Milliseconds that one input may take; default 20,000: only what hangs takes so long. */
  readonly mostMs?: number;
  /** KiB by which the peak memory of the process may grow; default 400,000. */
  readonly mostMemory?: number;
  /** Inputs; default {@link CASES}. */
  readonly cases?: number;
  /** The share of the inputs that must be refused, so that the damage is real; default a tenth. */
  readonly leastRefused?: number;
}

/**
 * Gives many damaged inputs to a reader. Fails where one ends in anything but a `CertError` with a message, takes too long or needs too
 * much memory.
 *
 * @param damage makes an input; the same stream gives the same input
 * @param read reads it and checks the result
 */
export async function survives<T>(
  name: string,
  damage: (rng: Rng) => T,
  read: (input: T) => unknown,
  { mostMs = 20_000, mostMemory = 400_000, cases = CASES, leastRefused = 0.1 }: Limits = {},
): Promise<void> {
  const before = process.resourceUsage().maxRSS;
  let refused = 0;
  for (let i = 0; i < cases; i++) {
    const input = damage(createRng(SEED, 'fuzz', name, i));
    const started = performance.now();
    try {
      await read(input);
    } catch (error) {
      if (!(error instanceof CertError) || error.problem.length < 10 || error.problem.length > 2000) {
        const stack = error instanceof Error ? error.stack : undefined;
        throw new Error(`${name}, input ${i} of seed ${SEED}: ${String(error).slice(0, 500)}\n${stack?.slice(-1000)}`);
      }
      refused++;
    }
    expect(performance.now() - started, `milliseconds for ${name}, input ${i} of seed ${SEED}`).toBeLessThan(mostMs);
  }
  expect(process.resourceUsage().maxRSS - before, `KiB of memory for ${name}`).toBeLessThan(mostMemory);
  expect(refused, `refused inputs of ${name}`).toBeGreaterThan(cases * leastRefused);
}

import { naturalPass, runningNorm } from '@cert/bounds';
import { createRng, type Rng, type Tensor } from '@cert/core';
import { type Device, disposeTree, putParams } from '@cert/jit';
import type { HostNetwork, Weights } from '@cert/verify';

/** How far outputs may be from each other, relative to the largest. */
const CLOSE = 1e-5;

/** Random inputs, and the milliseconds after which there are no more: TensorFlow.js takes minutes for a large network in plain JavaScript. */
const [TRIALS, LONG] = [3, 20_000];

/** The program that a network file is written for, as a reference that is independent of the import. */
export interface IndependentRuntime {
  /** Draws an input in the order of the file; missing: numbers from 0 to 1. */
  draw?(rng: Rng): Float32Array;
  /** Runs one input in the order of the file, and returns its outputs. */
  run(input: ArrayLike<number>): Promise<Float32Array>;
  /** Frees what it holds. */
  dispose(): Promise<void>;
}

/** What {@link compareWithRuntime} finds. */
export interface Comparison {
  /** The largest difference of two outputs, relative to the largest output (at least to 1). */
  readonly difference: number;
  /** An output that differs by more than 1e-5; undefined where none does. */
  readonly far?: { readonly output: number; readonly ours: number | undefined; readonly theirs: number };
}

/**
 * Compares the outputs of a network with those of another program on its file, for up to three random inputs.
 *
 * @param inputOrder for each element of the file's input, its place in the model's input
 */
export async function compareWithRuntime(
  { model, params, stats }: HostNetwork,
  inputOrder: Int32Array,
  independent: IndependentRuntime,
  device: Device,
): Promise<Comparison> {
  const rng = createRng(0, 'import');
  const weights = { params: putParams(device, params), stats: putParams(device, stats) };
  const pass = device.jit((own: Weights, x: Tensor) => ({
    output: naturalPass({ model, params: own.params, norm: runningNorm(own.stats) }, x).output,
  }));
  let difference = 0;
  try {
    const began = performance.now();
    for (let trial = 0; trial < TRIALS; trial++) {
      if (trial > 0 && performance.now() - began > LONG) break;
      const inFile = independent.draw?.(rng) ?? Float32Array.from({ length: inputOrder.length }, () => rng.uniform());
      const x = device.put(inModelOrder(inFile, inputOrder), [1, ...model.inputShape]);
      const out = await pass(weights, x);
      const [ours, theirs] = [await out.output.data(), await independent.run(inFile)];
      disposeTree([x, out]);
      const largest = theirs.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
      const apart = theirs.map((value, j) => Math.abs(value - ours[j]!) / largest);
      const far = apart.findIndex((distance) => !(distance <= CLOSE));
      difference = Math.max(difference, ...apart);
      if (ours.length === theirs.length && far < 0) continue;
      return { difference, far: { output: far, ours: ours[far], theirs: theirs[far]! } };
    }
    return { difference };
  } finally {
    disposeTree(weights);
    await pass.dispose();
  }
}

/** An input in the order of the file, in that of the model. */
function inModelOrder(input: Float32Array, inputOrder: Int32Array): Float32Array {
  const moved = new Float32Array(input.length);
  inputOrder.forEach((place, i) => {
    moved[place] = input[i]!;
  });
  return moved;
}

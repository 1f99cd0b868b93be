import { type Rules, runningNorm } from '@cert/bounds';
import type { Model, Network, Tensor } from '@cert/core';
import type { Device, DeviceArray, OnDevice } from '@cert/jit';
import type { Weights } from '../verifier.js';

/** Where a search computes, and of what network. */
export interface SearchSetting {
  readonly device: Device;
  readonly model: Model;
  readonly weights: OnDevice<Weights>;
  /** The rules of its ops. */
  readonly rules: Rules;
}

/** The network of weights in a compiled function. */
export const networkOf = (model: Model, { params, stats }: Weights): Network => ({
  model,
  params,
  norm: runningNorm(stats),
});

/** Bounds at nodes, by name, as tensors of a compiled function. */
export type Sides = { readonly lower: Tensor; readonly upper: Tensor };

/** Both sides on the host. */
export type HostSides = { readonly lower: Float32Array; readonly upper: Float32Array };

/** Copies both sides to the host. */
export async function readSides({ lower, upper }: OnDevice<Sides>): Promise<HostSides> {
  return { lower: await readFloats(lower), upper: await readFloats(upper) };
}

/** A copy of the values. */
export const readFloats = async (array: DeviceArray): Promise<Float32Array> => Float32Array.from(await array.data());

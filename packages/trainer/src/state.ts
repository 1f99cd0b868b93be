import { type HostParams, initialStats, type Model } from '@cert/core';
import { type Device, type OnDevice, putTree } from '@cert/jit';
import type { Optimizer } from './optimizers/optimizer.js';
import type { TrainState } from './step.js';

/** A {@link TrainState} on the host: what a checkpoint holds. */
export type HostState = {
  /** Parameters. */
  readonly params: HostParams;
  /** Running statistics. */
  readonly stats: HostParams;
  /** State of the optimizer by name: trees in the structure of the parameters. */
  readonly optimizer: { readonly [slot: string]: HostParams };
  /** Averaged parameters, once there are any. */
  readonly average?: HostParams;
};

/** Copies a state to a device. The caller disposes the arrays. */
export const putState = (device: Device, state: HostState): OnDevice<TrainState> =>
  putTree(device, { ...state }) as OnDevice<TrainState>;

/** Returns the state before the first step, on the host. It shares the parameters. */
export const initialState = (model: Model, params: HostParams, optimizer: Optimizer): HostState => ({
  params,
  stats: initialStats(model),
  optimizer: optimizer.init(params),
});

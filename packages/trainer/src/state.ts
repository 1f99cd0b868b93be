import { type Device, type OnDevice, putTree } from '@cert/jit';
import type { HostParams } from '@cert/models';
import type { TrainState } from './step.js';

/** A {@link TrainState} on the host: what a checkpoint holds. */
export interface HostState {
  /** Parameters. */
  readonly params: HostParams;
  /** Running statistics. */
  readonly stats: HostParams;
  /** What the optimizer remembers, by its names: trees of the form of the parameters. */
  readonly optimizer: { readonly [slot: string]: HostParams };
}

/** Copies a state to a device. The caller disposes the arrays. */
export const putState = (device: Device, state: HostState): OnDevice<TrainState> =>
  putTree(device, { ...state }) as OnDevice<TrainState>;

import {
  filledTensor,
  type HostParams,
  type HostTensor,
  type Hyper,
  isHostTensor,
  mapTree,
  type Params,
  type Tree,
} from '@cert/core';

/** State of an optimizer between steps: named trees in the structure of the parameters. */
export type OptimizerState = { readonly [slot: string]: Params };

/** An optimizer: two pure functions, and the scalars that `update` needs at each step. */
export interface Optimizer {
  /** Name in errors. */
  readonly name: string;
  /** Returns the state before the first step, on the host. */
  init(params: HostParams): { readonly [slot: string]: HostParams };
  /**
   * Returns the scalars, besides the learning rate, that `update` reads from `hyper`; computed on the host.
   * @param step the global step, from 0
   */
  hyper(step: number): { readonly [name: string]: number };
  /** Runs one update. Reads no value; `hyper` has `learningRate` and the scalars of {@link Optimizer.hyper}. */
  update(params: Params, grads: Params, state: OptimizerState, hyper: Hyper): Updated;
}

/** Result of an update. */
export interface Updated {
  /** The parameters after the step. */
  readonly params: Params;
  /** State for the next update. */
  readonly state: OptimizerState;
}

/** Returns zeros in the structure of the parameters, the initial state of most optimizers. */
export const zerosLike = (params: HostParams): HostParams =>
  mapTree(({ shape }) => filledTensor(shape, 0), params as Tree<HostTensor>, isHostTensor) as HostParams;

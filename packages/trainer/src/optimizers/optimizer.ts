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

/** What an optimizer remembers between steps: named trees of the form of the parameters. */
export type OptimizerState = { readonly [slot: string]: Params };

/** An optimizer as a pair of pure functions, and the numbers that the second one needs at each step. */
export interface Optimizer {
  /** Name in errors. */
  readonly name: string;
  /** The state before the first step, on the host. */
  init(params: HostParams): { readonly [slot: string]: HostParams };
  /**
   * The numbers besides the learning rate that `update` reads from its `hyper`, computed on the host.
   * @param step the global step, from 0
   */
  hyper(step: number): { readonly [name: string]: number };
  /** One step. Reads no value; `hyper` holds `learningRate` and what {@link Optimizer.hyper} names. */
  update(params: Params, grads: Params, state: OptimizerState, hyper: Hyper): Updated;
}

/** What an update returns. */
export interface Updated {
  /** The parameters after the step. */
  readonly params: Params;
  /** What to hand to the next one. */
  readonly state: OptimizerState;
}

/** Zeros of the form of the parameters: what most optimizers begin with. */
export const zerosLike = (params: HostParams): HostParams =>
  mapTree(({ shape }) => filledTensor(shape, 0), params as Tree<HostTensor>, isHostTensor) as HostParams;

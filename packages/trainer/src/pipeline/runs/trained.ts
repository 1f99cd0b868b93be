/** What training has come to, and how a checkpoint stores it. */
import { CertError, checkParams, type HostParams, type HostTree, isHostTensor } from '@cert/core';
import type { Checkpoint } from '@cert/models';
import type { HostState } from '../../state.js';

/** The weights of a network on the host. */
export type HostWeights = Pick<HostState, 'params' | 'stats'>;

/** The state of training, and the network that came of it. */
export interface Trained {
  readonly state: HostState;
  /** What is evaluated; the state itself if its parameters and running statistics are. */
  readonly network: HostWeights;
}

/**
 * What a checkpoint stores: the network under `params` and `stats`, where every reader of a checkpoint finds it, and beside it what training
 * continues from. A network other than the state has population statistics, and the average as its parameters if there is one.
 */
export function storeTrained({ state, network }: Trained): Pick<Checkpoint, 'params' | 'stats' | 'extra'> {
  const { params, stats, optimizer, average } = state;
  if (network === state) return { params, stats, extra: { optimizer, ...(average && { average }) } };
  const training = { stats, ...(average && { params }) };
  return { params: network.params, stats: network.stats, extra: { optimizer, training } };
}

/**
 * What {@link storeTrained} stored.
 *
 * @param path of the checkpoint, for messages
 * @throws CertError `bad-file` if parameters or statistics of training do not fit the model
 */
export function restoreTrained(path: string, { model, params, stats, extra = {} }: Checkpoint): Trained {
  const read = (name: string, tree: HostTree[string] | undefined, kind: 'params' | 'stats'): HostParams => {
    const fail = (problem: string) =>
      new CertError(
        'bad-file',
        `${path} does not hold the state of training under "${name}": ${problem}`,
        'Resume from a checkpoint written by cert train.',
      );
    if (!isParams(tree)) throw fail('expected float32 tensors by node and name.');
    try {
      checkParams(model, tree, kind);
    } catch (error) {
      throw error instanceof CertError ? fail(error.problem) : error;
    }
    return tree;
  };
  // The optimizer's slots have the form of the parameters; a run without any stores nothing under that name.
  const optimizer = (extra.optimizer ?? {}) as HostState['optimizer'];
  const { training, average } = extra;
  if (training === undefined) {
    const state = { params, stats, optimizer, ...(average && { average: read('average', average, 'params') }) };
    return { state, network: state };
  }
  const { stats: running, params: trained } = isHostTensor(training) ? {} : training;
  const state = {
    params: trained === undefined ? params : read('training.params', trained, 'params'),
    // A model without BatchNorm has no statistics, and no tensor under this name.
    stats: read('training.stats', running ?? {}, 'stats'),
    optimizer,
    ...(trained && { average: params }),
  };
  return { state, network: { params, stats } };
}

const isParams = (tree: HostTree[string] | undefined): tree is HostParams =>
  tree !== undefined &&
  !isHostTensor(tree) &&
  Object.values(tree).every(
    (node) =>
      !isHostTensor(node) &&
      Object.values(node).every((tensor) => isHostTensor(tensor) && tensor.data instanceof Float32Array),
  );

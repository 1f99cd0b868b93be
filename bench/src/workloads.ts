import type { Shape } from '@cert/core';

/** One training step to be timed: a cnn7 on random images, full method, both regularizers on. */
export interface Workload {
  readonly inputShape: Shape;
  readonly width: number;
  readonly dense: number;
  readonly batch: number;
  /** Target radius; the step is timed at half of it. */
  readonly epsilon: number;
  /** The arguments that make the peer run the same step. */
  readonly peer: readonly string[];
}

const mnist = { inputShape: [28, 28, 1], epsilon: 0.4, batch: 64 };

export const workloads: { readonly [name: string]: Workload } = {
  'mnist-w16': {
    ...mnist,
    width: 16,
    dense: 128,
    peer: ['--config', 'mnist', '--batch', '64', '--width', '16', '--linear', '128'],
  },
  'mnist-w64': {
    ...mnist,
    width: 64,
    dense: 512,
    peer: ['--config', 'mnist', '--batch', '64', '--width', '64', '--linear', '512'],
  },
  'cifar-w64': {
    inputShape: [32, 32, 3],
    epsilon: 8 / 255,
    batch: 32,
    width: 64,
    dense: 512,
    peer: ['--config', 'cifar', '--batch', '32', '--width', '64', '--linear', '512'],
  },
};

import type { Model } from '@cert/core';
import type { Device, DeviceArray, OnDevice } from '@cert/jit';
import type { HostParams, HostTensor, HostTree } from '@cert/models';
import type { TrainBatch } from './accumulate.js';
import type { TrainState } from './step.js';

/** A minibatch on the host. */
export interface HostBatch {
  /** Row-major [count, ...inputShape], in the data range. */
  readonly images: Float32Array;
  /** One class index per image, from 0. */
  readonly labels: Int32Array;
  /** For an objective that perturbs the images: uniform in [-1, 1], one number for each of theirs. */
  readonly noise?: Float32Array;
}

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

/** Copies parameters or statistics to a device. The caller disposes the arrays. */
export const putParams = (device: Device, params: HostParams): OnDevice<TrainState['params']> =>
  putTree(device, params) as OnDevice<TrainState['params']>;

/**
 * Copies a minibatch to a device. The caller disposes the arrays.
 *
 * @throws CertError `shape-mismatch` when there are not as many pixels as the labels and the model's input shape ask for
 */
export function putBatch(device: Device, model: Model, { images, labels, noise }: HostBatch): OnDevice<TrainBatch> {
  const shape = [labels.length, ...model.inputShape];
  return {
    images: device.put(images, shape),
    labels: device.put(labels, [labels.length]),
    ...(noise && { noise: device.put(noise, shape) }),
  };
}

/** Copies numbers to a device as float32 scalars. The caller disposes the arrays. */
export const putScalars = (
  device: Device,
  scalars: { readonly [name: string]: number },
): { readonly [name: string]: DeviceArray } =>
  Object.fromEntries(Object.entries(scalars).map(([name, value]) => [name, device.put(Float32Array.of(value), [])]));

interface ArrayTree {
  readonly [key: string]: DeviceArray | ArrayTree;
}

function putTree(device: Device, tree: HostTree): ArrayTree {
  const put = ([key, node]: [string, HostTensor | HostTree]) =>
    [key, isTensor(node) ? device.put(node.data, node.shape) : putTree(device, node)] as const;
  return Object.fromEntries(Object.entries(tree).map(put));
}

const isTensor = (node: HostTensor | HostTree): node is HostTensor => ArrayBuffer.isView(node.data);

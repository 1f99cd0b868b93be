import {
  type HostBatch,
  type HostTensor,
  type HostTree,
  isHostTensor,
  type Model,
  mapTree,
  type Params,
  type TrainBatch,
  type Tree,
} from '@cert/core';
import type { Device, DeviceArray, OnDevice } from './devices/device.js';

/** Copies parameters or statistics to a device. The caller disposes the arrays. */
export const putParams = (device: Device, params: HostTree): OnDevice<Params> =>
  putTree(device, params) as OnDevice<Params>;

/**
 * Copies a minibatch to a device. The caller disposes the arrays.
 *
 * @throws CertError `shape-mismatch` if the number of pixels does not match the labels and the input shape of the model
 */
export function putBatch(
  device: Device,
  model: Model,
  { images, labels, targets, weights, noise }: HostBatch,
): OnDevice<TrainBatch> {
  const shape = [labels.length, ...model.inputShape];
  return {
    images: device.put(images, shape),
    labels: device.put(labels, [labels.length]),
    ...(noise && { noise: device.put(noise.data, noise.shape) }),
    ...(targets && { targets: device.put(targets, [labels.length]) }),
    ...(weights && { weights: device.put(weights, [labels.length]) }),
  };
}

/** Copies numbers to a device as float32 scalars. The caller disposes the arrays. */
export const putScalars = (
  device: Device,
  scalars: { readonly [name: string]: number },
): { readonly [name: string]: DeviceArray } =>
  Object.fromEntries(Object.entries(scalars).map(([name, value]) => [name, device.put(Float32Array.of(value), [])]));

/** Copies a tree of host tensors to a device, in the same structure. The caller disposes the arrays. */
export const putTree = (device: Device, tree: HostTree): Tree<DeviceArray> =>
  mapTree(({ data, shape }) => device.put(data, shape), tree as Tree<HostTensor>, isHostTensor);

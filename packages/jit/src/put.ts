import type { Model, Params, Shape, TrainBatch } from '@cert/core';
import type { Device, DeviceArray, OnDevice } from './devices/device.js';

/** A tensor in the memory of the process: its shape, and its values row-major. */
export interface HostLeaf {
  /** Length of each axis. */
  readonly shape: Shape;
  /** As many values as the shape has elements, row-major. */
  readonly data: Float32Array | Int32Array;
}

/** Nested records of host tensors, such as parameters. */
export interface HostRecord {
  readonly [key: string]: HostLeaf | HostRecord;
}

/** A minibatch on the host. */
export interface HostBatch {
  /** Row-major [count, ...inputShape], in the data range. */
  readonly images: Float32Array;
  /** One class index per image, from 0. */
  readonly labels: Int32Array;
  /** For an objective that chooses points or a box: uniform in [-1, 1], one number for each of theirs. */
  readonly noise?: Float32Array;
}

/** Copies parameters or statistics to a device. The caller disposes the arrays. */
export const putParams = (device: Device, params: HostRecord): OnDevice<Params> =>
  putTree(device, params) as OnDevice<Params>;

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

/** Nested records of device arrays. */
export interface ArrayTree {
  readonly [key: string]: DeviceArray | ArrayTree;
}

/** Copies a tree of host tensors to a device, in the same structure. The caller disposes the arrays. */
export function putTree(device: Device, tree: HostRecord): ArrayTree {
  const put = ([key, node]: [string, HostLeaf | HostRecord]) =>
    [key, isTensor(node) ? device.put(node.data, node.shape) : putTree(device, node)] as const;
  return Object.fromEntries(Object.entries(tree).map(put));
}

const isTensor = (node: HostLeaf | HostRecord): node is HostLeaf => ArrayBuffer.isView(node.data);

/** Checks that every device makes of the arrays that it is given. */
import { CertError, type Shape, sizeOf } from '@cert/core';
import type { DType, HostArray } from '../devices/device.js';

/** The error for an array that is used after its memory was given back. */
export const usedAfterDispose = (shape: Shape): CertError =>
  new CertError(
    'bad-argument',
    `An array of shape [${shape}] was used after dispose().`,
    'Dispose an array only when no later call uses it, and keep the state that the last step returned.',
  );

/** The error for an array that another device made: its memory means nothing here. */
export const ofAnotherDevice = (shape: Shape, device: string): CertError =>
  new CertError(
    'bad-argument',
    `The device "${device}" was given an array of shape [${shape}] of another device.`,
    'Copy the array: device.put(await array.data(), array.shape).',
  );

/** @throws CertError `shape-mismatch` */
export function checkCount(values: HostArray, shape: Shape): void {
  const size = sizeOf(shape);
  if (values.length === size) return;
  throw new CertError(
    'shape-mismatch',
    `${values.length} values were given for the shape [${shape}], which has ${size} elements.`,
    'Give as many values as the shape has elements.',
  );
}

/** The dtype that a host array holds. */
export const dtypeOf = (values: HostArray): DType =>
  values instanceof Float32Array ? 'float32' : values instanceof Int32Array ? 'int32' : 'bool';
